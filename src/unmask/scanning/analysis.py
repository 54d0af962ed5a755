"""Frames in, evidence out: the working part of a scan, for one input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmask.faces.alignment import align_face
from unmask.faces.tracking import Tracker
from unmask.scanning.evidence import ScoreTimeline, Sighting, TrackEvidence
from unmask.scanning.gate import face_reasons

if TYPE_CHECKING:
    from unmask.detectors import Detector
    from unmask.faces.finder import FaceFinder
    from unmask.types import Face, Floats, Frame, Image

_BATCH = 8
_SEARCH_EVERY = 10


@dataclass(slots=True, eq=False)
class _Waiting:
    """A face whose crop waits for the batch to fill."""

    frame: Frame
    face: Face
    track_id: int
    crop: Image


@dataclass(slots=True, eq=False)
class Evidence:
    """All that was gathered from one input."""

    tracks: dict[int, TrackEvidence] = field(default_factory=dict)
    timeline: ScoreTimeline = field(default_factory=ScoreTimeline)
    frames_seen: int = 0
    frames_with_faces: int = 0
    faces_found: int = 0
    faces_scored: int = 0
    first_s: float | None = None
    last_s: float | None = None
    crowded: bool = False


class Analyzer:
    """Gather evidence from the frames of one input.

    Args:
        finder: Finds faces.
        detector: Scores them.
        dense: Frames follow each other closely (every frame of a film), so that faces are
            followed from frame to frame and the whole frame is searched only now and then.
    """

    def __init__(self, finder: FaceFinder, detector: Detector, *, dense: bool) -> None:
        self._finder, self._detector, self._dense = finder, detector, dense
        self._tracker = Tracker()
        self._waiting: list[_Waiting] = []
        self._previous: list[Face] = []
        self.evidence = Evidence()

    def run(self, frames: Iterator[Frame]) -> Evidence:
        """Go through all frames and return the evidence."""
        for frame in frames:
            self._take(frame)
        self._score()
        return self.evidence

    def _take(self, frame: Frame) -> None:
        found = self.evidence
        found.frames_seen += 1
        found.first_s = frame.pts_s if found.first_s is None else found.first_s
        found.last_s = frame.pts_s
        faces = self._faces(frame)
        self._previous = faces
        found.faces_found += len(faces)
        found.frames_with_faces += bool(faces)
        found.crowded |= len(faces) >= self._finder.max_faces
        ids = self._tracker.update(frame.image, faces, frame.pts_s)
        # Only pixels of crops are kept beyond this point, so frames can be freed at once.
        bare = type(frame)(image=_NOTHING, index=frame.index, pts_s=frame.pts_s)
        spec = self._detector.spec
        for face, track_id in zip(faces, ids, strict=True):
            crop = align_face(
                frame.image, face.landmarks, size=spec.input_px, margin=spec.crop_margin
            ).image
            self._waiting.append(_Waiting(bare, face, track_id, crop))
        if len(self._waiting) >= _BATCH:
            self._score()

    def _faces(self, frame: Frame) -> list[Face]:
        if not self._dense:
            return self._finder.find(frame.image)
        seen = self.evidence.frames_seen - 1
        if self._previous and seen % _SEARCH_EVERY:
            followed = self._finder.follow(frame.image, self._previous)
            if followed is not None:
                return followed
        # Between searches an empty frame is looked at quickly, so that nobody walks in unseen.
        return self._finder.find(frame.image, thorough=seen % (_SEARCH_EVERY * 3) == 0)

    def _score(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _BATCH):
            self._score_batch(waiting[start : start + _BATCH])

    def _score_batch(self, batch: list[_Waiting]) -> None:
        pixels = to_pixels([one.crop for one in batch], self._detector)
        output = self._detector.predict(pixels)
        self.evidence.faces_scored += len(batch)
        for i, one in enumerate(batch):
            probability = output.maps[i] if output.maps is not None else None
            logit = float(output.logits[i])
            track = self.evidence.tracks.setdefault(one.track_id, TrackEvidence(one.track_id))
            track.add(
                Sighting(one.frame.index, one.frame.pts_s, one.face, logit, one.crop, probability)
            )
            if not face_reasons(one.face.quality):
                self.evidence.timeline.add(one.frame, [logit])


_NOTHING: Image = np.zeros((0, 0, 3), np.uint8)


def to_pixels(crops: list[Image], detector: Detector) -> Floats:
    """Crops as the network wants them: (B, 3, S, S) float32, normalised by the spec."""
    spec = detector.spec
    mean = np.asarray(spec.mean, np.float32)
    scale = np.float32(1) / np.asarray(spec.std, np.float32)
    batch = (np.stack(crops).astype(np.float32) - mean) * scale
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
