from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from unmask.metrics import (
    accuracy_at,
    equal_error_rate,
    pair_order_share,
    roc_auc_score,
    roc_curve,
    tpr_at_fpr,
)

SEEDS = range(8)
EXACT = 1e-9

# Few distinct values, so that ties and equal classes come up all the time.
samples = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-4, 4).map(float)), min_size=2, max_size=40
).filter(lambda rows: len({label for label, _ in rows}) == 2)


def split(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [2, 5, 60, 700])
def test_roc_agrees_with_scikit_learn(draw, seed, n):
    y_true, y_score = draw(seed, n)
    for ours, theirs in zip(
        roc_curve(y_true, y_score),
        reference.roc_curve(y_true, y_score, drop_intermediate=False),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=EXACT)
    expected = reference.roc_auc_score(y_true, y_score)
    assert roc_auc_score(y_true, y_score) == pytest.approx(expected, abs=EXACT)


@given(samples)
def test_auc_is_the_share_of_ordered_pairs(rows):
    y_true, y_score = split(rows)
    pairs = [(f, r) for f in y_score[y_true == 1] for r in y_score[y_true == 0]]
    fakes, reals = zip(*pairs, strict=True)
    assert roc_auc_score(y_true, y_score) == pytest.approx(
        pair_order_share(fakes, reals), abs=EXACT
    )


@given(samples)
def test_auc_depends_on_order_alone(rows):
    y_true, y_score = split(rows)
    auc = roc_auc_score(y_true, y_score)
    assert roc_auc_score(y_true, np.exp(y_score)) == pytest.approx(auc, abs=EXACT)
    assert roc_auc_score(y_true, -y_score) == pytest.approx(1 - auc, abs=EXACT)
    assert roc_auc_score(y_true[::-1], y_score[::-1]) == pytest.approx(auc, abs=EXACT)


@given(samples)
def test_equal_error_rate_by_bisection(rows):
    y_true, y_score = split(rows)
    fpr, tpr, _ = roc_curve(y_true, y_score)
    at = np.arange(len(fpr), dtype=float)
    low, high = 0.0, float(len(fpr) - 1)
    for _ in range(80):  # the position along the curve at which fpr = 1 - tpr
        middle = (low + high) / 2
        if np.interp(middle, at, fpr) + np.interp(middle, at, tpr) < 1:
            low = middle
        else:
            high = middle
    assert equal_error_rate(y_true, y_score) == pytest.approx(np.interp(high, at, fpr), abs=EXACT)


@pytest.mark.parametrize(
    ("y_true", "y_score", "expected"),
    [
        ([0, 0, 1, 1], [1, 2, 3, 4], 0.0),
        ([1, 1, 0, 0], [1, 2, 3, 4], 1.0),
        ([0, 1, 0, 1], [5, 5, 5, 5], 0.5),
        ([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 5, 4, 6, 7, 8], 0.25),
    ],
)
def test_equal_error_rate_known(y_true, y_score, expected):
    assert equal_error_rate(y_true, y_score) == pytest.approx(expected, abs=EXACT)


@given(samples, st.floats(0, 1))
def test_tpr_at_fpr_by_trying_every_threshold(rows, max_fpr):
    y_true, y_score = split(rows)
    best = 0.0
    for threshold in [*np.unique(y_score), np.inf]:
        called = y_score >= threshold
        if called[y_true == 0].mean() <= max_fpr:
            best = max(best, called[y_true == 1].mean())
    assert tpr_at_fpr(y_true, y_score, max_fpr) == pytest.approx(best, abs=EXACT)


def test_tpr_at_fpr_refuses_a_percentage():
    with pytest.raises(ValueError, match=r"rate in 0\.\.1"):
        tpr_at_fpr([0, 1], [0, 1], 10)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_agrees_with_scikit_learn(draw, seed):
    y_true, y_score = draw(seed, 300)
    for threshold in (-0.5, 0.6, math.inf):
        expected = reference.accuracy_score(y_true, y_score >= threshold)
        assert accuracy_at(y_true, y_score, threshold) == pytest.approx(expected, abs=EXACT)


def test_pair_order_share_counts_a_tie_half():
    assert pair_order_share([3, 2, 1, 5], [1, 2, 4, 4]) == pytest.approx((1 + 0.5 + 0 + 1) / 4)


@pytest.mark.parametrize(
    ("y_true", "y_score", "match"),
    [
        ([0, 1], [0.1], "shape"),
        ([], [], "at least 1"),
        ([1, 1], [0.1, 0.2], "one class"),
        ([0, 2], [0.1, 0.2], "something else"),
        ([0, 1], [0.1, math.nan], "NaN"),
        ([[0, 1]], [[0.1, 0.2]], "shape"),
    ],
)
def test_what_cannot_be_ranked_is_refused(y_true, y_score, match):
    with pytest.raises(ValueError, match=match):
        roc_auc_score(y_true, y_score)


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="expected pairs"):
        pair_order_share([1, 2, 3], [1, 2])
