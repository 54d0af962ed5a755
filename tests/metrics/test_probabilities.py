from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from unmask.metrics import (
    brier_loss,
    expected_calibration_error,
    log_loss,
    prior_weights,
    probability_from_log10_lr,
    reliability_curve,
)

EXACT = 1e-9
SEEDS = range(6)


def probabilities(seed, n=400):
    rng = np.random.default_rng(seed)
    y_true = np.append([0, 1], rng.integers(2, size=n - 2))
    y_prob = np.round(np.clip(rng.normal(0.3 + 0.4 * y_true, 0.3), 0, 1), 2)
    return y_true, y_prob, rng.random(n)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_agree_with_scikit_learn(seed, weighted):
    y_true, y_prob, weight = probabilities(seed)
    chosen = weight if weighted else None
    assert log_loss(y_true, y_prob, chosen) == pytest.approx(
        reference.log_loss(y_true, y_prob, sample_weight=chosen), abs=EXACT
    )
    assert brier_loss(y_true, y_prob, chosen) == pytest.approx(
        reference.brier_score_loss(y_true, y_prob, sample_weight=chosen), abs=EXACT
    )


def brute_force_equal_width(y_true, y_prob, bins, weight):
    total = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        inside = (y_prob > low) & (y_prob <= high) | (y_prob == 0) & (index == 0)
        mass = weight[inside].sum()
        if mass:
            gap = np.sum(weight[inside] * (y_prob[inside] - y_true[inside])) / mass
            total += mass * abs(gap)
    return total / weight.sum()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bins", [1, 8, 16])
def test_equal_width_by_its_definition(seed, bins):
    # bins whose edges are exact in binary, so that both ways see the same borders
    y_true, y_prob, weight = probabilities(seed)
    ours = expected_calibration_error(y_true, y_prob, bins=bins, sample_weight=weight)
    assert ours == pytest.approx(brute_force_equal_width(y_true, y_prob, bins, weight), abs=EXACT)


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_mass_without_ties_is_the_sorted_list_cut_in_parts(seed):
    rng = np.random.default_rng(seed)
    y_prob = rng.random(240)
    y_true = (rng.random(240) < y_prob**2).astype(int)
    parts = np.array_split(np.argsort(y_prob), 12)
    expected = np.mean([abs(y_prob[part].mean() - y_true[part].mean()) for part in parts])
    ours = expected_calibration_error(y_true, y_prob, bins=12, binning="equal_mass")
    assert ours == pytest.approx(expected, abs=EXACT)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=40),
       st.integers(1, 8), st.randoms())  # fmt: skip
def test_equal_mass_does_not_depend_on_the_order(rows, bins, shuffler):
    def ece(order):
        labels, fifths = zip(*order, strict=True)
        prob = np.array(fifths) / 5
        return expected_calibration_error(labels, prob, bins=bins, binning="equal_mass")

    before = ece(rows)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    assert ece(shuffled) == pytest.approx(before, abs=EXACT)
    assert 0 <= before <= 1


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_reliability_curve_keeps_the_means(binning):
    y_true, y_prob, weight = probabilities(1)
    curve = reliability_curve(y_true, y_prob, bins=9, binning=binning, sample_weight=weight)
    assert curve.mass.sum() == pytest.approx(1, abs=EXACT)
    assert curve.mass @ curve.said == pytest.approx(np.average(y_prob, weights=weight), abs=EXACT)
    assert curve.mass @ curve.came == pytest.approx(np.average(y_true, weights=weight), abs=EXACT)
    assert (np.diff(curve.said) > 0).all()


def test_true_words_give_a_small_error_and_boasts_a_large_one():
    rng = np.random.default_rng(0)
    y_prob = rng.random(200_000)
    y_true = (rng.random(y_prob.size) < y_prob).astype(int)
    assert expected_calibration_error(y_true, y_prob) < 0.005
    boast = np.where(y_prob > 0.5, 0.99, 0.01)
    assert expected_calibration_error(y_true, boast) == pytest.approx(0.24, abs=0.01)


@given(st.lists(st.floats(-320, 320), min_size=1), st.floats(0.01, 0.99))
def test_bayes_in_odds(ratios, prior):
    posterior = probability_from_log10_lr(ratios, prior)
    expected = [
        1 / (1 + (1 - prior) / prior * 10.0**-r) if abs(r) < 300 else float(r > 0) for r in ratios
    ]
    np.testing.assert_allclose(posterior, expected, atol=EXACT)


def test_infinite_ratios_are_certain():
    np.testing.assert_array_equal(probability_from_log10_lr([-np.inf, 0, np.inf]), [0, 0.5, 1])


def test_prior_weights_balance_an_unequal_set():
    weights = prior_weights([1, 0, 0, 0], prior=0.25)
    np.testing.assert_allclose(weights, [0.25] * 4)
    np.testing.assert_allclose(prior_weights([1, 0, 0, 0]), [0.5, 1 / 6, 1 / 6, 1 / 6])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: brier_loss([0, 1], [0.2, 1.2]), r"leaves 0\.\.1"),
        (lambda: log_loss([0, 1], [0.2, 0.4], [1, -1]), "not negative"),
        (lambda: log_loss([0, 1], [0.2, 0.4], [1]), "1 values for 2"),
        (lambda: expected_calibration_error([0, 1], [0.2, 0.4], bins=0), "at least 1"),
        (lambda: reliability_curve([0, 1], [0.2, 0.4], binning="even"), "equal_mass"),
        (lambda: prior_weights([0, 1], 1.0), "between 0 and 1"),
        (lambda: probability_from_log10_lr([0.0], 0.0), "between 0 and 1"),
    ],
)
def test_what_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
