"""How far a number could have come out otherwise, had other source videos been drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unmask.metrics._arrays import labels_and_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Metric = Callable[["NDArray[np.int64]", "NDArray[np.float64]"], float]


class BootstrapInterval(NamedTuple):
    """A number with its interval.

    Attributes:
        value: The metric on all samples.
        low: Lower end of the interval.
        high: Upper end of the interval.
        resamples: How many resamples it rests on, after those with one class were dropped.
    """

    value: float
    low: float
    high: float
    resamples: int


def bootstrap_interval(
    metric: Metric,
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapInterval:
    """Percentile interval of a metric, resampling whole groups with replacement.

    Frames and forgeries of one source video are not independent; drawing samples one by one would
    make the interval too narrow. So groups are drawn, and every sample of a drawn group comes
    along as often as its group was drawn.

    Args:
        metric: Called as ``metric(y_true, y_score)``.
        y_true: (N,) 1 = manipulated, 0 = untouched.
        y_score: (N,) scores, probabilities or ratios: whatever the metric takes.
        groups: (N,) id of the source video of each sample; None: every sample is its own.
        n: Resamples to draw.
        seed: Seed of the draw; the same seed gives the same interval.
        level: Share of resamples inside the interval.

    Returns:
        Value, interval and the resamples used. Where the samples hold both classes, a resample
        with only one is dropped; where they hold one, nothing is.

    Raises:
        ValueError: Shapes differ, ``level`` is not between 0 and 1, ``n`` is below 1, or no
            resample held both classes.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3; groups as in
        Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    is_fake, scores = labels_and_scores(y_true, y_score, both_classes=False)
    labels = is_fake.astype(np.int64)
    if n < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"n is {n}, level {level}; expected n >= 1 and a level between 0 and 1")
    members = _members(groups, labels.size)
    two_classes = labels.min() != labels.max()
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n):
        drawn = rng.integers(len(members), size=len(members))
        index = np.concatenate([members[group] for group in drawn])
        if two_classes and labels[index].min() == labels[index].max():
            continue
        values.append(metric(labels[index], scores[index]))
    if not values:
        raise ValueError("no resample held both classes; there are too few groups")
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return BootstrapInterval(metric(labels, scores), float(low), float(high), len(values))


def _members(groups: ArrayLike | None, count: int) -> list[NDArray[np.intp]]:
    """The indices of the samples of each group."""
    if groups is None:
        return [np.array([index]) for index in range(count)]
    ids = np.asarray(groups)
    if ids.shape != (count,):
        raise ValueError(f"groups has shape {ids.shape} for {count} samples; expected ({count},)")
    _, inverse, sizes = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.cumsum(sizes)[:-1])
