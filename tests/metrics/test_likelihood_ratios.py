from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from unmask.metrics import cllr, cllr_min, pav_log10_lr

EXACT = 1e-9
SEEDS = range(8)


def cllr_by_definition(y_true, log10_lr):
    fakes = [math.log2(1 + 10**-r) for y, r in zip(y_true, log10_lr, strict=True) if y == 1]
    reals = [math.log2(1 + 10**r) for y, r in zip(y_true, log10_lr, strict=True) if y == 0]
    return (sum(fakes) / len(fakes) + sum(reals) / len(reals)) / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_cllr_by_its_definition(draw, seed):
    y_true, ratios = draw(seed, 200)
    assert cllr(y_true, ratios) == pytest.approx(cllr_by_definition(y_true, ratios), abs=EXACT)


def test_cllr_landmarks():
    assert cllr([0, 1], [0, 0]) == pytest.approx(1, abs=EXACT)
    assert cllr([0, 1], [-math.inf, math.inf]) == 0
    assert cllr([0, 1], [math.inf, math.inf]) == math.inf
    assert cllr([0, 1], [2, -2]) > 6  # confidently wrong is worse than silent


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [4, 90, 600])
def test_pav_agrees_with_isotonic_regression(draw, seed, n):
    y_true, y_score = draw(seed, n)
    posterior = IsotonicRegression(y_min=0, y_max=1).fit_transform(y_score, y_true)
    odds = y_true.sum() / (1 - y_true).sum()
    # from our ratios back to posteriors: finite also where the ratio is not
    ours = 1 / (1 + 1 / (odds * 10.0 ** pav_log10_lr(y_true, y_score)).clip(1e-300, 1e300))
    np.testing.assert_allclose(ours, posterior, atol=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
def test_cllr_min_agrees_with_isotonic_regression(draw, seed):
    y_true, y_score = draw(seed, 300)
    posterior = IsotonicRegression().fit_transform(y_score, y_true)
    odds = y_true.sum() / (1 - y_true).sum()
    # a pool of one class costs that class nothing
    fakes = [math.log2(1 + odds * (1 - p) / p) for p in posterior[y_true == 1]]
    reals = [math.log2(1 + p / (1 - p) / odds) for p in posterior[y_true == 0]]
    expected = (np.mean(fakes) + np.mean(reals)) / 2
    assert cllr_min(y_true, y_score) == pytest.approx(expected, abs=EXACT)


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(-6, 6)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_no_rising_map_beats_cllr_min(rows):
    y_true, score = (np.array(column) for column in zip(*rows, strict=True))
    least = cllr_min(y_true, score)
    assert 0 <= least <= 1 + EXACT
    for scale, shift in [(0.1, 0), (0.5, 0.3), (1, -0.7), (2, 0)]:
        assert least <= cllr(y_true, scale * score + shift) + EXACT
    assert cllr_min(y_true, 3.0 * score + 2) == pytest.approx(least, abs=EXACT)


def test_pav_is_rising_and_blind_to_order(draw):
    y_true, y_score = draw(3, 250)
    ratios = pav_log10_lr(y_true, y_score)
    order = np.argsort(y_score, kind="stable")
    steps = ratios[order]
    assert (steps[1:] >= steps[:-1]).all()
    np.testing.assert_array_equal(pav_log10_lr(y_true[order], y_score[order]), steps)


def test_one_class_has_no_ratio():
    with pytest.raises(ValueError, match="one class"):
        cllr([1, 1], [0.3, 0.2])
