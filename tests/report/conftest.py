"""Full reports of every kind, drawn and filled here, so that the tests need no model."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import cv2
import msgspec
import numpy as np
import pytest

from unmask.types import (
    SCHEMA_VERSION,
    BestCrop,
    Coverage,
    CueResult,
    DetectorResult,
    FaceReport,
    Input,
    Interval,
    Label,
    Method,
    Problem,
    Reason,
    Report,
    TimelinePoint,
    Tool,
    Verdict,
)
from unmask.types_of_origin import Credentials, Provenance, WatermarkFinding

SIDE = 96
HOSTILE_TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "</style><style>*{background:url(//evil.example)}",
    "holiday\u202egpj.exe",
    "\x1b[31mred\x1b[0m\x07",
    "=cmd|' /C calc'!A0",
    "{{ 7*7 }}{% raw %}",
    "[bold red]markup[/]",
    "a\tb\nc\rd",
    "zero\u200bwidth\ufeff",
    "lone \udcff surrogate",
    "\x00\x01\x7f\x9b",
    "javascript:alert(1)",
    "𝔊𝔯ü𝔢ß 👩‍👩‍👧 漢字 עברית العربية",
    "x" * 10_000 + ".mp4",
)


def drawn_face(*, warm: bool) -> bytes:
    """Return a small PNG: a drawn head, plain or under a drawn map."""
    image = np.full((SIDE, SIDE, 3), (196, 205, 212), np.uint8)
    cv2.ellipse(image, (48, 50), (28, 36), 0, 0, 360, (150, 180, 215), -1)
    for x in (37, 59):
        cv2.circle(image, (x, 43), 4, (60, 50, 40), -1)
    cv2.ellipse(image, (48, 66), (11, 5), 0, 0, 180, (80, 80, 160), 2)
    if warm:
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        spot = np.exp(-(((rows - 66) / 14) ** 2 + ((columns - 48) / 22) ** 2))
        heat = cv2.applyColorMap((255 * spot).astype(np.uint8), cv2.COLORMAP_INFERNO)
        image = (image * (1 - spot[..., None]) + heat * spot[..., None]).astype(np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def timeline(count: int, *, centre: float, until_s: float) -> list[TimelinePoint]:
    """Return ``count`` points whose scores swing around ``centre``."""
    points = []
    for index in range(count):
        part = index / max(1, count - 1)
        logit = centre + 1.3 * math.sin(9 * part) + 0.5 * math.sin(57 * part)
        points.append(
            TimelinePoint(
                frame_index=index,
                pts_s=round(part * until_s, 3),
                bbox_xyxy=(400.0 + index % 7, 96.0, 621.0, 352.0),
                logit=round(logit, 4),
                face_px=256.0,
                in_scope=index % 11 != 5,
            )
        )
    return points


def verdict(label: Label, log10_lr: float | None, statement: str, *reasons: Reason) -> Verdict:
    return Verdict(
        label=label,
        statement=statement,
        log10_lr=log10_lr,
        in_scope=log10_lr is not None and not reasons,
        reasons=list(reasons),
        calibration_id="unmask-base.2025-1" if log10_lr is not None else None,
    )


def face(track_id: int, given: Verdict, points: list[TimelinePoint]) -> FaceReport:
    peak = max(points, key=lambda point: point.logit)
    return FaceReport(
        track_id=track_id,
        verdict=given,
        best_crop=BestCrop(
            frame_index=peak.frame_index,
            pts_s=peak.pts_s,
            bbox_xyxy=peak.bbox_xyxy,
            image_png=drawn_face(warm=False),
            map_png=drawn_face(warm=True),
            map_peak=0.83,
        ),
        frames=len(points),
        mean_face_px=248.3,
        mean_sharpness=143.2,
        mean_abs_yaw_deg=11.6,
        fake_frame_share=sum(point.logit > 0 for point in points) / len(points),
        timeline=points,
    )


METHOD = Method(
    frames="32 spread evenly",
    detector="unmask-base",
    face_models={"face_detection_short_range": "3" * 64, "face_landmark": "4" * 64},
    runtime="OpenVINO 2026.4, CPU",
    threshold_log10_lr=1.3,
    threshold_logit=0.9,
    false_alarm_rate=0.01,
    calibration="logistic, fitted on 1,204 held-out faces",
    settings={"frames": "32", "seed": "0"},
)
LIMITATIONS = [
    "It sees traces of blending in faces; a wholly generated picture may hold none.",
    "Strong compression hides traces: finding nothing in such a file says little.",
]


def video(points: int = 32) -> Report:
    """A film with two faces, one of them called manipulated."""
    supported = "Face 1 shows traces of blending; the finding supports manipulation."
    return Report(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="Unmask", version="0.1.0", commit="0f3c2a1"),
        input=Input(
            name="interview.mp4",
            sha256="ab" * 32,
            bytes=12_345_678,
            mime="video/mp4",
            kind="video",
            width_px=1280,
            height_px=720,
            duration_s=60.0,
            frame_rate=30.0,
            codec="h264",
            metadata={"encoder": "Lavf61.7.100", "title": "Interview"},
        ),
        started_at="2025-11-21T05:30:00Z",
        ended_at="2025-11-21T05:30:02Z",
        coverage=Coverage(
            frames_in_file=1800,
            frames_seen=points,
            frames_with_faces=points,
            faces_found=2 * points,
            faces_scored=2 * points - 3,
            tracks=2,
            first_seen_s=0.9,
            last_seen_s=59.1,
        ),
        verdict=verdict(Label.MANIPULATION_SUPPORTED, 2.41, supported),
        faces=[
            face(
                1,
                verdict(Label.MANIPULATION_SUPPORTED, 2.41, supported),
                timeline(points, centre=1.9, until_s=59.1),
            ),
            face(
                2,
                verdict(Label.NO_MANIPULATION_FOUND, -1.12, "No sign of it in face 2."),
                timeline(points, centre=-2.2, until_s=44.0),
            ),
        ],
        detectors=[
            DetectorResult(
                id="unmask-base", status="ok", weights_sha256="5" * 64, score=1.93, log10_lr=2.41
            )
        ],
        cues=[
            CueResult(id="blink", status="not_applicable", reason="fewer than 5 frames a second")
        ],
        method=METHOD,
        limitations=LIMITATIONS,
        timeline=[
            Interval(start_s=0.0, end_s=10.0, score=0.4),
            Interval(start_s=10.0, end_s=20.0, score=1.7),
            Interval(start_s=20.0, end_s=30.0, score=-0.3),
        ],
    )


def still() -> Report:
    """A picture with one face in which nothing was found."""
    film = video(1)
    found = verdict(Label.NO_MANIPULATION_FOUND, -1.62, "No sign of manipulation was found.")
    return msgspec.structs.replace(
        film,
        input=Input(
            name="portrait.jpg",
            sha256="cd" * 32,
            bytes=412_880,
            mime="image/jpeg",
            kind="image",
            width_px=1024,
            height_px=1365,
            codec="jpeg",
        ),
        coverage=Coverage(
            frames_in_file=1,
            frames_seen=1,
            frames_with_faces=1,
            faces_found=1,
            faces_scored=1,
            tracks=1,
            first_seen_s=0.0,
            last_seen_s=0.0,
        ),
        verdict=found,
        faces=[face(1, found, timeline(1, centre=-2.0, until_s=0.0))],
        timeline=[],
    )


def without_faces() -> Report:
    """A picture in which no face was found, so nothing was analysed."""
    return msgspec.structs.replace(
        still(),
        verdict=verdict(
            Label.NOT_ANALYZED,
            None,
            "No face was found, so there is nothing to judge.",
            Reason(code="no_face", message="No face was found in this picture."),
        ),
        coverage=Coverage(
            frames_in_file=1,
            frames_seen=1,
            frames_with_faces=0,
            faces_found=0,
            faces_scored=0,
            tracks=0,
            stopped_early="the file is cut short",
        ),
        faces=[],
        detectors=[
            DetectorResult(id="unmask-base", status="not_applicable", reason="no face was found")
        ],
        errors=[
            Problem(code="corrupt_media", message="The file ends early.", hint="Ask for a copy.")
        ],
    )


def unread() -> Report:
    """A file that could not be opened at all: not even a digest is known."""
    return msgspec.structs.replace(
        without_faces(),
        input=Input(
            name="locked.mov", sha256=None, bytes=0, mime="", kind="", width_px=0, height_px=0
        ),
        verdict=verdict(
            Label.NOT_ANALYZED,
            None,
            "This file could not be read.",
            Reason(code="permission_refused", message="The system does not let you read it."),
        ),
        coverage=Coverage(
            frames_in_file=None,
            frames_seen=0,
            frames_with_faces=0,
            faces_found=0,
            faces_scored=0,
            tracks=0,
        ),
        detectors=[],
        cues=[],
        limitations=[],
    )


def inconclusive() -> Report:
    """A film whose finding settles nothing."""
    film = video()
    blurred = Reason(code="blurred", message="The face is too blurred to be judged.")
    unsettled = verdict(Label.INCONCLUSIVE, 0.2, "The finding settles nothing.", blurred)
    return msgspec.structs.replace(
        film, verdict=unsettled, faces=[msgspec.structs.replace(film.faces[0], verdict=unsettled)]
    )


def hostile(text: str) -> Report:
    """A film in which every text that a file or a machine can set is ``text``."""
    film = video(3)
    bad = verdict(
        Label.INCONCLUSIVE, 0.1, f"Statement {text}", Reason(code="c" + text, message=text)
    )
    return msgspec.structs.replace(
        film,
        tool=Tool(name="Unmask", version=text, commit=text),
        input=msgspec.structs.replace(
            film.input, name=text, mime=text, codec=text, metadata={text: text, "k": text}
        ),
        started_at=text,
        ended_at=text,
        verdict=bad,
        coverage=msgspec.structs.replace(film.coverage, stopped_early=text),
        faces=[msgspec.structs.replace(film.faces[0], verdict=bad)],
        detectors=[DetectorResult(id=text, status="failed", reason=text, weights_sha256=text)],
        cues=[CueResult(id=text, status="failed", reason=text)],
        method=Method(
            frames=text,
            detector=text,
            face_models={text: text},
            runtime=text,
            calibration=text,
            settings={text: text},
        ),
        limitations=[text],
        provenance=Provenance(
            declared_synthetic=[Reason(code=text, message=text)],
            credentials=Credentials(
                status="invalid",
                reason=text,
                signer=text,
                signed_at=text,
                generator=text,
                actions=[text],
                digital_source_types=[text],
                history_source_types=[text],
                forgery_method=text,
                problems=[text],
            ),
            iptc_source_types=[text],
            watermark=WatermarkFinding(reason=text),
            traces={text: text},
            notes=[text],
        ),
        errors=[Problem(code=text, message=text, hint=text)],
    )


def declared() -> Report:
    """A picture that declares itself synthetic, of which the detector found nothing."""
    picture = still()
    said = Reason(
        code="declared_by_credentials",
        message="A trust anchor vouches for the signer. Signed content credentials, unchanged "
        "since, declare it as trainedAlgorithmicMedia; signed by A. Newsroom.",
    )
    return msgspec.structs.replace(
        picture,
        verdict=msgspec.structs.replace(
            verdict(Label.MANIPULATION_SUPPORTED, -1.1, "The file itself declares it.", said),
            basis="declaration",
            findings_label=Label.NO_MANIPULATION_FOUND,
        ),
        provenance=Provenance(
            declared_synthetic=[said],
            credentials=Credentials(
                status="trusted",
                signer="A. Newsroom",
                generator="A program 1.0",
                actions=["c2pa.created"],
                digital_source_types=[
                    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
                ],
                trust_anchors="0" * 64,
            ),
            watermark=WatermarkFinding(
                status="found", payload="0badcafe", log10_false_alarm=-31.5, frames=1
            ),
            traces={"jpeg_tables": "standard, quality 92"},
            notes=["That there is no declaration is evidence of nothing."],
        ),
    )


def many_faces(count: int) -> Report:
    """A picture of a crowd."""
    picture = still()
    faces = [
        msgspec.structs.replace(picture.faces[0], track_id=index) for index in range(1, count + 1)
    ]
    return msgspec.structs.replace(picture, faces=faces)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The factories above, for tests in this folder."""
    kinds: dict[str, Callable[..., Report]] = {
        "video": video,
        "still": still,
        "without_faces": without_faces,
        "unread": unread,
        "inconclusive": inconclusive,
        "hostile": hostile,
        "declared": declared,
        "many_faces": many_faces,
    }
    return SimpleNamespace(
        **kinds, drawn_face=drawn_face, timeline=timeline, hostile_texts=HOSTILE_TEXTS
    )


@pytest.fixture(scope="session")
def every_report(make: SimpleNamespace) -> list[Report]:
    """One report of each kind and one for each hostile text."""
    return [
        make.video(),
        make.video(1),
        make.still(),
        make.without_faces(),
        make.unread(),
        make.inconclusive(),
        make.declared(),
        make.many_faces(230),
        *(make.hostile(text) for text in HOSTILE_TEXTS),
    ]
