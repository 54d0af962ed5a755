"""What every metric asks of its arguments, checked in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def labels_and_scores(
    y_true: ArrayLike, y_score: ArrayLike, *, both_classes: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as bool and scores as float64, both (N,).

    Raises:
        ValueError: The shapes differ or are not (N,); a label is neither 0 nor 1; a score is not
            a number; there is nothing; or a class is missing where both are needed.
    """
    scores = vector(y_score, "y_score")
    labels = np.asarray(y_true)
    if labels.shape != scores.shape:
        raise ValueError(f"y_true has shape {labels.shape}, y_score {scores.shape}; expected equal")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("y_true holds something else than 0 (untouched) and 1 (manipulated)")
    is_fake = labels.astype(bool)
    if both_classes and (is_fake.all() or not is_fake.any()):
        raise ValueError("y_true holds one class only; this metric compares the two")
    return is_fake, scores


def vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return (N,) float64 without NaN, N at least 1; infinities may stand.

    Raises:
        ValueError: It is something else; the message calls it ``name``.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected (N,) with N at least 1")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN; leave samples without a score out, and say so")
    return array


def weights_for(sample_weight: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """Return (N,) weights that sum to 1; equal ones where none are given.

    Raises:
        ValueError: Wrong length, a negative or infinite weight, or all zero.
    """
    if sample_weight is None:
        return np.full(count, 1.0 / count)
    weights = vector(sample_weight, "sample_weight")
    if weights.size != count:
        raise ValueError(f"sample_weight has {weights.size} values for {count} samples")
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise ValueError("sample_weight must be finite, not negative, and not all zero")
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised
