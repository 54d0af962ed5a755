from __future__ import annotations

import numpy as np
import pytest

from unmask.metrics import bootstrap_interval, roc_auc_score


def share(_, y_score):
    return float(np.mean(y_score))


def test_mean_of_independent_samples_has_the_textbook_width():
    rng = np.random.default_rng(0)
    outcomes = (rng.random(2000) < 0.3).astype(float)
    found = bootstrap_interval(share, np.zeros(2000, int), outcomes, n=2000, seed=1)
    half = 1.96 * np.sqrt(found.value * (1 - found.value) / 2000)
    assert found.value == pytest.approx(outcomes.mean())
    assert found.low == pytest.approx(found.value - half, rel=0.02)
    assert found.high == pytest.approx(found.value + half, rel=0.02)
    assert found.resamples == 2000


def test_copies_of_one_video_do_not_narrow_the_interval():
    rng = np.random.default_rng(2)
    once = rng.normal(size=100)
    groups = np.arange(100)
    alone = bootstrap_interval(share, np.zeros(100, int), once, groups, seed=3)
    copied = bootstrap_interval(
        share, np.zeros(900, int), np.repeat(once, 9), np.repeat(groups, 9), seed=3
    )
    blind = bootstrap_interval(share, np.zeros(900, int), np.repeat(once, 9), seed=3)
    assert copied.low == pytest.approx(alone.low)
    assert copied.high == pytest.approx(alone.high)
    assert blind.high - blind.low < 0.5 * (copied.high - copied.low)


def test_groups_come_along_whole():
    groups = np.array(["a", "a", "b", "b", "b", "c"])
    seen = []

    def note(_, y_score):
        seen.append(np.bincount(y_score.astype(int), minlength=6))
        return 0.0

    bootstrap_interval(note, np.zeros(6, int), np.arange(6.0), groups, n=50)
    for counts in seen:
        assert counts[0] == counts[1]
        assert counts[2] == counts[3] == counts[4]
        assert (counts[0] > 0) + (counts[2] > 0) + (counts[5] > 0) >= 1
    assert len({tuple(counts) for counts in seen}) > 3


def test_resamples_with_one_class_are_dropped():
    y_true, y_score = np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.5, 0.4])
    found = bootstrap_interval(roc_auc_score, y_true, y_score, n=500, seed=0)
    missed = 500 - found.resamples
    assert missed == pytest.approx(500 * 0.75**4, rel=0.2)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_one_class_throughout_is_no_reason_to_drop():
    found = bootstrap_interval(share, np.zeros(5, int), np.arange(5.0), n=40)
    assert found.resamples == 40


def test_same_seed_same_interval(draw):
    y_true, y_score = draw(0, 80)
    first = bootstrap_interval(roc_auc_score, y_true, y_score, seed=5, n=100)
    assert first == bootstrap_interval(roc_auc_score, y_true, y_score, seed=5, n=100)
    assert first != bootstrap_interval(roc_auc_score, y_true, y_score, seed=6, n=100)


@pytest.mark.parametrize("settings", [{"n": 0}, {"level": 1.0}, {"groups": [1, 2]}])
def test_what_is_refused(settings):
    with pytest.raises(ValueError, match="expected"):
        bootstrap_interval(share, [0, 1, 1], [0.1, 0.2, 0.3], **settings)
