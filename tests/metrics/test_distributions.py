"""Distances of feature sets whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.metrics.distributions import cosine_similarity, frechet_distance, principal_axes


def whitened(rows: int, width: int, seed: int) -> np.ndarray:
    """Rows whose sample mean is exactly zero and whose sample covariance is exactly one."""
    raw = np.random.default_rng(seed).normal(size=(rows, width))
    raw -= raw.mean(0)
    left, _, _ = np.linalg.svd(raw, full_matrices=False)
    return left * np.sqrt(rows - 1)


def test_gaussians_of_known_distance() -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2 where the axes agree."""
    base = whitened(60, 3, 1)
    other = whitened(50, 3, 2) * [2.0, 3.0, 0.5] + [1.0, 0.0, -2.0]
    assert frechet_distance(base, other) == pytest.approx(1 + 4 + 1 + 4 + 0.25)
    assert frechet_distance(base, base) == pytest.approx(0, abs=1e-9)


def test_the_distance_does_not_depend_on_the_axes_or_the_order() -> None:
    rng = np.random.default_rng(5)
    one, other = rng.normal(size=(80, 4)), rng.normal(size=(70, 4)) @ rng.normal(size=(4, 4))
    turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    found = frechet_distance(one, other)
    assert frechet_distance(one @ turn, other @ turn) == pytest.approx(found)
    assert frechet_distance(other, one) == pytest.approx(found)


def test_axes_span_what_varies() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 5)) * [1, 9, 1, 1, 1]
    mean, axes = principal_axes(rows, 2)
    assert mean == pytest.approx(rows.mean(0))
    assert abs(axes[1, 0]) > 0.95
    assert axes.T @ axes == pytest.approx(np.eye(2))
    assert principal_axes(rows[:3], 5)[1].shape == (5, 2)


def test_cosines() -> None:
    found = cosine_similarity([[1, 0], [1, 1], [0, 0]], [[0, 2], [3, 3], [1, 0]])
    assert found == pytest.approx([0, 1, 0])


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="width"):
        frechet_distance(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="at least two"):
        frechet_distance(np.zeros((1, 2)), np.zeros((3, 2)))
