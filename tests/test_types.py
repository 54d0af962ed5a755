from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import jsonschema
import msgspec
import pytest

from unmask import types
from unmask.types import Label, Report


def structs() -> list[type[msgspec.Struct]]:
    return [
        cls
        for _, cls in inspect.getmembers(types, inspect.isclass)
        if issubclass(cls, msgspec.Struct) and cls.__module__ == types.__name__
    ]


def sample() -> Report:
    digest = "0" * 64
    verdict = types.Verdict(
        label=Label.INCONCLUSIVE,
        statement="Nothing can be said.",
        log10_lr=0.1,
        in_scope=True,
        reasons=[types.Reason(code="too_few_frames", message="One frame only.")],
        calibration_id="test",
    )
    point = types.TimelinePoint(
        frame_index=0, pts_s=0.0, bbox_xyxy=(1.0, 2.0, 3.0, 4.0), logit=0.2, face_px=120.0
    )
    face = types.FaceReport(
        track_id=0,
        verdict=verdict,
        best_crop=types.BestCrop(
            frame_index=0, pts_s=0.0, bbox_xyxy=(1.0, 2.0, 3.0, 4.0), image_png=b"\x89PNG"
        ),
        frames=1,
        mean_face_px=120.0,
        mean_sharpness=80.0,
        mean_abs_yaw_deg=4.0,
        fake_frame_share=1.0,
        timeline=[point],
    )
    return Report(
        schema_version=types.SCHEMA_VERSION,
        tool=types.Tool(name="unmask", version="0"),
        input=types.Input(
            name="a.png", sha256=digest, bytes=3, mime="image/png", kind="image",
            width_px=2, height_px=2,
        ),
        started_at="2026-01-01T00:00:00Z",
        ended_at="2026-01-01T00:00:01Z",
        coverage=types.Coverage(
            frames_in_file=1, frames_seen=1, frames_with_faces=1, faces_found=1,
            faces_scored=1, tracks=1,
        ),
        verdict=verdict,
        faces=[face],
        detectors=[types.DetectorResult(id="unmask-base", status="ok", score=0.2)],
        method=types.Method(frames="the picture", detector="unmask-base"),
        limitations=["Whole synthetic faces are out of scope."],
    )  # fmt: skip


def test_no_label_vouches_for_a_picture() -> None:
    assert {label.value for label in Label} == {
        "manipulation_supported",
        "inconclusive",
        "no_manipulation_found",
        "not_analyzed",
    }


@pytest.mark.parametrize("word", ["authentic", "real", "genuine", "fake"])
def test_a_report_with_another_label_is_refused(word: str) -> None:
    data = msgspec.to_builtins(sample())
    data["verdict"]["label"] = word
    with pytest.raises(msgspec.ValidationError, match="label"):
        msgspec.convert(data, Report)


def test_a_report_comes_back_from_json_as_it_was() -> None:
    report = sample()
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_the_generated_schema_is_valid_and_accepts_a_report() -> None:
    schema = msgspec.json.schema(Report)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(msgspec.json.decode(msgspec.json.encode(sample())), schema)


@pytest.mark.parametrize(
    ("where", "value"), [("sha256", "ABC"), ("sha256", "0" * 63), ("bytes", "3"), ("width_px", 1.5)]
)
def test_the_generated_schema_refuses_what_is_no_report(where: str, value: object) -> None:
    data = msgspec.json.decode(msgspec.json.encode(sample()))
    data["input"][where] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, msgspec.json.schema(Report))


def test_every_field_is_written_even_at_its_default() -> None:
    data = msgspec.to_builtins(sample())
    assert set(data) == {field.name for field in msgspec.structs.fields(Report)}
    assert data["errors"] == []
    assert data["input"]["duration_s"] is None


@pytest.mark.parametrize("cls", structs(), ids=lambda cls: cls.__name__)
def test_what_is_written_to_disk_cannot_be_changed_and_is_described(
    cls: type[msgspec.Struct],
) -> None:
    assert cls.__struct_config__.frozen
    assert inspect.getdoc(cls)


def test_defaults_are_not_shared_between_reports() -> None:
    first, second = sample(), sample()
    first.errors.append(types.Problem(code="x", message="y"))
    assert second.errors == []


def test_limits_are_set_as_a_whole() -> None:
    limits = types.Limits(max_pixels=10)
    assert dataclasses.replace(limits, max_frames=1).max_pixels == 10
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.max_pixels = 20


def test_the_words_load_no_numpy() -> None:
    code = "import sys, unmask.types; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
