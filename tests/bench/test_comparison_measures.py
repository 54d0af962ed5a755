from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from unmask import metrics
from unmask.bench.comparison import resampling
from unmask.bench.comparison.measures import SEED, eer_threshold, measure


@pytest.fixture
def sample():
    """300 scores with ties, twice as many fakes as reals, three samples a source."""
    rng = np.random.default_rng(5)
    y_true = (np.arange(300) % 3 > 0).astype(np.int8)
    logit = np.round(rng.normal(size=300) + 0.9 * y_true, 1)
    source_id = np.array([f"s{i // 3}" for i in range(300)])
    return y_true, logit, source_id


def test_values_are_scikit_learns(sample):
    y_true, logit, source_id = sample
    cell = measure(y_true, logit, source_id, thresholds=0.4, resamples=5)
    halves = metrics.prior_weights(y_true)
    probability = 1 / (1 + np.exp(-logit))
    called = logit >= 0.4
    fpr, tpr, _ = sk.roc_curve(y_true, logit, drop_intermediate=False)
    expected = {
        "auc": sk.roc_auc_score(y_true, logit),
        "accuracy": sk.accuracy_score(y_true, called),
        "balanced_accuracy": sk.balanced_accuracy_score(y_true, called),
        "hits": sk.recall_score(y_true, called),
        "false_alarms": 1 - sk.recall_score(y_true, called, pos_label=0),
        "tpr_at_fpr_1": tpr[fpr <= 0.01].max(),
        "tpr_at_fpr_01": tpr[fpr <= 0.001].max(),
        "log_loss": sk.log_loss(y_true, probability, sample_weight=halves),
        "brier": sk.brier_score_loss(y_true, probability, sample_weight=halves),
        "eer": metrics.equal_error_rate(y_true, logit),
        "ece": metrics.expected_calibration_error(y_true, probability, sample_weight=halves),
        "cllr": metrics.cllr(y_true, logit / np.log(10)),
    }
    assert set(expected) == set(cell.measures)
    for key, value in expected.items():
        assert cell[key].value == pytest.approx(value, abs=1e-9), key


@pytest.mark.parametrize(
    ("key", "metric"),
    [
        ("auc", metrics.roc_auc_score),
        ("eer", metrics.equal_error_rate),
        ("tpr_at_fpr_1", lambda y, s: metrics.tpr_at_fpr(y, s, 0.01)),
        ("accuracy", lambda y, s: metrics.accuracy_at(y, s, 0.0)),
        ("cllr", lambda y, s: metrics.cllr(y, s / np.log(10))),
    ],
)
def test_intervals_are_those_of_drawing_sources_one_by_one(sample, key, metric):
    y_true, logit, source_id = sample
    expected = metrics.bootstrap_interval(metric, y_true, logit, source_id, n=60, seed=SEED)
    found = measure(y_true, logit, source_id, resamples=60)[key]
    assert (found.value, found.low, found.high) == pytest.approx(expected[:3], abs=1e-9)


def test_chunks_change_nothing(sample):
    source_id = sample[2]
    whole = np.concatenate(list(resampling.weight_chunks(source_id, n=10, seed=1)))
    parts = np.concatenate(list(resampling.weight_chunks(source_id, n=10, seed=1, chunk=900)))
    assert np.array_equal(whole, parts)
    assert (whole.sum(axis=1) == 300).all()


def test_several_seeds_are_averaged_and_their_spread_is_told(sample):
    y_true, logit, source_id = sample
    other = logit[::-1].copy()
    both = measure(y_true, np.stack([logit, other]), source_id, resamples=20)
    one, two = (metrics.roc_auc_score(y_true, s) for s in (logit, other))
    assert both["auc"].value == pytest.approx((one + two) / 2, abs=1e-12)
    assert both["auc"].seed_sd == pytest.approx(np.std([one, two], ddof=1), abs=1e-12)
    assert both.counts.seeds == 2


def test_too_few_of_a_class_is_said_instead_of_a_number(sample):
    y_true, logit, source_id = sample
    few = np.concatenate([np.flatnonzero(y_true == 0)[:5], np.flatnonzero(y_true == 1)])
    cell = measure(y_true[few], logit[few], source_id[few], resamples=20)
    assert cell["auc"].value is None
    assert cell["auc"].note == "too few: 5 real, 200 fake"
    assert cell["false_alarms"].value is None
    assert cell["hits"].value == pytest.approx((logit[y_true == 1] >= 0).mean())


def test_too_few_sources_say_so(sample):
    y_true, logit, _ = sample
    cell = measure(y_true, logit, np.full(300, "one"), resamples=20)
    assert cell["auc"].note == "too few sources: 1"


def test_a_low_rate_without_enough_reals_is_noted(sample):
    cell = measure(*sample, resamples=20)
    assert "100 reals cannot show 0.1 %" in cell["tpr_at_fpr_01"].note
    assert cell["tpr_at_fpr_1"].note == ""


def test_samples_without_a_score_are_left_out_and_counted(sample):
    y_true, logit, source_id = sample
    logit[:7] = np.nan
    cell = measure(y_true, logit, source_id, resamples=20)
    assert cell.counts.unscored == 7
    assert "7 samples" in cell.notes[0]
    assert cell["auc"].value == pytest.approx(sk.roc_auc_score(y_true[7:], logit[7:]), abs=1e-9)


def test_reversed_labels_are_noticed(sample):
    y_true, logit, source_id = sample
    cell = measure(1 - y_true, logit, source_id, resamples=50)
    assert "reversed" in cell.notes[0]


def test_the_threshold_balances_both_errors():
    y_true = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.int8)
    logit = np.array([0.0, 1.0, 2.0, 5.0, 3.0, 6.0, 7.0, 8.0])
    threshold = eer_threshold(y_true, logit)
    assert threshold == pytest.approx(4.0)
    assert (logit[4:] < threshold).mean() == (logit[:4] >= threshold).mean() == 0.25
