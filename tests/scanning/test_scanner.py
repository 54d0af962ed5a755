"""The scanner with the real models and the shipped weights. No test here rests on a score."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import jsonschema
import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.errors import InputError, ModelUnavailable, NotFound, UnknownEntry, UsageError
from unmask.report import json_schema, to_json
from unmask.scanning.analysis import SCORES_PER_S
from unmask.scanning.scanner import Scanner
from unmask.types import Label, Report

if TYPE_CHECKING:
    from unmask.types import Image


def without_times(report: Report) -> dict[str, object]:
    document = json.loads(to_json(report))
    del document["started_at"], document["ended_at"]
    return document


def validate(report: Report) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(to_json(report)))


@pytest.fixture(scope="module")
def picture_report(scanner: Scanner, portrait_file: Path) -> Report:
    return scanner.scan(portrait_file)


@pytest.fixture(scope="module")
def film_report(scanner: Scanner, portrait_film: Path) -> Report:
    return scanner.scan(portrait_film)


def test_a_picture_with_a_face_gets_a_whole_report(picture_report: Report, portrait_file) -> None:
    report = picture_report
    validate(report)
    assert report.input.name == portrait_file.name
    assert (report.input.kind, report.input.mime) == ("image", "image/jpeg")
    assert report.input.unchanged
    assert report.verdict.label is not Label.NOT_ANALYZED
    assert report.verdict.in_scope
    coverage = report.coverage
    assert (coverage.frames_in_file, coverage.frames_seen, coverage.frames_with_faces) == (1, 1, 1)
    assert (coverage.faces_found, coverage.faces_scored, coverage.tracks) == (1, 1, 1)
    (face,) = report.faces
    assert face.verdict.label is report.verdict.label
    assert face.verdict.log10_lr == report.verdict.log10_lr
    left, top, right, bottom = face.best_crop.bbox_xyxy
    assert 140 < left < right < 310  # where the astronaut's face is
    assert 40 < top < bottom < 230
    assert report.timeline == []
    assert report.errors == []
    assert len(report.limitations) >= 4


def test_the_crop_and_the_overlay_are_pictures_of_the_face(
    picture_report: Report, scanner: Scanner
) -> None:
    best = picture_report.faces[0].best_crop
    assert best.image_png is not None
    assert best.map_png is not None
    crop, overlay = (
        np.asarray(Pillow.open(io.BytesIO(data))) for data in (best.image_png, best.map_png)
    )
    side = scanner.detector.spec.input_px
    assert crop.shape == overlay.shape == (side, side, 3)
    assert 0.0 <= best.map_peak <= 1.0
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(float)
    assert abs(overlay.mean(2) - grey).mean() < 128  # the face is still there under the tint


def test_a_film_is_sampled_and_followed(film_report: Report) -> None:
    report = film_report
    validate(report)
    coverage = report.coverage
    assert (coverage.frames_in_file, coverage.frames_seen) == (20, 20)
    assert (coverage.frames_with_faces, coverage.faces_scored, coverage.tracks) == (20, 20, 1)
    (face,) = report.faces
    assert [point.frame_index for point in face.timeline] == list(range(20))
    assert [point.pts_s for point in face.timeline] == pytest.approx([n / 10 for n in range(20)])
    logits = [point.logit for point in face.timeline]
    assert report.detectors[0].score == pytest.approx(np.mean(logits), abs=1e-3)
    assert face.fake_frame_share == pytest.approx(np.mean(np.array(logits) > 0), abs=1e-4)
    best = max(face.timeline, key=lambda point: point.logit)
    assert face.best_crop.frame_index == best.frame_index
    assert [interval.score for interval in report.timeline] == pytest.approx(logits, abs=1e-3)
    assert report.timeline[0].start_s == 0.0
    assert all(one.start_s <= one.end_s for one in report.timeline)


def test_the_verdict_follows_from_the_score_by_the_calibration(
    film_report: Report, picture_report: Report, scanner: Scanner
) -> None:
    for report, film in ((film_report, True), (picture_report, False)):
        curve = scanner.calibration.curve(film=film)
        score = report.detectors[0].score
        assert score is not None
        assert report.verdict.log10_lr == pytest.approx(curve.log10_lr(score), abs=2e-3)
        assert report.verdict.calibration_id == scanner.calibration.id
        method = report.method
        assert method.threshold_log10_lr == pytest.approx(curve.threshold_supported, abs=1e-3)
        assert method.threshold_logit is not None
        assert curve.log10_lr(method.threshold_logit) == pytest.approx(
            curve.threshold_supported, abs=1e-3
        )
        assert method.false_alarm_rate == curve.false_alarm_rate


def test_the_method_says_enough_to_repeat_it(film_report: Report, scanner: Scanner) -> None:
    method = film_report.method
    assert method.frames == "32 spread evenly"
    assert method.detector == scanner.detector.spec.id
    assert film_report.detectors[0].weights_sha256 == scanner.detector.weights_sha256
    assert set(method.face_models) >= {"face_detection_near", "face_detection_far", "face_mesh"}
    assert "OpenVINO" in method.runtime
    assert method.settings["frames"] == "32"


def test_the_same_bytes_give_the_same_report(
    scanner: Scanner, portrait_film: Path, film_report: Report
) -> None:
    assert without_times(scanner.scan(portrait_film)) == without_times(film_report)


def test_decoding_ahead_changes_nothing(
    scanner: Scanner,
    portrait_film: Path,
    film_report: Report,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unmask.scanning import scanner as module

    for depth in (0, 3):
        monkeypatch.setattr(module, "_depth", lambda _, depth=depth: depth)
        assert without_times(scanner.scan(portrait_film)) == without_times(film_report)


def test_every_frame_can_be_looked_at(
    scanner: Scanner, portrait_film: Path, film_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmask.media import Sampling

    monkeypatch.setattr(scanner, "_sampling", Sampling(frames=None))
    report = scanner.scan(portrait_film)
    assert report.coverage.frames_seen == report.coverage.faces_found == 20
    assert report.coverage.faces_scored == len(range(0, 20, -(-10 // SCORES_PER_S)))
    assert report.method.frames == f"all; each face is scored at most {SCORES_PER_S} times a second"
    assert report.coverage.tracks == 1
    # Following a face finds it where a search of the whole frame finds it.
    searched = {point.frame_index: point.bbox_xyxy for point in film_report.faces[0].timeline}
    for point in report.faces[0].timeline:
        np.testing.assert_allclose(point.bbox_xyxy, searched[point.frame_index], atol=4.0)


def test_a_cut_to_somebody_else_in_the_same_place_is_another_face(
    tmp_path: Path,
    portraits: dict[str, Image],
    scanner: Scanner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unmask.faces.alignment import align_face
    from unmask.media import Sampling, write_film

    heads = []
    for image in portraits.values():
        (face,) = scanner._finder.find(image)
        heads.append(align_face(image, face.landmarks, size=320, margin=2.0).image)
    path = tmp_path / "cut.mp4"
    write_film(path, iter([heads[0]] * 20 + [heads[1]] * 20), 10.0, crf=18)
    monkeypatch.setattr(scanner, "_sampling", Sampling(frames=None))
    report = scanner.scan(path)
    assert report.coverage.frames_with_faces == 40
    first, second = report.faces
    assert max(point.pts_s for point in first.timeline) < 2.0 + 1 / SCORES_PER_S
    assert min(point.pts_s for point in second.timeline) >= 2.0


def test_crops_can_be_left_out(
    scanner: Scanner, portrait_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "_crops", False)
    best = scanner.scan(portrait_file).faces[0].best_crop
    assert (best.image_png, best.map_png) == (None, None)
    assert best.map_peak >= 0.0


def saved(folder: Path, name: str, picture: Pillow.Image, **options: object) -> Path:
    picture.save(folder / name, **options)
    return folder / name


PictureMaker = Callable[[Path, "Image"], Path]


def sideways(folder: Path, image: Image) -> Path:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return saved(folder, "sideways.jpg", Pillow.fromarray(np.rot90(image)), exif=exif, quality=92)


def turned_without_a_tag(folder: Path, image: Image) -> Path:
    return saved(folder, "turned.png", Pillow.fromarray(np.rot90(image).copy()))


def tight(folder: Path, image: Image) -> Path:
    return saved(folder, "tight.png", Pillow.fromarray(image[62:190, 172:278]))


def dark(folder: Path, image: Image) -> Path:
    return saved(folder, "dark.png", Pillow.fromarray((image * 0.2).astype(np.uint8)))


def grey(folder: Path, image: Image) -> Path:
    return saved(folder, "grey.png", Pillow.fromarray(image).convert("L"))


def alpha(folder: Path, image: Image) -> Path:
    picture = Pillow.fromarray(image)
    picture.putalpha(Pillow.fromarray(np.full(image.shape[:2], 255, np.uint8)))
    return saved(folder, "alpha.png", picture)


def sixteen_bit(folder: Path, image: Image) -> Path:
    deep = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257
    return saved(folder, "deep.tif", Pillow.fromarray(deep))


def cmyk(folder: Path, image: Image) -> Path:
    return saved(folder, "inks.jpg", Pillow.fromarray(image).convert("CMYK"), quality=92)


def palette(folder: Path, image: Image) -> Path:
    return saved(folder, "palette.gif", Pillow.fromarray(image).quantize(200))


def webp_named_png(folder: Path, image: Image) -> Path:
    path = folder / "really-webp.png"
    Pillow.fromarray(image).save(path, "WEBP", quality=90)
    return path


@pytest.mark.parametrize(
    "make",
    [sideways, turned_without_a_tag, tight, dark, grey, alpha, sixteen_bit, cmyk, palette,
     webp_named_png],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_faces_are_found_in_pictures_of_every_make(
    make: PictureMaker, tmp_path: Path, portrait: Image, scanner: Scanner
) -> None:
    report = scanner.scan(make(tmp_path, portrait))
    validate(report)
    assert report.coverage.faces_found == 1
    assert report.verdict.label is not Label.NOT_ANALYZED


def test_an_animation_is_judged_as_a_film(
    tmp_path: Path, portrait: Image, scanner: Scanner
) -> None:
    frames = [
        Pillow.fromarray(portrait[:, 4 * n : 4 * n + 440]).resize((330, 384)) for n in range(6)
    ]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    report = scanner.scan(path)
    assert report.input.kind == "animation"
    assert (report.coverage.frames_seen, report.coverage.tracks) == (6, 1)
    assert report.method.frames == "32 spread evenly"
    assert report.faces[0].frames == 6


# ------------------------------------------------------------- what cannot be scanned


def test_what_cannot_be_read_raises_for_scan_and_is_told_by_the_others(
    tmp_path: Path, portrait_file: Path, scanner: Scanner
) -> None:
    absent, text = tmp_path / "absent.jpg", tmp_path / "text.jpg"
    text.write_text("no picture")
    with pytest.raises(NotFound):
        scanner.scan(absent)
    with pytest.raises(InputError):
        scanner.scan(text)
    results = dict(scanner.scan_all([absent, str(portrait_file), text]))
    assert list(results) == [absent, portrait_file, text]
    for path, code in ((absent, "not_found"), (text, "unsupported_media")):
        report = results[path]
        validate(report)
        assert report.verdict.label is Label.NOT_ANALYZED
        assert [problem.code for problem in report.errors] == [code]
        assert report.input.name == path.name
        assert len(report.limitations) >= 4
    assert len(results[portrait_file].faces) == 1


def test_a_name_of_ones_own_is_used(portrait_file: Path, scanner: Scanner) -> None:
    assert scanner.scan(portrait_file, name="exhibit 7").input.name == "exhibit 7"
    failed = scanner.scan_or_explain("/nowhere/x.jpg", name="exhibit 8")
    assert failed.input.name == "exhibit 8"


def test_the_calibration_does_not_speak_for_other_weights(
    tmp_path: Path, scanner: Scanner, portrait_file: Path
) -> None:
    from importlib.resources import files

    import onnx

    bundled = files("unmask.detectors").joinpath("weights", scanner.detector.spec.weights)
    model = onnx.load_from_string(bundled.read_bytes())
    model.doc_string = "trained a little longer"
    other = tmp_path / "other.onnx"
    other.write_bytes(model.SerializeToString())
    with pytest.raises(ModelUnavailable, match="does not say which network"):
        Scanner(weights=other)
    report = Scanner(detector="unmask-base", weights=other).scan(portrait_file)
    assert [reason.code for reason in report.verdict.reasons] == ["not_calibrated"]
    assert report.verdict.log10_lr is None
    assert report.detectors[0].score == scanner.scan(portrait_file).detectors[0].score


def test_a_detector_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownEntry):
        Scanner(detector="unmask-bass")


@pytest.mark.parametrize("frames", [0, -1])
def test_frames_must_be_positive(frames: int) -> None:
    with pytest.raises(UsageError):
        Scanner(frames=frames)


def test_without_face_models_and_network_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_MODELS", str(tmp_path / "none"))
    with pytest.raises(ModelUnavailable) as caught:
        Scanner(offline=True)
    assert "unmask models pull" in caught.value.hint
    assert not (tmp_path / "none").exists()
