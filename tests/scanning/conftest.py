"""A plain calibration, sightings made of numbers, and a finder and detector that follow a script.

What is tested with them is the gathering and judging; the real models have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from unmask.calibration import Calibration, Curve
from unmask.detectors import DetectorOutput, DetectorSpec
from unmask.scanning.evidence import Sighting, TrackEvidence
from unmask.types import Face, Frame, Quality

CROP_PX = 32


def good_quality(**changed: float) -> Quality:
    plain = {
        "face_px": 200.0,
        "sharpness": 120.0,
        "yaw_deg": -5.0,
        "pitch_deg": 3.0,
        "roll_deg": 0.0,
        "landmark_score": 0.99,
        "visible_fraction": 1.0,
    }
    return Quality(**{**plain, **changed})


@pytest.fixture
def quality() -> Callable[..., Quality]:
    return good_quality


@pytest.fixture
def sighting() -> Callable[..., Sighting]:
    def make(number: int, logit: float, **changed: float) -> Sighting:
        return Sighting(
            frame_index=number,
            pts_s=number / 25,
            bbox_xyxy=(10.0, 20.0, 210.0, 220.0 + number % 3),
            quality=good_quality(**changed),
            logit=logit,
            crop=np.full((CROP_PX, CROP_PX, 3), number % 256, np.uint8),
            map=np.full((4, 4), 1 / (1 + np.exp(-logit)), np.float32),
        )

    return make


@pytest.fixture
def track(sighting: Callable[..., Sighting]) -> Callable[..., TrackEvidence]:
    """A track with the given logits, all of one quality."""

    def make(logits: Sequence[float], track_id: int = 0, **changed: float) -> TrackEvidence:
        made = TrackEvidence(track_id)
        for number, logit in enumerate(logits):
            made.add(sighting(number, logit, **changed))
        return made

    return make


@pytest.fixture
def calibration() -> Calibration:
    """Pictures: log10 LR = score / 2 - 0.25; films: = score. Supported from 1, none up to -0.5."""
    shared = {
        "lower": -2.0,
        "upper": 2.0,
        "threshold_supported": 1.0,
        "threshold_none": -0.5,
        "false_alarm_rate": 0.01,
    }
    return Calibration(
        id="plain-1",
        detector="scripted",
        weights_sha256="0" * 64,
        made="2026-01-01",
        image=Curve(slope=0.5, intercept=-0.25, **shared),
        film=Curve(slope=1.0, intercept=0.0, **shared),
        data={"faces": 1000},
    )


@dataclass
class Placed:
    """A face of the script: where it is, how large, its score (sent through the pixels)."""

    x: float
    y: float
    size_px: float = 80.0
    logit: float = 0.0
    sharpness: float = 120.0


SIDE_PX = 320


class Script:
    """Frames with drawn faces; a finder that knows where they are; a detector that reads them.

    Each face is a square of one grey level, which stands for its logit (-6.4..6.3 in steps of
    0.05), so that a score can only come from the right crop.
    """

    max_faces = 3
    spec = DetectorSpec(
        id="scripted",
        title="Scripted",
        paper="none",
        modality="image",
        input_px=CROP_PX,
        views=((0.5, False),),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        weights="",
        weights_sha256="0" * 64,
        code_licence="",
        weights_licence="",
        training_sets=(),
        calibration_id="plain-1",
    )
    weights_sha256 = "0" * 64

    def __init__(self, frames: Sequence[Sequence[Placed]], rate: float = 10.0) -> None:
        self.script = list(frames)
        self.rate = rate
        self.batches: list[int] = []
        self.searches: list[tuple[str, int]] = []
        self.lose_at: set[int] = set()

    def frames(self):
        for index, placed in enumerate(self.script):
            image = np.full((SIDE_PX, SIDE_PX, 3), 7, np.uint8)
            image[0, 0] = divmod(index, 256)[0], index % 256, 0  # so that the finder knows it
            for face in placed:
                half = round(face.size_px / 2)
                x, y = round(face.x), round(face.y)
                level = round(face.logit * 20) + 128
                image[max(0, y - half) : y + half, max(0, x - half) : x + half] = level
            yield Frame(image=image, index=index, pts_s=index / self.rate)

    def find(self, image, *, thorough: bool = True) -> list[Face]:
        index = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        self.searches.append(("thorough" if thorough else "quick", index))
        return [self._face(one) for one in self.script[index]][: self.max_faces]

    def follow(self, image, previous) -> list[Face] | None:
        return self._near(image, previous, "follow")

    def move(self, image, previous) -> list[Face] | None:
        return self._near(image, previous, "move")

    def _near(self, image, previous, how: str) -> list[Face] | None:
        index = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        self.searches.append((how, index))
        placed = self.script[index]
        if index in self.lose_at or len(placed) < len(previous):
            return None
        return [self._face(one) for one in placed[: len(previous)]]

    def predict(self, pixels) -> DetectorOutput:
        self.batches.append(len(pixels))
        middle = pixels[:, 0, CROP_PX // 2, CROP_PX // 2]
        logits = ((middle - 128) / 20).astype(np.float32)
        maps = np.repeat(1 / (1 + np.exp(-logits)), 16).reshape(-1, 4, 4).astype(np.float32)
        return DetectorOutput(logits, maps)

    def _face(self, one: Placed) -> Face:
        corners = np.linspace(-0.5, 0.5, 468, dtype=np.float32)
        points = np.stack([corners, np.roll(corners, 234)], 1) * one.size_px + (one.x, one.y)
        from unmask.faces.topology import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS

        points[RIGHT_EYE_CORNERS[0]] = one.x - one.size_px / 4, one.y
        points[LEFT_EYE_CORNERS[1]] = one.x + one.size_px / 4, one.y
        low, high = points.min(0), points.max(0)
        return Face(
            bbox_xyxy=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
            score=0.9,
            landmarks=points.astype(np.float32),
            iris=None,
            quality=good_quality(face_px=one.size_px, sharpness=one.sharpness),
        )


@pytest.fixture
def script() -> type[Script]:
    return Script


@pytest.fixture
def placed() -> type[Placed]:
    return Placed


@pytest.fixture
def codes() -> Callable[[object], list[str]]:
    """The codes of a verdict's reasons; each must be snake case with a whole sentence."""

    def read(verdict) -> list[str]:
        for reason in verdict.reasons:
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", reason.code)
            assert reason.message.endswith(".")
        return [reason.code for reason in verdict.reasons]

    return read
