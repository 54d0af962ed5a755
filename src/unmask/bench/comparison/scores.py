"""The score table: one row a sample and detector, and nothing else that a comparison needs.

Scores of any detector, ours or foreign, come as CSV or Parquet with these columns:

=============  ==========================================================================
``detector``   its name; required
``data_set``   name of the set; required
``video_id``   film or picture of the sample, unique in its set; required
``y_true``     1 = fake, 0 = real; required
``logit``      rises with suspicion, 0 = even odds, natural logarithm of the odds where the
               detector means a probability; empty = this sample got no score; required
``y_score``    may stand for ``logit``: a probability in 0..1, turned into its log odds
``sample_id``  unique in its set; else the number of the row among the detector's rows
``source_id``  original it was made from, what the bootstrap draws; else ``video_id``
``method``     forgery, or ``real``; else ``real`` and ``unknown``
``split``      ``test``, or ``validation`` (only chooses thresholds); else ``test``
``seed``       of the training run; else 0
``trained_on`` name of the training set, or empty
``left_out``   forgery method that training was kept from, or empty
others         ``compression``, ``face_px``, ``sharpness``, ``yaw_deg``, ``groups`` (JSON)
=============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets import FaceColumns

REQUIRED = ("detector", "data_set", "video_id", "y_true", "logit")
TEST, VALIDATION, REAL = "test", "validation", "real"
_TEXTS = ("detector", "data_set", "sample_id", "video_id", "source_id", "method", "split",
          "trained_on", "left_out", "compression", "groups")  # fmt: skip
_FLOATS = ("face_px", "sharpness", "yaw_deg", "logit")
# A probability of exactly 0 or 1 is drawn in by this much, to keep log odds finite.
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """Columns of N rows; see the head of this module.

    Raises:
        UsageError: A split is unknown.
    """

    detector: NDArray[np.str_]
    data_set: NDArray[np.str_]
    sample_id: NDArray[np.str_]
    video_id: NDArray[np.str_]
    source_id: NDArray[np.str_]
    method: NDArray[np.str_]
    split: NDArray[np.str_]
    trained_on: NDArray[np.str_]
    left_out: NDArray[np.str_]
    compression: NDArray[np.str_]
    groups: NDArray[np.str_]
    y_true: NDArray[np.int8]
    seed: NDArray[np.int64]
    face_px: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    yaw_deg: NDArray[np.float64]
    logit: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not np.isin(self.split, (TEST, VALIDATION)).all():
            unknown = sorted(set(self.split.tolist()) - {TEST, VALIDATION})
            raise UsageError(
                f"split holds {unknown[0]!r}; expected {TEST!r} or {VALIDATION!r}.",
                hint="What chooses thresholds is 'validation'; everything else is 'test'.",
            )

    def __len__(self) -> int:
        return len(self.y_true)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> ScoreTable:
        """The chosen rows."""
        return ScoreTable(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def scored(self) -> ScoreTable:
        """The rows that have a score."""
        return self.take(~np.isnan(self.logit))

    def detectors(self) -> list[str]:
        """Names of the detectors in the order in which they first occur."""
        return list(dict.fromkeys(self.detector.tolist()))

    def of(self, detector: str) -> ScoreTable:
        """The rows of one detector."""
        return self.take(self.detector == detector)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def from_columns(given: Mapping[str, Any], *, where: str = "the score table") -> ScoreTable:
    """Build a table from columns by name, filling in what may be absent.

    Args:
        given: Columns of equal length; unknown names are left aside.
        where: How messages call it.

    Raises:
        UsageError: A required column is absent, empty or not a number; a label is neither 0 nor
            1; or a sample occurs twice.
    """
    columns = {name: np.asarray(values) for name, values in given.items()}
    if "logit" not in columns and "y_score" in columns:
        columns["logit"] = _log_odds(_numbers(columns["y_score"], "y_score", where), where)
    absent = [name for name in REQUIRED if name not in columns]
    if absent:
        raise UsageError(
            f"{where} lacks the column {absent[0]!r}.",
            hint=f"It needs {', '.join(REQUIRED)}; see docs/how-to/bench.md.",
        )
    count = len(columns["y_true"])
    if count == 0:
        raise UsageError(f"{where} holds no row.", hint="Give at least one scored sample.")
    labels = _numbers(columns["y_true"], "y_true", where)
    strange = ~np.isin(labels, (0, 1))
    if strange.any():
        row = int(strange.argmax())
        raise UsageError(
            f"{where} has {labels[row]} as y_true in row {row + 1}; expected 0 or 1.",
            hint="1 = fake, 0 = real.",
        )
    built: dict[str, NDArray[Any]] = {"y_true": labels.astype(np.int8)}
    seeds = _numbers(columns.get("seed", np.zeros(count)), "seed", where)
    built["seed"] = np.nan_to_num(seeds).astype(np.int64)
    for name in _FLOATS:
        built[name] = _numbers(columns.get(name, np.full(count, np.nan)), name, where)
    for name in _TEXTS:
        built[name] = columns.get(name, np.full(count, "")).astype(np.str_)
    _fill(built)
    _no_sample_twice(built, where)
    return ScoreTable(**built)


def from_faces(
    columns: FaceColumns, logits: NDArray[Any], *, detector: str, **constant: str | int
) -> ScoreTable:
    """The table of one detector's logits on the faces of a store.

    Args:
        columns: What is known of the N faces.
        logits: (N,) one logit a face; NaN where there is none.
        detector: Name of the detector.
        **constant: Columns with one value for all rows (``seed=3``, ``split="validation"``).
    """
    given = {f.name: getattr(columns, f.name) for f in fields(columns)}
    given["split"] = np.full(len(columns), TEST)
    given |= {name: np.full(len(columns), value) for name, value in constant.items()}
    given |= {"detector": np.full(len(columns), detector), "logit": np.asarray(logits, float)}
    return from_columns(given, where=f"the scores of {detector}")


def concatenate(tables: Sequence[ScoreTable]) -> ScoreTable:
    """All rows of several tables.

    Raises:
        UsageError: There is no table, or a sample of a detector occurs in two of them.
    """
    if not tables:
        raise UsageError("There are no scores at all.", hint="Give at least one score table.")
    joined = {
        f.name: np.concatenate([getattr(table, f.name) for table in tables])
        for f in fields(ScoreTable)
    }
    _no_sample_twice(joined, "the score tables together")
    return ScoreTable(**joined)


def _numbers(values: NDArray[Any], name: str, where: str) -> NDArray[np.float64]:
    """Floats; an empty text is NaN."""
    if values.dtype.kind not in "OUS":
        return values.astype(np.float64)
    texts = ["nan" if value in (None, "") else str(value) for value in values.tolist()]
    try:
        return np.array(texts, np.float64)
    except ValueError:
        for row, text in enumerate(texts):
            try:
                float(text)
            except ValueError:
                raise UsageError(
                    f"{where} has {text!r} as {name} in row {row + 1}; expected a number.",
                    hint="Write numbers with a point, and nothing where there is none.",
                ) from None
        raise


def _log_odds(probability: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    if ((probability < 0) | (probability > 1)).any():
        raise UsageError(
            f"y_score of {where} leaves 0..1, so it is no probability.",
            hint="Give such scores as 'logit'; only their order will be compared fairly.",
        )
    inside = np.clip(probability, _TINY, 1 - _TINY)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds


def _fill(built: dict[str, NDArray[Any]]) -> None:
    """Put in what is absent or empty and has a sensible value."""
    is_fake = built["y_true"] == 1
    built["sample_id"] = _where_empty(built["sample_id"], _row_numbers(built))
    built["source_id"] = _where_empty(built["source_id"], built["video_id"])
    built["method"] = _where_empty(built["method"], np.where(is_fake, "unknown", REAL))
    built["split"] = _where_empty(built["split"], np.full(len(is_fake), TEST))
    built["groups"] = _where_empty(built["groups"], np.full(len(is_fake), "{}"))


def _where_empty(texts: NDArray[np.str_], instead: NDArray[Any]) -> NDArray[Any]:
    filled: NDArray[Any] = np.where(texts == "", instead, texts)
    return filled


def _row_numbers(built: dict[str, NDArray[Any]]) -> NDArray[np.str_]:
    """The number of each row among those of the same detector, set, seed and left-out method."""
    seen: dict[tuple[Any, ...], int] = {}
    numbers = []
    for key in _keys(built, ("detector", "data_set", "seed", "left_out", "split")):
        seen[key] = seen.get(key, -1) + 1
        numbers.append(str(seen[key]))
    return np.array(numbers, np.str_)


def _no_sample_twice(built: Mapping[str, NDArray[Any]], where: str) -> None:
    names = ("detector", "data_set", "seed", "left_out", "trained_on", "split", "sample_id")
    seen: set[tuple[Any, ...]] = set()
    for key in _keys(built, names):
        if key in seen:
            raise UsageError(
                f"{where} scores the sample {key[-1]!r} of {key[1]} twice with {key[0]}.",
                hint="Give each sample one row for a detector and seed.",
            )
        seen.add(key)


def _keys(built: Mapping[str, NDArray[Any]], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(built[name].tolist() for name in names), strict=True))
