"""A comparison as one self-contained page, and as Markdown."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from unmask import __version__
from unmask.bench.comparison.sections import page_sections, summary
from unmask.bench.comparison.texts import markdown_table
from unmask.report import palette

if TYPE_CHECKING:
    from jinja2 import Environment

    from unmask.bench.comparison.findings import Comparison

HOW = (
    "In brackets or below a number: its 95 % interval, a percentile bootstrap over sources "
    "({resamples:,} resamples): everything made from one original is drawn together. With several "
    "seeds a number is their mean. Log loss, Brier and ECE read a logit as log odds and weigh both "
    "classes one half; Cllr reads it as a natural-log likelihood ratio. Nothing here chose a "
    "detector, a threshold or a setting by the test sets."
)


def as_html(found: Comparison) -> str:
    """The page: it loads nothing from elsewhere and runs no script."""
    from markupsafe import Markup

    environment, style = _environment(), _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    page = environment.get_template("comparison.html.j2").render(
        found=found,
        summary=summary(found),
        sections=page_sections(found),
        how=HOW.format(resamples=found.resamples),
        numbered=_Notes,
        version=__version__,
        # Constant text of this package.
        style=Markup(style),  # noqa: S704
        csp=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'",
    )
    return page.lstrip() + "\n"


def as_markdown(found: Comparison, *, html: str = "", heading: int = 1) -> str:
    """The tables as Markdown.

    Args:
        found: What was measured.
        html: Address of the page with the drawings, or empty.
        heading: Level of the title's heading.
    """
    mark = "#" * heading
    parts = [f"{mark} {found.title}", found.about, summary(found)]
    parts.append(HOW.format(resamples=found.resamples))
    parts += ["\n".join(f"- {term}: {text}" for term, text in found.facts)]
    if html:
        parts.append(f"Curves, reliability and the other drawings: [the page]({html}).")
    for section in page_sections(found):
        parts += [f"{mark}# {section.title}", *section.paragraphs]
        parts.append("\n".join(f"- {text}" for text in section.points))
        parts += [markdown_table(table) for table in section.tables]
    return "\n\n".join(part for part in parts if part).rstrip() + "\n"


class _Notes:
    """Notes of one table, numbered in the order in which they occur.

    Attributes:
        key: Prefix of their anchors.
        texts: Notes so far.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.texts: list[str] = []

    def number(self, text: str) -> int:
        """Number of a note, from 1."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


@lru_cache(maxsize=1)
def _style() -> str:
    return str(
        _environment()
        .get_template("comparison.css.j2")
        .render(light=palette.LIGHT.items(), dark=palette.DARK.items())
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("unmask.bench.comparison"),
        autoescape=select_autoescape(("html", "html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
