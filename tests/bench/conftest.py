"""A small tree in the layout of the study data, and a scanner that reads its script from it.

Each "film" is a line of JSON: the logits of its frames, or an error. No network and no picture is
involved; what is tested is the bench.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unmask.bench.results import Stamp
from unmask.calibration import Calibration, Curve
from unmask.errors import CorruptMedia
from unmask.types import (
    BestCrop,
    Coverage,
    DetectorResult,
    FaceReport,
    Input,
    Label,
    Method,
    Reason,
    Report,
    TimelinePoint,
    Tool,
    Verdict,
)

CURVE = Curve(
    slope=0.5,
    intercept=0.0,
    lower=-2.0,
    upper=2.0,
    threshold_supported=1.0,
    threshold_none=-0.5,
    false_alarm_rate=0.02,
)
BOX = (10.0, 10.0, 90.0, 90.0)


class ScriptedScanner:
    """Turns scripts into the reports that a scanner would give for such scores."""

    detector = None

    def __init__(self) -> None:
        self.scanned: list[str] = []
        self.calibration = Calibration(
            id="scripted-1",
            detector="scripted",
            weights_sha256="ab" * 32,
            made="2026-01-01",
            image=CURVE,
            film=CURVE,
            data={"faces": 12, "set": "a scripted one"},
        )

    def scan(self, path) -> Report:
        self.scanned.append(str(path))
        script = json.loads(Path(path).read_text())
        if script.get("corrupt"):
            raise CorruptMedia("It is cut short.")
        faces = [
            _face(i, logits, in_scope=script.get("in_scope", True))
            for i, logits in enumerate(script["faces"])
        ]
        return _report(Path(path).name, faces)


def _face(track_id: int, logits: list[float], *, in_scope: bool) -> FaceReport:
    mean = sum(logits) / len(logits)
    log10_lr = CURVE.log10_lr(mean) if in_scope else None
    label = CURVE.label(log10_lr) if log10_lr is not None else Label.NOT_ANALYZED
    return FaceReport(
        track_id=track_id,
        verdict=Verdict(label=label, statement="", log10_lr=log10_lr, in_scope=in_scope),
        best_crop=BestCrop(frame_index=0, pts_s=0.0, bbox_xyxy=BOX),
        frames=len(logits),
        mean_face_px=80.0,
        mean_sharpness=50.0,
        mean_abs_yaw_deg=0.0,
        fake_frame_share=0.0,
        timeline=[
            TimelinePoint(
                frame_index=i, pts_s=float(i), bbox_xyxy=BOX, logit=x, face_px=80.0,
                in_scope=in_scope,
            )
            for i, x in enumerate(logits)
        ],
    )  # fmt: skip


def _score(faces: list[FaceReport]) -> float | None:
    """Like the scanner: the highest mean of a face in scope, seen in more than one frame."""
    judged = [face for face in faces if face.verdict.in_scope and face.frames > 1] or [
        face for face in faces if face.verdict.in_scope
    ]
    means = [sum(p.logit for p in face.timeline) / face.frames for face in judged]
    return max(means, default=None)


def _report(name: str, faces: list[FaceReport]) -> Report:
    judged = [face.verdict for face in faces if face.verdict.log10_lr is not None]
    if judged:
        verdict = max(judged, key=lambda one: one.log10_lr)
    elif faces:
        verdict = Verdict(label=Label.INCONCLUSIVE, statement="",
                          reasons=[Reason(code="face_too_small", message="")])  # fmt: skip
    else:
        verdict = Verdict(label=Label.NOT_ANALYZED, statement="",
                          reasons=[Reason(code="no_face", message="")])  # fmt: skip
    return Report(
        schema_version="1.0",
        tool=Tool(name="unmask", version="0"),
        input=Input(name=name, sha256="0" * 64, bytes=1, mime="video/mp4", kind="video",
                    width_px=100, height_px=100),
        started_at="", ended_at="",
        coverage=Coverage(
            frames_in_file=None, frames_seen=4, frames_with_faces=4 if faces else 0,
            faces_found=len(faces), faces_scored=len(judged), tracks=len(faces),
        ),
        verdict=verdict,
        faces=faces,
        detectors=[DetectorResult(id="scripted", status="ok", score=_score(faces))],
        method=Method(frames="32 spread evenly", detector="scripted"),
        limitations=[],
    )  # fmt: skip


@pytest.fixture
def scanner() -> ScriptedScanner:
    return ScriptedScanner()


def write(path: Path, *faces: list[float], **more: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"faces": faces, **more}))


@pytest.fixture
def write_script():
    return write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """12 pairs of crops, 4 films, one film with three swaps, 3 unseen pairs, 3 portraits."""
    root = tmp_path / "data"
    rows = ["file,split,label,video,original,face_px"]
    for i in range(12):
        write(root / f"dfdc_faces/val/real/r{i}.jpg", [-3.0 + 0.4 * i])
        write(root / f"dfdc_faces/val/fake/f{i}.jpg", [-1.0 + 0.5 * i])
        rows.append(f"val/real/r{i}.jpg,val,real,r{i}.mp4,r{i}.mp4,120")
        rows.append(f"val/fake/f{i}.jpg,val,fake,f{i}.mp4,r{i}.mp4,120")
    rows.append("train/real/t.jpg,train,real,t.mp4,t.mp4,120")
    write(root / "dfdc_faces/val/real/r0.jpg")  # nobody in it
    write(root / "dfdc_faces/val/fake/f1.jpg", [2.5], in_scope=False)
    (root / "dfdc_faces/manifest.csv").write_text("\n".join(rows) + "\n")
    for name, logit in (("a.mp4", -4.0), ("b.mpg", 3.5), ("c.gif", -1.5), ("d.mp4", 0.5)):
        write(root / "clips/real" / name, [logit, logit + 0.5])
    write(root / "clips/ghost_swap/real/orig.mp4", [0.0])
    for name, logit in (("x.mp4", 1.0), ("y.mp4", 2.0), ("z.mp4", -1.0)):
        write(root / "clips/ghost_swap/fake" / name, [logit], [-5.0])
    for i, (fake, real) in enumerate([(1.0, 0.0), (0.5, 0.5), (-2.0, 1.0)]):
        write(root / f"clips/unseen_dev/fake/pair{i}.mp4", [fake])
        write(root / f"clips/unseen_dev/real/pair{i}.mp4", [real])
    for i in range(3):
        write(root / f"portraits/p{i}.jpg", [-3.0])
    return root


@pytest.fixture
def stamp() -> Stamp:
    return Stamp(
        date="2026-01-02", version="0.1.0", commit="0123456789ab", command="unmask bench",
        cpu="A CPU", cores=2, memory_gib=16.0, python="CPython 3.11", runtime="OpenVINO 1",
        detector="unmask-base", weights_sha256="ab" * 32, calibration="scripted-1",
    )  # fmt: skip
