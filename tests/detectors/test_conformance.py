"""What every registered detector must be; a new one is tested by being registered."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from unmask.detectors import DETECTORS, Detector
from unmask.detectors.base import DetectorSpec
from unmask.detectors.views import to_pixels
from unmask.errors import ModelUnavailable, UnknownEntry
from unmask.faces.alignment import align_face


@pytest.fixture(scope="module", params=DETECTORS.ids())
def detector(request: pytest.FixtureRequest) -> Detector:
    return DETECTORS.get(request.param)()


@pytest.fixture(scope="module")
def pixels(detector: Detector, portraits, face_models: Path) -> np.ndarray:
    """(11, 3, S, S): real faces turned and lit in several ways, and two pictures of nothing."""
    from unmask.faces.finder import FaceFinder

    assert face_models.is_dir()
    finder = FaceFinder(max_faces=1)
    spec = detector.spec
    crops = []
    for image in portraits.values():
        landmarks = finder.find(image)[0].landmarks
        crop = align_face(image, landmarks, size=spec.input_px, margin=spec.crop_margin).image
        crops += [crop, crop[:, ::-1].copy(), crop // 2, 255 - crop]
    crops += [np.zeros_like(crop), np.full_like(crop, 255)]
    noise = np.random.default_rng(0).integers(0, 256, crop.shape, dtype=np.uint8)
    return to_pixels([*crops, noise], detector.spec)


def test_the_spec_is_filled_in(detector: Detector) -> None:
    spec = detector.spec
    assert isinstance(spec, DetectorSpec)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.id)
    assert re.fullmatch(r"[0-9a-f]{64}", spec.weights_sha256)
    assert spec.modality in {"image", "clip"}
    assert spec.input_px % 32 == 0
    assert 1.0 <= spec.crop_margin <= 3.0
    for words in (spec.title, spec.paper, spec.code_licence, spec.weights_licence):
        assert words
    assert spec.training_sets
    assert files("unmask.detectors").joinpath("weights", spec.weights).is_file()


def test_it_carries_the_digest_of_what_it_loaded(detector: Detector) -> None:
    assert detector.weights_sha256 == detector.spec.weights_sha256


def test_scores_are_finite_and_maps_are_shares(detector: Detector, pixels: np.ndarray) -> None:
    output = detector.predict(pixels)
    assert output.logits.shape == (len(pixels),)
    assert output.logits.dtype == np.float32
    assert np.isfinite(output.logits).all()
    assert output.logits.std() > 0.01  # it looks at its input
    if output.maps is not None:
        assert output.maps.ndim == 3
        assert len(output.maps) == len(pixels)
        assert np.isfinite(output.maps).all()
        assert output.maps.min() >= 0.0
        assert output.maps.max() <= 1.0


def test_the_same_input_gives_the_same_output(detector: Detector, pixels: np.ndarray) -> None:
    one, other = detector.predict(pixels), detector.predict(pixels.copy())
    fresh = type(detector)().predict(pixels)
    for again in (other, fresh):
        np.testing.assert_array_equal(one.logits, again.logits)
        if one.maps is not None:
            np.testing.assert_array_equal(one.maps, again.maps)


def test_a_face_scores_the_same_in_any_batch(detector: Detector, pixels: np.ndarray) -> None:
    whole = detector.predict(pixels)
    for size in (1, 3, 8):
        parts = [detector.predict(pixels[i : i + size]) for i in range(0, len(pixels), size)]
        logits = np.concatenate([part.logits for part in parts])
        np.testing.assert_allclose(logits, whole.logits, atol=1e-4)
        if whole.maps is not None:
            maps = np.concatenate([part.maps for part in parts])
            np.testing.assert_allclose(maps, whole.maps, atol=1e-4)
    turned = detector.predict(pixels[::-1].copy())
    np.testing.assert_allclose(turned.logits[::-1], whole.logits, atol=1e-4)


def test_an_output_is_not_overwritten_by_the_next(detector: Detector, pixels: np.ndarray) -> None:
    first = detector.predict(pixels[:4])
    kept = first.logits.copy()
    detector.predict(pixels[4:8])
    np.testing.assert_array_equal(first.logits, kept)


def test_other_weights_are_loaded_from_a_path(detector: Detector, tmp_path: Path) -> None:
    bundled = files("unmask.detectors").joinpath("weights", detector.spec.weights)
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(bundled.read_bytes())
    assert type(detector)(copy).weights_sha256 == detector.spec.weights_sha256


@pytest.mark.parametrize("what", ["absent", "a folder", "empty", "text", "cut short"])
def test_a_file_that_is_no_network_is_told(what: str, detector: Detector, tmp_path: Path) -> None:
    path = tmp_path / "weights.onnx"
    bundled = files("unmask.detectors").joinpath("weights", detector.spec.weights).read_bytes()
    if what == "a folder":
        path.mkdir()
    elif what != "absent":
        data = {"empty": b"", "text": b"not a network\n" * 50, "cut short": bundled[:100_000]}
        path.write_bytes(data[what])
    with pytest.raises(ModelUnavailable) as caught:
        type(detector)(path)
    assert caught.value.hint


def test_bundled_weights_that_were_altered_are_refused(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = files("unmask.detectors").joinpath("weights", detector.spec.weights).read_bytes()
    (tmp_path / "weights").mkdir()
    altered = bytearray(bundled)
    altered[len(altered) // 2] ^= 1
    (tmp_path / "weights" / detector.spec.weights).write_bytes(bytes(altered))
    monkeypatch.setattr("unmask.detectors._packaged.files", lambda _: tmp_path)
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        type(detector)()


def test_an_unknown_detector_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownEntry, match="unmask-bsae") as caught:
        DETECTORS.get("unmask-bsae")
    assert "unmask-base" in caught.value.hint
