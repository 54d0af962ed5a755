"""Measurements of forged faces, each with its name, its unit and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

LOWER, HIGHER, NEITHER = "lower", "higher", ""
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Measure:
    """One number.

    Attributes:
        what: What was compared with what (``reconstruction``, ``swap to the second``).
        name: What it is, in full.
        value: The mean.
        low, high: 95 % interval over groups, or None where there are too few.
        unit: ``dB``, ``px``, ``share`` ...; empty for plain numbers.
        better: ``lower``, ``higher`` or empty.
        count: Values that it is the mean of.
        groups: Films or pictures, or seconds of one film, that the interval is drawn over.
        note: What must be said of it.
    """

    what: str
    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    better: str = NEITHER
    count: int = 1
    groups: int = 1
    note: str = ""


@dataclass(slots=True)
class Series:
    """Values of one measure as they come, and what each belongs to."""

    what: str
    name: str
    unit: str = ""
    better: str = NEITHER
    note: str = ""
    values: list[float] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def add(self, value: float, group: str) -> None:
        """Add one value; what is not a number is left out."""
        if not np.isnan(value):
            self.values.append(float(value))
            self.groups.append(group)

    def measure(self) -> Measure | None:
        """Mean and interval; None where nothing came."""
        if not self.values:
            return None
        values = np.array(self.values)
        low, high, groups = interval(values, self.groups)
        return Measure(self.what, self.name, float(values.mean()), low, high, self.unit,
                       self.better, len(values), groups, self.note)  # fmt: skip


class Gathered:
    """Series by what and name, in the order in which they first came."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str], Series] = {}

    def add(
        self, what: str, name: str, value: float, group: str, *,
        unit: str = "", better: str = NEITHER, note: str = "",
    ) -> None:  # fmt: skip
        """Add one value to a series."""
        key = what, name
        if key not in self._series:
            self._series[key] = Series(what, name, unit, better, note)
        self._series[key].add(value, group)

    def measures(self) -> list[Measure]:
        """All of them."""
        found = (one.measure() for one in self._series.values())
        return [one for one in found if one is not None]


def interval(values: Doubles, groups: Sequence[str]) -> tuple[float | None, float | None, int]:
    """95 % percentile interval of a mean, drawing whole groups.

    Returns:
        Lower and upper end (None with fewer than five groups, which show no spread), and how many
        groups there are.

    Source:
        As :func:`unmask.metrics.bootstrap_interval`.
    """
    _, inverse = np.unique(np.asarray(groups), return_inverse=True)
    count = int(inverse.max()) + 1
    if count < 5:
        return None, None, count
    sums = np.bincount(inverse, values)
    sizes = np.bincount(inverse)
    drawn = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high), count


def flat(measures: Sequence[Measure]) -> dict[str, list[Any]]:
    """Columns for CSV."""
    names = Measure.__slots__
    return {name: [getattr(one, name) for one in measures] for name in names}


def as_markdown(measures: Sequence[Measure]) -> str:
    """One table; notes below it."""
    lines = [
        "| of what | measure | value | 95 % interval | better | n |",
        "|---|---|---|---|---|---|",
    ]
    notes: list[str] = []
    for one in measures:
        mark = ""
        if one.note:
            if one.note not in notes:
                notes.append(one.note)
            mark = f" [{notes.index(one.note) + 1}]"
        lines.append(
            f"| {one.what} | {one.name}{mark} | {_shown(one.value, one.unit)} | {_range(one)} | "
            f"{one.better or '-'} | {one.count} |"
        )
    told = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, *(["", *told] if told else []), ""])


def _range(one: Measure) -> str:
    if one.low is None or one.high is None:
        return "-"
    return f"{_number(one.low)} to {_number(one.high)}"


def _shown(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}".strip()


def _number(value: float) -> str:
    return f"{value:.4g}"
