"""Scanning with a weights file: its crops, its scores, its maps, and no verdict without right."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.calibration import Calibration
from unmask.detectors.views import face_views, to_pixels
from unmask.errors import ModelUnavailable, NotFound, UsageError
from unmask.faces.mesh import upright_region
from unmask.report import json_schema, to_html, to_json
from unmask.scanning.scanner import Scanner
from unmask.types import Label, Report

Maker = Callable[..., Path]


@pytest.fixture(scope="module")
def weights(network_file: Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_file(tmp_path_factory.mktemp("weights") / "plain.onnx")


@pytest.fixture(scope="module")
def plain_scanner(weights: Path, face_models: Path) -> Scanner:
    assert face_models.is_dir()
    return Scanner(weights=weights)


@pytest.fixture(scope="module")
def report(plain_scanner: Scanner, portrait_file: Path) -> Report:
    return plain_scanner.scan(portrait_file)


def fitted(calibration: Calibration, weights: Path, folder: Path) -> Path:
    """The plain calibration as a file, as if it had been fitted on these weights."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    path = folder / "plain.json"
    path.write_bytes(
        msgspec.json.encode(msgspec.structs.replace(calibration, weights_sha256=digest))
    )
    return path


def test_scores_come_from_the_crops_that_the_file_asks_for(
    report: Report, plain_scanner: Scanner, portrait_file: Path
) -> None:
    image = np.asarray(Pillow.open(portrait_file).convert("RGB"))
    spec = plain_scanner.detector.spec
    (face,) = plain_scanner._finder.find(image)
    (crop,) = face_views(image, upright_region(face.landmarks, 1.0), spec)
    expected = 4 * to_pixels([crop], spec).mean(dtype=np.float64)
    assert report.detectors[0].score == pytest.approx(expected, abs=0.02)
    assert report.detectors[0].id == report.method.detector == "plain-mean"
    assert report.detectors[0].weights_sha256 == plain_scanner.detector.weights_sha256


def test_without_a_calibration_there_are_scores_and_no_verdict(
    report: Report, plain_scanner: Scanner, portrait_film: Path
) -> None:
    film = plain_scanner.scan(portrait_film)
    for one in (report, film):
        jsonschema.validate(msgspec.json.decode(to_json(one)), json_schema())
        assert one.verdict.label is Label.INCONCLUSIVE
        assert one.verdict.log10_lr is None
        assert one.verdict.calibration_id is None
        assert [reason.code for reason in one.verdict.reasons] == ["not_calibrated"]
        (result,) = one.detectors
        assert result.status == "ok"
        assert result.score is not None
        assert result.log10_lr is None
        assert one.method.calibration == ""
        assert one.method.threshold_log10_lr is None
        assert one.method.threshold_logit is None
        (face,) = one.faces
        assert [reason.code for reason in face.verdict.reasons] == ["not_calibrated"]
        assert all(point.in_scope for point in face.timeline)
        page = to_html(one)
        assert "--calibration" in page
        assert "likelihood ratio" in page
    assert film.timeline
    assert film.detectors[0].score == pytest.approx(
        np.mean([point.logit for point in film.faces[0].timeline]), abs=1e-3
    )
    with pytest.raises(ModelUnavailable, match="No calibration"):
        _ = plain_scanner.calibration


def test_the_map_is_shown_for_what_it_is(report: Report) -> None:
    best = report.faces[0].best_crop
    assert best.map_png is not None
    assert best.image_png is not None
    assert 0 < best.map_peak < 1
    assert Pillow.open(io.BytesIO(best.map_png)).size == (64, 64)
    assert report.method.map_kind == "class_activation"
    page = to_html(report)
    assert "Activation map, peak" in page
    assert "was not taught which pixels were changed" in page
    assert "Manipulation map, peak" not in page


def test_a_detector_without_a_map_leaves_its_place_empty(
    network_file: Maker, tmp_path: Path, portrait_file: Path, portrait_film: Path
) -> None:
    scanner = Scanner(weights=network_file(tmp_path / "a.onnx", outputs=1))
    for path in (portrait_file, portrait_film):
        made = scanner.scan(path)
        assert made.faces[0].best_crop.image_png is not None
        assert made.faces[0].best_crop.map_png is None
        assert made.faces[0].best_crop.map_peak == 0.0
        assert made.method.map_kind == "none"
        page = to_html(made)
        assert "This detector gives no map" in page
        assert "map, peak" not in page


def test_the_limits_speak_of_this_network_and_not_of_another(
    report: Report, scanner: Scanner, portrait_file: Path
) -> None:
    assert "some_faces/train" in report.limitations[1]
    assert not any("blending" in text for text in report.limitations)
    bundled = scanner.explain("/nowhere/x.jpg", NotFound("There is no such file."))
    assert "blending" in bundled.limitations[1]
    assert len(bundled.limitations) == len(report.limitations) == 5


def test_several_views_are_averaged_and_the_first_is_shown(
    network_file: Maker, tmp_path: Path, portrait_file: Path
) -> None:
    path = network_file(tmp_path / "views.onnx", views=[[1.2, False], [2.0, True]])
    scanner = Scanner(weights=path)
    made = scanner.scan(portrait_file)
    image = np.asarray(Pillow.open(portrait_file).convert("RGB"))
    (face,) = scanner._finder.find(image)
    crops = face_views(image, upright_region(face.landmarks, 1.0), scanner.detector.spec)
    means = [4 * to_pixels([crop], scanner.detector.spec).mean() for crop in crops]
    assert abs(means[0] - means[1]) > 0.04
    assert made.detectors[0].score == pytest.approx(np.mean(means), abs=0.01)


# --------------------------------------------------------------------- calibration


def test_a_calibration_of_these_weights_gives_a_verdict(
    weights: Path, calibration: Calibration, tmp_path: Path, portrait_file: Path, report: Report
) -> None:
    scanner = Scanner(weights=weights, calibration=fitted(calibration, weights, tmp_path))
    made = scanner.scan(portrait_file)
    score = report.detectors[0].score
    assert score is not None
    assert made.detectors[0].score == score
    assert made.verdict.log10_lr == pytest.approx(calibration.image.log10_lr(score), abs=2e-3)
    assert made.verdict.label is calibration.image.label(calibration.image.log10_lr(score))
    assert made.verdict.calibration_id == scanner.calibration.id == "plain-1"


def test_a_calibration_of_other_weights_is_refused(
    weights: Path, network_file: Maker, calibration: Calibration, tmp_path: Path
) -> None:
    other = network_file(tmp_path / "other.onnx", title="Other")
    path = fitted(calibration, other, tmp_path)
    with pytest.raises(ModelUnavailable, match="was fitted on weights") as caught:
        Scanner(weights=weights, calibration=path)
    assert "unmask calibrate" in caught.value.hint


@pytest.mark.parametrize("text", [None, "", "{}", '{"id": "x"}', "\xff", "[1, 2]"])
def test_what_is_no_calibration_is_told(text: str | None, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(ModelUnavailable, match=r"c\.json") as caught:
        Scanner(weights=weights, calibration=path)
    assert caught.value.hint


def test_weights_of_another_detector_are_refused_before_anything_is_fetched(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_MODELS", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="plain-mean"):
        Scanner(detector="unmask-base", weights=weights, offline=True)
