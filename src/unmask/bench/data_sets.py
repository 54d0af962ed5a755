"""One function a data set: its scores in, its section out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.bench import accuracy, samples
from unmask.bench.results import Row, Section, Stamp

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.bench.samples import Sample
    from unmask.bench.scoring import FileScore


@dataclass(frozen=True, slots=True)
class DataSet:
    """How a data set is read and what is said about it.

    Attributes:
        key: Key of the section and name of the table of scores.
        title: Heading of the section.
        about: Paragraph below it.
        read: From the folder of data sets to the samples.
        rows: From scores to the rows of the section.
        notes: From scores to the lines below the table.
    """

    key: str
    title: str
    about: str
    read: Callable[[Path], list[Sample]]
    rows: Callable[[Sequence[FileScore]], list[Row]]
    notes: Callable[[Sequence[FileScore]], list[str]]

    def section(self, scores: Sequence[FileScore], stamp: Stamp, *extra_notes: str) -> Section:
        """The section on these scores."""
        return Section(
            key=self.key,
            title=self.title,
            about=self.about,
            rows=self.rows(scores),
            notes=[*self.notes(scores), *_errors(scores), *extra_notes],
            table=f"{self.key}.csv",
            stamp=stamp,
        )


def portraits_in(listing: Path) -> DataSet:
    """The data set of untouched portraits that a list file names."""
    return DataSet(
        key="portraits",
        title="portraits: false alarms on untouched pictures",
        about="Image level. Portraits kept apart from training; all are untouched, so every call "
        "is a false alarm.",
        read=lambda data: samples.portraits(data, listing),
        rows=lambda scores: [
            *accuracy.label_rows(scores),
            *_only(accuracy.decision_rows(scores), "false_alarms"),
            *accuracy.coverage_rows(scores),
            *accuracy.spread_rows(scores),
        ],
        notes=_called_by_name,
    )


def _dfdc_rows(scores: Sequence[FileScore]) -> list[Row]:
    return [
        *accuracy.coverage_rows(scores),
        *accuracy.ranking_rows(scores),
        *accuracy.decision_rows(scores),
        *accuracy.calibration_rows(scores),
    ]


def _clips_rows(scores: Sequence[FileScore]) -> list[Row]:
    return [
        *accuracy.label_rows(scores),
        *_only(accuracy.decision_rows(scores), "false_alarms"),
        *accuracy.spread_rows(scores),
    ]


def _ghost_rows(scores: Sequence[FileScore]) -> list[Row]:
    each = [
        Row(
            key=one.name,
            text=f"Logit of {one.name}",
            value=one.logit,
            unit="score",
            note=one.label
            + (f", log10 LR {one.log10_lr:+.2f}" if one.log10_lr is not None else ""),
        )
        for one in scores
    ]
    # One source video: there is nothing to resample, and so no interval.
    pair = accuracy.pair_row(scores)
    bare = Row(key=pair.key, text=pair.text, value=pair.value, unit=pair.unit, note=pair.note)
    return [*each, bare, *accuracy.label_rows(scores)]


def _unseen_rows(scores: Sequence[FileScore]) -> list[Row]:
    return [
        *_only(accuracy.ranking_rows(scores), "auc", "auc_in_scope"),
        accuracy.pair_row(scores),
        *accuracy.label_rows(scores),
    ]


def _called_by_name(scores: Sequence[FileScore]) -> list[str]:
    called = [one.name for one in scores if one.called]
    names = ", ".join(f"`{name}`" for name in called) or "none"
    return [f"Called manipulated, though untouched ({len(called)} of {len(scores)}): {names}"]


def _errors(scores: Sequence[FileScore]) -> list[str]:
    broken = [f"`{one.name}` ({one.error})" for one in scores if one.error]
    return [f"Not or not wholly readable: {', '.join(broken)}"] if broken else []


def _nothing(_: Sequence[FileScore]) -> list[str]:
    return []


def _only(rows: Sequence[Row], *keys: str) -> list[Row]:
    return [row for row in rows if row.key in keys]


DFDC_VAL = DataSet(
    key="dfdc_val",
    title="dfdc_faces/val: face crops of the set's own methods",
    about="Image level, in distribution: other people than in `dfdc_faces/train`, but the same "
    "kinds of forgery, kept only where they visibly differ from their original.",
    read=samples.dfdc_val,
    rows=_dfdc_rows,
    notes=lambda _: [
        "For comparison, as stated together with the goals, not measured by this bench: the "
        "published MesoNet weights (Afchar et al., WIFS 2018) reach AUC .60 on these crops, a "
        "published multi-task network .56.",
    ],
)

CLIPS_REAL = DataSet(
    key="clips_real",
    title="clips/real: untouched films that were not trained on",
    about="Video level. Talking faces from LivePortrait, GRID, TPSMM, Intel and LIA; all are "
    "untouched, so every call is a false alarm. Frames of the set's other 21 films were trained "
    "on, and those are left out here.",
    read=samples.clips_real,
    rows=_clips_rows,
    notes=_called_by_name,
)

GHOST_SWAP = DataSet(
    key="ghost_swap",
    title="clips/ghost_swap: one film and three swaps of it",
    about="Video level. One original, too few to be more than an example.",
    read=samples.ghost_swap,
    rows=_ghost_rows,
    notes=_nothing,
)

UNSEEN_DEV = DataSet(
    key="unseen_dev",
    title="clips/unseen_dev: a look at a method never seen",
    about="Video level. Films of live face-swapping beside their originals, made by a program that "
    "no training, fitting or choice of threshold has met. It stays so: this is looked at seldom "
    "(`--unseen`), and nothing may be tuned by it.",
    read=samples.unseen_dev,
    rows=_unseen_rows,
    notes=lambda _: [
        "For comparison, from the data set's own description: the published MesoNet weights reach "
        "AUC .50 to .59, a published multi-task network .72.",
    ],
)
