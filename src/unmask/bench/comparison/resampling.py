"""All metrics of many bootstrap resamples at once.

A resample of whole sources is a weight for every sample: how often its source was drawn. Sorting
once and summing weights along the order gives every resample's curve, so that a thousand
resamples of a thousand samples take milliseconds. Draws and values are those of
:func:`unmask.metrics.bootstrap_interval` with the same seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ECE_BINS = 10
# Entries of one weight matrix: 32 MB of float64.
_CHUNK = 4_000_000


def weight_chunks(
    source_id: NDArray[np.str_], *, n: int, seed: int, chunk: int = _CHUNK
) -> Iterator[Floats]:
    """Weights of ``n`` resamples over N samples, as (r, N) arrays of bounded size.

    Args:
        source_id: (N,) what is drawn as a whole.
        n: Resamples.
        seed: Of the draw.
        chunk: Most entries of an array.
    """
    sources, inverse = np.unique(source_id, return_inverse=True)
    rng = np.random.default_rng(seed)
    rows = max(1, chunk // max(1, len(source_id)))
    for start in range(0, n, rows):
        counts = [
            np.bincount(rng.integers(len(sources), size=len(sources)), minlength=len(sources))
            for _ in range(min(rows, n - start))
        ]
        yield np.array(counts, np.float64)[:, inverse]


class Curves(NamedTuple):
    """ROC curves of R weightings: false- and true-positive rates, each (R, K + 1)."""

    fpr: Floats
    tpr: Floats


def curves(is_fake: NDArray[np.bool_], logit: Floats, weights: Floats) -> Curves:
    """ROC curves of one score under R weightings that leave both classes something.

    Args:
        is_fake: (N,).
        logit: (N,) rises with suspicion.
        weights: (R, N), not negative.

    Source:
        As :func:`unmask.metrics.roc_curve`, each sample counted as often as its weight says.
    """
    order = np.argsort(-logit, kind="stable")
    ranked, fakes = logit[order], is_fake[order]
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    sorted_weights = weights[:, order]
    hits = np.cumsum(sorted_weights * fakes, axis=1)[:, last_of_ties]
    alarms = np.cumsum(sorted_weights * ~fakes, axis=1)[:, last_of_ties]
    nothing = np.zeros((len(weights), 1))
    return Curves(
        np.hstack([nothing, alarms / alarms[:, -1:]]), np.hstack([nothing, hits / hits[:, -1:]])
    )


def areas(roc: Curves) -> Floats:
    """(R,) areas under the curves."""
    rising = roc.tpr[:, 1:] + roc.tpr[:, :-1]
    found: Floats = np.sum(np.diff(roc.fpr, axis=1) * rising, axis=1) / 2
    return found


def equal_error_rates(roc: Curves) -> Floats:
    """(R,) equal error rates, as :func:`unmask.metrics.equal_error_rate`."""
    excess = roc.tpr + roc.fpr - 1.0
    right = np.argmax(excess >= 0.0, axis=1)[:, None]
    left = right - 1

    def at(values: Floats, place: NDArray[np.intp]) -> Floats:
        return np.take_along_axis(values, place, axis=1)[:, 0]

    share = -at(excess, left) / (at(excess, right) - at(excess, left))
    return at(roc.fpr, left) + share * (at(roc.fpr, right) - at(roc.fpr, left))


def hits_at(roc: Curves, max_fpr: float) -> Floats:
    """(R,) true-positive rates at a false-positive rate of at most ``max_fpr``."""
    best: Floats = np.where(roc.fpr <= max_fpr, roc.tpr, 0.0).max(axis=1)
    return best


def shares(event: NDArray[np.bool_], weights: Floats) -> Floats:
    """(R,) weighted share of the samples for which ``event`` (N,) holds."""
    share: Floats = weights @ event.astype(np.float64) / weights.sum(axis=1)
    return share


def class_halves(is_fake: NDArray[np.bool_], weights: Floats) -> Floats:
    """(R, N) weights rescaled so that each class weighs one half."""
    fakes, reals = weights * is_fake, weights * ~is_fake
    halved: Floats = 0.5 * (
        fakes / fakes.sum(axis=1, keepdims=True) + reals / reals.sum(axis=1, keepdims=True)
    )
    return halved


def calibration_errors(is_fake: NDArray[np.bool_], probability: Floats, halves: Floats) -> Floats:
    """(R,) expected calibration errors over bins of equal width.

    Source:
        As :func:`unmask.metrics.expected_calibration_error`: a bin's mass times the distance of
        its means is the distance of its weighted sums.
    """
    edges = np.linspace(0.0, 1.0, ECE_BINS + 1)
    index = np.searchsorted(edges[1:-1], probability, side="left")
    bins = np.eye(ECE_BINS)[index]
    gap = probability - is_fake
    found: Floats = np.abs(halves @ (bins * gap[:, None])).sum(axis=1)
    return found
