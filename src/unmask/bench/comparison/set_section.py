"""What a comparison tells of one set: who is best, by how much, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unmask.bench.comparison import plots
from unmask.bench.comparison.entries import IMAGE, VIDEO, VOTE
from unmask.bench.comparison.page_parts import BY_KEY, Drawing, PageSection
from unmask.bench.comparison.texts import (
    NOTHING,
    Text,
    TextTable,
    count_text,
    joined,
    label,
    number_text,
    rate_text,
)

if TYPE_CHECKING:
    from unmask.bench.comparison.costs import Costs
    from unmask.bench.comparison.findings import Comparison
    from unmask.bench.comparison.tables import Record

_OVERALL = ("auc", "eer", "accuracy", "balanced_accuracy", "tpr_at_fpr_1", "tpr_at_fpr_01",
            "log_loss", "brier", "ece", "cllr")  # fmt: skip
_LEVELS = {
    IMAGE: "Image level: each face by itself.",
    VIDEO: "Video level: the mean logit over the faces of a film.",
    VOTE: "Video level by vote: a film is called when more than half of its faces are.",
}
_COSTS = ("Parameters", "Samples/s, batch 1")


def set_section(found: Comparison, data_set: str, place: int) -> PageSection:
    """Everything about one set: drawings, and a table for each level.

    Args:
        found: The comparison.
        data_set: Name of the set.
        place: Which set it is.
    """
    ranked = found.ranked(data_set)
    by_name = {(e.detector, e.trained_on, e.left_out): e for e in found.entries}
    here = []
    for record in ranked:
        entry = by_name.get(record.entry)
        if entry is not None and record.cell["auc"].value is not None:
            here.append(entry.take(entry.samples.data_set == data_set))
    drawings: list[Drawing] = []
    if here:
        drawings = [
            Drawing(plots.ranking_plot(ranked, name=f"ranking-{place}"),
                    "AUC at image level; the bar is the 95 % interval, bootstrapped by source."),
            Drawing(plots.roc_and_det(here, name=f"roc-{place}"),
                    "Left: ROC. Right: the same as DET, on normal-deviate axes, where low error "
                    "rates can be read. Several seeds: their mean logit."),
            Drawing(plots.reliability_plot(here, name=f"reliability-{place}"),
                    "Reliability at equal priors, of logits taken at their word: on the dotted "
                    "line a detector keeps what it says. A dot's area is its share of samples."),
        ]  # fmt: skip
    tables = [_overall_table(found, data_set, level) for level in (IMAGE, VIDEO, VOTE)]
    return PageSection(
        f"set-{place}", data_set, _paragraphs(ranked), tuple(drawings),
        tuple(table for table in tables if table.rows),
    )  # fmt: skip


def _paragraphs(ranked: Sequence[Record]) -> tuple[str, ...]:
    if not ranked:
        return ()
    counts = ranked[0].cell.counts
    thresholds = joined(sorted({record.threshold_source for record in ranked}))
    protocols = joined(sorted({r.protocol for r in ranked if r.protocol}))
    text = (
        f"{counts.reals:,} real and {counts.fakes:,} fake faces from {counts.sources:,} sources. "
        f"Accuracy, false alarms and hits at the threshold: {thresholds}."
    )
    notes = sorted({f"{r.detector}: {note}." for r in ranked for note in r.cell.notes})
    return (text + (f" Protocol: {protocols}-set." if protocols else ""), *notes)


def _overall_table(found: Comparison, data_set: str, level: str) -> TextTable:
    records = found.ranked(data_set, level)
    # On as many reals as fakes the two accuracies are one.
    balanced = all(r.cell.counts.reals == r.cell.counts.fakes for r in records)
    # What a detector costs stands beside what it reaches, once.
    costs = found.costs if level == IMAGE else {}
    keys = [
        key
        for key in _OVERALL
        if any(r.cell[key].value is not None for r in records)
        and not (balanced and key == "balanced_accuracy")
    ] or ["auc"]  # where nothing could be told, at least why
    best = {key: _best(records, key) for key in keys}
    rows = [
        (label(_name(record)),
         *(number_text(record.cell[key], BY_KEY[key], strong=record is best[key]) for key in keys),
         *(_cost(costs.get(record.detector)) if costs else ()))
        for record in records
    ]  # fmt: skip
    if "auc" in keys:
        empty = (Text(""),) * (len(keys) - 1 + (len(_COSTS) if costs else 0))
        rows += [
            (Text(f"{one.name} (published)", note=one.source, is_number=False),
             Text(f"{one.auc:.3f}"), *empty)
            for one in found.published if (one.data_set, one.level) == (data_set, level)
        ]  # fmt: skip
    head = (*(_head(key) for key in keys), *(_COSTS if costs else ()))
    return TextTable(_LEVELS[level], ("Detector", *head), tuple(rows))


def _cost(known: Costs | None) -> tuple[Text, ...]:
    if known is None:
        return (NOTHING,) * len(_COSTS)
    return count_text(known.parameters), rate_text(known.images_per_s_1)


def _head(key: str) -> str:
    metric = BY_KEY[key]
    return metric.title + (", %" if metric.unit == "share" else "")


def _best(records: Sequence[Record], key: str) -> Record | None:
    told = [r for r in records if r.cell[key].value is not None]
    sign = 1 if BY_KEY[key].more_is_better else -1
    return max(told, key=lambda r: sign * (r.cell[key].value or 0.0), default=None)


def _name(record: Record) -> str:
    seeds = record.cell.counts.seeds
    return record.detector + (f" ({seeds} seeds)" if seeds > 1 else "")
