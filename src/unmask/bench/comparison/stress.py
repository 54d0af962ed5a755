"""Scores of the same samples under stress: degraded on purpose or by the world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bench.comparison.entries import Entry, entries
from unmask.bench.comparison.measures import METRICS, RESAMPLES, Cell, Measure, measure

if TYPE_CHECKING:
    from unmask.bench.comparison.scores import ScoreTable


@dataclass(frozen=True, slots=True, eq=False)
class Stressed:
    """Scores under one kind of stress at one strength.

    Attributes:
        kind: Id of the degradation or attack.
        title: Name for people.
        unit: What a strength is.
        strength: How much.
        table: Scores of any detectors on the stressed samples.
    """

    kind: str
    title: str
    unit: str
    strength: float
    table: ScoreTable


@dataclass(frozen=True, slots=True)
class StressPoint:
    """One detector at one strength, image level.

    Attributes:
        detector: Name.
        data_set: What it was tested on.
        kind: Id of the stress; empty for clean samples.
        title: Name for people.
        unit: What a strength is.
        strength: How much; None for clean samples.
        metric: Name of the metric that curves show.
        value: That metric.
        cell: All metrics.
    """

    detector: str
    data_set: str
    kind: str
    title: str
    unit: str
    strength: float | None
    metric: str
    value: Measure
    cell: Cell

    @property
    def in_percent(self) -> bool:
        """Whether tables show that metric in percent."""
        return any(one.title == self.metric and one.unit == "share" for one in METRICS)


def stress_points(
    clean: ScoreTable,
    stressed: Iterable[Stressed],
    *,
    metric: str = "auc",
    resamples: int = RESAMPLES,
) -> list[StressPoint]:
    """Points of the curves; each detector's clean point rests on the samples that were stressed.

    Thresholds are those of the clean scores: nobody is told that a picture was degraded.

    Args:
        clean: Scores of the same samples (or more) without stress, and of validation.
        stressed: Scores under stress.
        metric: Key of the metric that curves show.
        resamples: Of the bootstrap.
    """
    title = next(one.title for one in METRICS if one.key == metric)
    whole = {(entry.detector, entry.trained_on): entry for entry in entries(clean)
             if not entry.left_out}  # fmt: skip
    found: list[StressPoint] = []
    seen: set[tuple[str, str]] = set()
    for one in stressed:
        for entry, data_set in _by_set(one.table):
            before = whole.get((entry.detector, entry.trained_on))
            if before is None:
                continue
            if (entry.detector, data_set) not in seen:
                seen.add((entry.detector, data_set))
                cell = _cell(_same_samples(before, entry), before, resamples)
                found.append(StressPoint(entry.detector, data_set, "", "", "", None, title,
                                         cell[metric], cell))  # fmt: skip
            cell = _cell(entry, before, resamples)
            found.append(StressPoint(entry.detector, data_set, one.kind, one.title, one.unit,
                                     one.strength, title, cell[metric], cell))  # fmt: skip
    return found


def flat_points(points: Iterable[StressPoint]) -> dict[str, list[Any]]:
    """Points as columns for CSV."""
    names = ("auc", "accuracy", "eer", "hits", "false_alarms")
    rows = []
    for one in points:
        row: dict[str, Any] = {
            "detector": one.detector, "data_set": one.data_set, "kind": one.kind or "clean",
            "strength": one.strength, "reals": one.cell.counts.reals,
            "fakes": one.cell.counts.fakes, "threshold": one.cell.threshold,
        }  # fmt: skip
        for name in names:
            value = one.cell[name]
            row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        row["note"] = one.value.note
        rows.append(row)
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


def _by_set(table: ScoreTable) -> Iterator[tuple[Entry, str]]:
    for entry in entries(table):
        for data_set in dict.fromkeys(entry.samples.data_set.tolist()):
            yield entry.take(entry.samples.data_set == data_set), data_set


def _same_samples(before: Entry, after: Entry) -> Entry:
    """The samples and seeds of ``after``, without stress."""
    wanted = set(_keys(after))
    rows = np.array([key in wanted for key in _keys(before)], bool)
    seeds = [place for place, seed in enumerate(before.seeds) if seed in after.seeds]
    here = before.take(rows)
    return replace(
        here,
        logits=here.logits[seeds],
        thresholds=here.thresholds[seeds],
        seeds=tuple(before.seeds[place] for place in seeds),
    )


def _keys(entry: Entry) -> list[tuple[str, str]]:
    samples = entry.samples
    return list(zip(samples.data_set.tolist(), samples.sample_id.tolist(), strict=True))


def _cell(entry: Entry, before: Entry, resamples: int) -> Cell:
    """Seeds under stress may be fewer than those without."""
    by_seed = dict(zip(before.seeds, before.thresholds.tolist(), strict=True))
    thresholds = np.array([by_seed.get(seed, 0.0) for seed in entry.seeds])
    return measure(entry.samples.y_true, entry.logits, entry.sources, thresholds=thresholds,
                   resamples=resamples)  # fmt: skip
