"""Calibration: recovers a known truth, keeps its promises, refuses nonsense."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

pytest.importorskip("lir", reason="the extra 'train' is not installed")

from unmask.calibration import Calibration
from unmask.errors import UsageError
from unmask.train.calibrate import (
    Rates,
    calibrate,
    cross_measure,
    fit_curve,
    weights_of,
)
from unmask.train.calibration_scores import Scored
from unmask.types import Label


def scores(
    seed: int = 0, *, shift: float = 2.0, odd_camera: float = 0.0, count: int = 600
) -> Scored:
    """Two normal classes a known distance apart; one set of portraits may score higher."""
    rng = np.random.default_rng(seed)
    kinds = [
        ("films", "untouched", 0, 0.0, count),
        ("films", "found", 1, shift, count),
        ("people", "untouched", 0, odd_camera, count // 2),
        ("people", "self_blending", 1, shift, count // 2),
        ("few", "untouched", 0, 0.0, 20),
    ]
    columns = [
        (y, rng.normal(mean, 1.0), source, method, f"{source}-{i}")
        for source, method, y, mean, n in kinds
        for i in range(n)
    ]
    y_true, score, source, method, group = zip(*columns, strict=True)
    return Scored(
        np.array(y_true), np.array(score), np.array(source), np.array(method), np.array(group)
    )


def test_the_curve_is_the_known_likelihood_ratio() -> None:
    # N(0,1) against N(d,1): ln LR = d x - d^2 / 2.
    curve, _ = fit_curve(scores(count=6000), Rates())
    assert curve.slope == pytest.approx(2 / np.log(10), rel=0.05)
    assert curve.intercept == pytest.approx(-2 / np.log(10), abs=0.06)
    assert curve.lower < -1 < 1 < curve.upper


def test_the_worst_set_sets_the_threshold() -> None:
    scored = scores(odd_camera=0.7)
    curve, notes = fit_curve(scored, Rates(false_alarms=0.02, misses=0.1))
    assert notes["worst_real"] == "people"
    raw = np.array([curve.log10_lr(score) for score in scored.score])
    for source in ("films", "people"):
        real = (scored.y_true == 0) & (scored.source == source)
        assert (raw[real] >= curve.threshold_supported).mean() <= 0.02
    people = (scored.y_true == 0) & (scored.source == "people")
    alarms = [curve.label(value) is Label.MANIPULATION_SUPPORTED for value in raw[people]]
    assert np.mean(alarms) == curve.false_alarm_rate > 0
    assert curve.false_alarm_interval is not None
    low, high = curve.false_alarm_interval
    assert low < curve.false_alarm_rate < high
    for method in ("found", "self_blending"):
        fake = scored.method == method
        assert (raw[fake] <= curve.threshold_none).mean() <= 0.1
    assert curve.threshold_none <= 0 < curve.threshold_supported


def test_numbers_measured_on_the_other_half_are_honest() -> None:
    numbers = cross_measure(scores(count=3000), Rates())
    assert numbers["auc"] == pytest.approx(0.921, abs=0.01)  # Phi(2 / sqrt 2)
    assert numbers["cllr_min"] <= numbers["cllr"] < numbers["cllr_min"] + 0.03
    assert numbers["ece"] < 0.03
    assert numbers["false_alarms_films"] < 0.025
    assert numbers["missed_found"] == pytest.approx(0.1, abs=0.05)


def test_weights_share_the_say_as_stated() -> None:
    scored = scores()
    weights = weights_of(scored)
    assert weights.sum() == pytest.approx(1)
    for label in (0, 1):
        mine = scored.y_true == label
        assert weights[mine].sum() == pytest.approx(0.5)
        assert weights[mine & (scored.source == "films")].sum() == pytest.approx(1 / 3)


def test_the_file_is_read_as_it_was_written() -> None:
    made = calibrate(
        scores(),
        scores(1),
        name="tiny-1",
        detector="unmask-base",
        weights_sha256="0" * 64,
        rates=Rates(),
    )
    read = msgspec.json.decode(msgspec.json.encode(made), type=Calibration)
    assert read == made
    assert str(read.data["films"]).startswith("Films are simulated")
    assert read.data["image_real_films"] == 600
    assert read.measured["image_cllr"] > 0
    assert made.image != made.film


def test_scores_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="do not rise"):
        fit_curve(scores(shift=-1.0), Rates())
    good = scores()
    with pytest.raises(UsageError, match="both classes"):
        fit_curve(good.where(good.y_true == 0), Rates())
