"""The tables of a comparison, as flat records that become CSV, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import TYPE_CHECKING, Any

from unmask.bench.comparison.entries import (
    VOTE,
    Entry,
    entries,
    has_films,
    video_level,
    vote_level,
)
from unmask.bench.comparison.measures import METRICS, RESAMPLES, Cell, Measure, measure
from unmask.bench.comparison.slices import Slice, auc_difference, slices

if TYPE_CHECKING:
    from unmask.bench.comparison.scores import ScoreTable

WITHIN, CROSS = "within", "cross"
_OF_PROBABILITIES = ("log_loss", "brier", "ece", "cllr")


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table.

    Attributes:
        entry: Detector, training set and left-out method.
        data_set: What it was tested on; ``A against B`` for reals of A and fakes of B.
        level: ``image``, ``video`` or ``video vote``.
        cell: The numbers.
        threshold_source: Where the threshold comes from.
        protocol: ``within``, ``cross``, or empty where the training set is not known.
        by: Kind of slice, or empty.
        name: Slice, or empty.
    """

    entry: tuple[str, str, str]
    data_set: str
    level: str
    cell: Cell
    threshold_source: str
    protocol: str = ""
    by: str = ""
    name: str = ""

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.entry[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """AUC at the upper end of an ordered kind of slice minus that at the lower end."""

    detector: str
    data_set: str
    by: str
    low: str
    high: str
    auc: Measure


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything that follows from one score table.

    Attributes:
        overall: Every detector on every set at every level.
        crossed: Reals of one set against fakes of another, image level.
        left_out: Detectors on the method that their training was kept from.
        seen: The same detectors on the same methods when training had them.
        slices: Every detector on every slice of every set, image level.
        differences: Ends of ordered slices compared.
    """

    overall: list[Record]
    crossed: list[Record]
    left_out: list[Record]
    seen: list[Record]
    slices: list[Record]
    differences: list[Difference]


def make_tables(table: ScoreTable, *, resamples: int = RESAMPLES) -> Tables:
    """All tables of a score table; the same table gives the same numbers.

    Args:
        table: Scores of any detectors on any sets.
        resamples: Of each bootstrap.

    Raises:
        UsageError: A film holds real and fake faces, or group labels are not JSON.
    """
    every = list(entries(table))
    whole = [entry for entry in every if not entry.left_out]
    parts = [(entry, name, part) for entry in whole for name, part in _by_set(entry)]
    overall = [_record(at, name, resamples) for _, name, part in parts for at in _levels(part)]
    sliced = [
        _record(part.take(one.rows), name, resamples, one)
        for _, name, part in parts
        for one in slices(part.samples)
    ]
    differences = [one for _, name, part in parts for one in _ends(part, name, resamples)]
    crossed = [one for entry in whole for one in _crossed(entry, resamples)]
    left_out = [
        _record(_on_method(entry, entry.left_out, name), name, resamples, protocol="left out",
                name=entry.left_out)
        for entry in every if entry.left_out
        for name in _sets_with(entry, entry.left_out)
    ]  # fmt: skip
    seen = list(_seen(left_out, whole, resamples))
    return Tables(overall, crossed, left_out, seen, sliced, differences)


def flat(records: Iterable[Record]) -> dict[str, list[Any]]:
    """Records as columns for CSV: facts, counts, then each metric with its interval and note."""
    rows = [_flat(record) for record in records]
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


def _flat(record: Record) -> dict[str, Any]:
    cell = record.cell
    detector, trained_on, left_out = record.entry
    row: dict[str, Any] = {
        "detector": detector, "trained_on": trained_on, "left_out": left_out,
        "data_set": record.data_set, "protocol": record.protocol, "level": record.level,
        "slice_by": record.by, "slice": record.name,
        "reals": cell.counts.reals, "fakes": cell.counts.fakes, "sources": cell.counts.sources,
        "unscored": cell.counts.unscored, "seeds": cell.counts.seeds,
        "threshold": cell.threshold, "threshold_source": record.threshold_source,
    }  # fmt: skip
    for metric in METRICS:
        one = cell[metric.key]
        row[metric.key] = one.value
        row |= {f"{metric.key}_low": one.low, f"{metric.key}_high": one.high}
        row |= {f"{metric.key}_seed_sd": one.seed_sd, f"{metric.key}_note": one.note}
    row["notes"] = "; ".join(cell.notes)
    return row


def _record(
    entry: Entry,
    data_set: str,
    resamples: int,
    one: Slice | None = None,
    *,
    protocol: str | None = None,
    name: str = "",
) -> Record:
    cell = measure(
        entry.samples.y_true,
        entry.logits,
        entry.sources,
        thresholds=entry.thresholds,
        resamples=resamples,
    )
    if entry.level == VOTE:
        no = Measure(None, note="a share of votes is no probability")
        cell = replace(cell, measures={**cell.measures, **dict.fromkeys(_OF_PROBABILITIES, no)})
    return Record(
        (entry.detector, entry.trained_on, entry.left_out),
        data_set,
        entry.level,
        cell,
        entry.threshold_source,
        _protocol(entry, data_set) if protocol is None else protocol,
        one.by if one else "",
        one.name if one else name,
    )


def _protocol(entry: Entry, data_set: str) -> str:
    """Training names a split too (``dfdc_faces/train``); the set is what comes before it."""
    if not entry.trained_on:
        return ""
    sets = {part.partition("/")[0].strip() for part in entry.trained_on.split("+")}
    return WITHIN if data_set.partition("/")[0] in sets else CROSS


def _by_set(entry: Entry) -> Iterator[tuple[str, Entry]]:
    for name in dict.fromkeys(entry.samples.data_set.tolist()):
        yield name, entry.take(entry.samples.data_set == name)


def _levels(entry: Entry) -> list[Entry]:
    if not has_films(entry):
        return [entry]
    return [entry, video_level(entry), vote_level(entry)]


def _crossed(entry: Entry, resamples: int) -> Iterator[Record]:
    sets, fake = entry.samples.data_set, entry.samples.y_true == 1
    with_real, with_fake = (list(dict.fromkeys(sets[rows].tolist())) for rows in (~fake, fake))
    for real_set, fake_set in product(with_real, with_fake):
        if real_set != fake_set:
            rows = ((sets == real_set) & ~fake) | ((sets == fake_set) & fake)
            name = f"{real_set} against {fake_set}"
            yield _record(entry.take(rows), name, resamples, protocol="cross AUC")


def _on_method(entry: Entry, method: str, data_set: str) -> Entry:
    chosen = (entry.samples.y_true == 0) | (entry.samples.method == method)
    return entry.take(chosen & (entry.samples.data_set == data_set))


def _sets_with(entry: Entry, method: str) -> list[str]:
    return list(dict.fromkeys(entry.samples.data_set[entry.samples.method == method].tolist()))


def _seen(left_out: Sequence[Record], whole: Sequence[Entry], resamples: int) -> Iterator[Record]:
    by_name = {entry.detector: entry for entry in whole}
    for record in left_out:
        entry = by_name.get(record.detector)
        if entry is not None:
            here = _on_method(entry, record.name, record.data_set)
            yield _record(here, record.data_set, resamples, protocol="seen", name=record.name)


def _ends(entry: Entry, data_set: str, resamples: int) -> Iterator[Difference]:
    ordered = [one for one in slices(entry.samples) if one.ordered]
    for by, group in groupby(ordered, key=lambda one: one.by):
        kinds = list(group)
        if len(kinds) > 1:
            first, last = kinds[0], kinds[-1]
            auc = auc_difference(entry, first.rows, last.rows, resamples=resamples)
            yield Difference(entry.detector, data_set, by, first.name, last.name, auc)
