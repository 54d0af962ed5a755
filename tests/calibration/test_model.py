"""From score to likelihood ratio to label, and files that contradict themselves."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from unmask import calibration
from unmask.calibration import Calibration, Curve, load_calibration
from unmask.detectors import DETECTORS
from unmask.errors import ModelUnavailable
from unmask.types import Label

PLAIN = {
    "slope": 0.8,
    "intercept": -0.2,
    "lower": -1.5,
    "upper": 2.5,
    "threshold_supported": 1.0,
    "threshold_none": -0.3,
    "false_alarm_rate": 0.01,
}


def curve(**changed: float) -> Curve:
    return Curve(**{**PLAIN, **changed})


def test_the_ratio_is_a_straight_line_within_its_bounds() -> None:
    scores = np.linspace(-10, 10, 201)
    expected = np.clip(0.8 * scores - 0.2, -1.5, 2.5)
    assert [curve().log10_lr(float(score)) for score in scores] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("log10_lr", "label"),
    [
        (2.5, Label.MANIPULATION_SUPPORTED),
        (1.0, Label.MANIPULATION_SUPPORTED),
        (0.999, Label.INCONCLUSIVE),
        (0.0, Label.INCONCLUSIVE),
        (-0.299, Label.INCONCLUSIVE),
        (-0.3, Label.NO_MANIPULATION_FOUND),
        (-1.5, Label.NO_MANIPULATION_FOUND),
    ],
)
def test_labels_change_at_the_thresholds_and_abstain_between(log10_lr: float, label) -> None:
    assert curve().label(log10_lr) is label


@pytest.mark.parametrize("log10_lr", [-1.5, -0.3, 0.0, 1.0, 2.5])
def test_the_score_of_a_ratio_leads_back_to_it(log10_lr: float) -> None:
    score = curve().score_at(log10_lr)
    assert score is not None
    assert curve().log10_lr(score) == pytest.approx(log10_lr)
    assert score == pytest.approx((log10_lr + 0.2) / 0.8)


@pytest.mark.parametrize("log10_lr", [-1.51, 2.51])
def test_no_score_reaches_a_ratio_beyond_the_bounds(log10_lr: float) -> None:
    assert curve().score_at(log10_lr) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"slope": 0.0},
        {"slope": -1.0},
        {"lower": 2.5},
        {"lower": 3.0},
        {"threshold_none": 1.0},
        {"threshold_none": 1.5},
        {"slope": "steep"},
    ],
)
def test_a_curve_that_contradicts_itself_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**PLAIN, **changed}, Curve)


def test_films_and_pictures_have_curves_of_their_own() -> None:
    made = Calibration(
        id="x", detector="d", weights_sha256="0" * 64, made="2026-01-01",
        image=curve(slope=1.0), film=curve(slope=2.0), data={},
    )  # fmt: skip
    assert made.curve(film=False).slope == 1.0
    assert made.curve(film=True).slope == 2.0


# ------------------------------------------------------------- those of the package


@pytest.mark.parametrize("detector", list(DETECTORS), ids=lambda one: one.spec.id)
def test_each_detector_has_a_calibration_of_its_own_weights(detector) -> None:
    made = load_calibration(detector.spec.calibration_id)
    assert made.id == detector.spec.calibration_id
    assert made.detector == detector.spec.id
    assert made.weights_sha256 == detector.spec.weights_sha256
    for one in (made.image, made.film):
        # Outside the bounds a threshold could never be reached.
        assert one.lower < one.threshold_none < one.threshold_supported < one.upper
        assert one.score_at(one.threshold_supported) is not None
        assert 0.0 <= one.false_alarm_rate <= 0.2
        if one.false_alarm_interval is not None:
            low, high = one.false_alarm_interval
            assert 0.0 <= low <= one.false_alarm_rate <= high <= 1.0


def test_a_calibration_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelUnavailable, match=r"unmask-nothing-1\.json") as caught:
        load_calibration("unmask-nothing-1")
    assert "Install Unmask again" in caught.value.hint


@pytest.mark.parametrize("change", ["not json", "a key is missing", "thresholds swapped"])
def test_a_damaged_file_is_told(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {
        "id": "bad-1", "detector": "d", "weights_sha256": "0" * 64, "made": "2026-01-01",
        "image": dict(PLAIN), "film": dict(PLAIN), "data": {},
    }  # fmt: skip
    if change == "a key is missing":
        del whole["film"]
    if change == "thresholds swapped":
        whole["image"]["threshold_none"] = 2.0
    (tmp_path / "data").mkdir()
    text = json.dumps(whole) if change != "not json" else "{"
    (tmp_path / "data" / "bad-1.json").write_text(text)
    monkeypatch.setattr(calibration.model, "files", lambda _: tmp_path)
    with pytest.raises(ModelUnavailable, match=r"bad-1\.json cannot be read"):
        load_calibration("bad-1")
