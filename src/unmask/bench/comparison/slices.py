"""Groups of samples that a table looks at one by one: pose, size, sharpness, method and more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.comparison import resampling
from unmask.bench.comparison.measures import (
    LEAST_OF_A_CLASS,
    LEAST_SOURCES,
    LEVEL,
    RESAMPLES,
    SEED,
    Measure,
)
from unmask.bench.comparison.scores import REAL
from unmask.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.comparison.entries import Entry
    from unmask.bench.comparison.scores import ScoreTable

    Rows = NDArray[np.bool_]

POSE, SIZE, SHARPNESS = "head pose", "face size", "sharpness"
_YAW_DEG = (15.0, 30.0)
_FACE_PX = (80.0, 128.0, 200.0)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Some samples of a table.

    Attributes:
        by: What they are chosen by (``head pose``).
        name: Which of them (``turned, over 30 degrees``).
        rows: (N,) the chosen samples.
        ordered: Whether the slices of this kind have an order, so that the ends can be compared.
    """

    by: str
    name: str
    rows: Rows
    ordered: bool = False


def slices(samples: ScoreTable) -> list[Slice]:
    """All slices that the samples' columns allow, in a fixed order.

    The sharpness of a face has no unit to cut by, so it is cut at the set's own thirds.
    """
    found = _ranges(POSE, np.abs(samples.yaw_deg), _YAW_DEG, _yaw_names())
    found += _ranges(SIZE, samples.face_px, _FACE_PX, _size_names())
    found += _thirds(samples.sharpness)
    found += _texts("compression", samples.compression)
    found += _methods(samples)
    found += _groups(samples.groups)
    # A kind with one slice that holds everything tells nothing new.
    return [one for one in found if not one.rows.all()]


def auc_difference(entry: Entry, low: Rows, high: Rows, *, resamples: int = RESAMPLES) -> Measure:
    """AUC on the samples ``high`` minus that on ``low``, with an interval over sources.

    Both are recomputed on each resample of all sources, so that what they share cancels.
    """
    usable = ~np.isnan(entry.logits).any(axis=0)
    is_fake = entry.samples.y_true.astype(bool)
    either = (low | high) & usable
    for rows in (low & usable, high & usable):
        least = min(int((is_fake & rows).sum()), int((~is_fake & rows).sum()))
        if least < LEAST_OF_A_CLASS or len(np.unique(entry.sources[rows])) < LEAST_SOURCES:
            return Measure(None, note="too few")
    parts = [rows[either] for rows in (low & usable, high & usable)]
    fakes, logits = is_fake[either], entry.logits[:, either]
    value = _difference(fakes, logits, parts, np.ones((1, len(fakes))))[0]
    drawn = [
        _difference(fakes, logits, parts, weights[_both(fakes, parts, weights)])
        for weights in resampling.weight_chunks(entry.sources[either], n=resamples, seed=SEED)
    ]
    tail = (1.0 - LEVEL) / 2.0
    below, above = np.quantile(np.concatenate(drawn), (tail, 1.0 - tail))
    return Measure(float(value), float(below), float(above))


def _difference(
    fakes: Rows, logits: NDArray[np.float64], parts: list[Rows], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    areas = [
        np.mean(
            [
                resampling.areas(resampling.curves(fakes[part], row[part], weights[:, part]))
                for row in logits
            ],
            axis=0,
        )
        for part in parts
    ]
    difference: NDArray[np.float64] = areas[1] - areas[0]
    return difference


def _both(fakes: Rows, parts: list[Rows], weights: NDArray[np.float64]) -> Rows:
    """Resamples in which both parts hold both classes."""
    holds = np.ones(len(weights), bool)
    for part in parts:
        for label in (True, False):
            holds &= weights[:, part & (fakes == label)].sum(axis=1) > 0
    return holds


def _yaw_names() -> list[str]:
    return ["frontal, under 15°", "15° to 30°", "turned, 30° and more"]


def _size_names() -> list[str]:
    low, middle, high = (f"{edge:.0f}" for edge in _FACE_PX)
    return [f"under {low} px", f"{low} to {middle} px", f"{middle} to {high} px",
            f"{high} px and more"]  # fmt: skip


def _ranges(
    by: str, values: NDArray[np.float64], edges: tuple[float, ...], names: list[str]
) -> list[Slice]:
    known = ~np.isnan(values)
    place = np.digitize(values, edges)
    found = [Slice(by, name, known & (place == i), True) for i, name in enumerate(names)]
    return [one for one in found if one.rows.any()]


def _thirds(values: NDArray[np.float64]) -> list[Slice]:
    known = values[~np.isnan(values)]
    if len(np.unique(known)) < 3:
        return []
    low, high = np.quantile(known, (1 / 3, 2 / 3))
    names = [f"blurred third, under {low:.0f}", "middle third", f"sharp third, {high:.0f} and more"]
    return _ranges(SHARPNESS, values, (float(low), float(high)), names)


def _texts(by: str, values: NDArray[np.str_]) -> list[Slice]:
    return [Slice(by, name, values == name) for name in sorted(set(values.tolist())) if name]


def _methods(samples: ScoreTable) -> list[Slice]:
    """Fakes of each method against all reals."""
    reals = samples.y_true == 0
    methods = sorted(set(samples.method[~reals].tolist()) - {REAL, "unknown"})
    return [Slice("method", name, reals | (samples.method == name)) for name in methods]


def _groups(texts: NDArray[np.str_]) -> list[Slice]:
    values: dict[tuple[str, str], Rows] = {}
    for text in dict.fromkeys(texts.tolist()):
        for name, value in sorted(_labels(text).items()):
            rows = values.setdefault((name, value), np.zeros(len(texts), bool))
            rows |= texts == text
    return [Slice(name, value, rows) for (name, value), rows in sorted(values.items())]


def _labels(text: str) -> dict[str, str]:
    try:
        labels = json.loads(text)
    except json.JSONDecodeError:
        labels = None
    if not isinstance(labels, dict):
        raise UsageError(
            f"groups holds {text[:60]!r}; expected a JSON object.",
            hint='Write group labels like {"gender": "f"}, and {} where there are none.',
        )
    return {str(name): str(value) for name, value in labels.items()}
