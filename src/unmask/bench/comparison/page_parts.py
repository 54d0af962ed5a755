"""What a page of a comparison is built of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.bench.comparison.measures import METRICS
from unmask.bench.comparison.texts import TextTable

if TYPE_CHECKING:
    from markupsafe import Markup

BY_KEY = {metric.key: metric for metric in METRICS}
"""Metrics by key."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing and what stands below it."""

    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class PageSection:
    """One part of the page."""

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[TextTable, ...] = ()
    points: tuple[str, ...] = ()
