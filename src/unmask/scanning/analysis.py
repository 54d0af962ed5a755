"""Frames in, evidence out: the working part of a scan, for one input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmask.detectors.views import face_views, to_pixels
from unmask.errors import InternalFault
from unmask.faces.mesh import upright_region
from unmask.faces.tracking import Tracker
from unmask.scanning.evidence import ScoreTimeline, Sighting, TrackEvidence
from unmask.scanning.gate import MIN_FILM_FRAMES, face_reasons

if TYPE_CHECKING:
    from unmask.detectors import Detector
    from unmask.faces.finder import FaceFinder
    from unmask.types import Face, Frame, Image

PICTURES = 64
"""Faces whose picture is kept: those with the highest scores."""
POINTS = 20_000
"""Points of all timelines together."""

SCORES_PER_S = 5
"""How often a face is scored at most where every frame is looked at."""

_BATCH = 8
_SEARCH_EVERY_S = 1.0
_THOROUGH_EVERY_S = 4.0
_THOROUGH_EVERY_SAMPLES = 4
_SHORTEST_TIMELINE = 8
_SAME_TIME_S = 1e-6


@dataclass(slots=True, eq=False)
class _Waiting:
    """A face whose crops wait for the batch to fill. It holds no frame, so frames are freed."""

    number: int
    frame_index: int
    pts_s: float
    face: Face
    track_id: int
    crops: list[Image]


@dataclass(slots=True, eq=False)
class Evidence:
    """All that was gathered from one input.

    Pictures and timeline points are bounded over all tracks together, since a long film of many
    cuts has many tracks.
    """

    tracks: dict[int, TrackEvidence] = field(default_factory=dict)
    timeline: ScoreTimeline = field(default_factory=ScoreTimeline)
    frames_seen: int = 0
    frames_with_faces: int = 0
    faces_found: int = 0
    faces_scored: int = 0
    first_s: float | None = None
    last_s: float | None = None
    crowded: bool = False
    _pictures: set[int] = field(default_factory=set)
    _points: int = 0

    def add(self, track_id: int, seen: Sighting) -> None:
        """Take in one scored face."""
        self.faces_scored += 1
        track = self.tracks.setdefault(track_id, TrackEvidence(track_id))
        before = len(track.timeline)
        track.add(seen)
        self._points += len(track.timeline) - before
        self._pictures.add(track_id)
        if len(self._pictures) > PICTURES:
            self._let_go_of_a_picture()
        if self._points > POINTS:
            self._thin()

    def _let_go_of_a_picture(self) -> None:
        # Of equals the later one goes, so that the choice does not rest on the order of a set.
        least = min(self._pictures, key=lambda one: (self.tracks[one].best_rank, -one))
        self._pictures.remove(least)
        self.tracks[least].let_go_of_picture()

    def _thin(self) -> None:
        for track in self.tracks.values():
            if len(track.timeline) >= _SHORTEST_TIMELINE:
                track.thin()
        self._points = sum(len(track.timeline) for track in self.tracks.values())


class Analyzer:
    """Gather evidence from the frames of one input.

    Args:
        finder: Finds faces.
        detector: Scores them.
        dense: Frames follow each other closely (every frame of a film). Faces are then followed
            from frame to frame, the whole frame is searched only now and then, and of a face
            that stays the same person's at most :data:`SCORES_PER_S` frames a second are scored:
            neighbours are so alike that more would add time and no evidence.
    """

    def __init__(self, finder: FaceFinder, detector: Detector, *, dense: bool) -> None:
        self._finder, self._detector, self._dense = finder, detector, dense
        self._tracker = Tracker()
        self._waiting: list[_Waiting] = []
        self._previous: list[Face] = []
        self._next_search_s = self._next_thorough_s = float("-inf")
        self._next_choice_s = float("-inf")
        self._next_score_s: dict[int, float] = {}
        self.evidence = Evidence()

    def run(self, frames: Iterable[Frame]) -> Evidence:
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
        number = found.timeline.see(frame.pts_s)
        faces = self._moved(frame)
        if faces is None:
            faces = self._faces(frame)
            self._choose(frame, number, faces)
        self._previous = faces
        found.faces_found += len(faces)
        found.frames_with_faces += bool(faces)
        found.crowded |= len(faces) >= self._finder.max_faces
        if len(self._waiting) >= _BATCH:
            self._score()

    def _choose(self, frame: Frame, number: int, faces: list[Face]) -> None:
        """Tell who is who, and cut out those that are to be scored."""
        ids = self._tracker.update(frame.image, faces, frame.pts_s)
        spec = self._detector.spec
        for face, track_id in zip(faces, ids, strict=True):
            if self._is_due(track_id, frame.pts_s):
                crops = face_views(frame.image, upright_region(face.landmarks, 1.0), spec)
                self._waiting.append(
                    _Waiting(number, frame.index, frame.pts_s, face, track_id, crops)
                )
        self._next_choice_s = min(
            (self._next_score_s.get(track_id, frame.pts_s) for track_id in ids),
            default=frame.pts_s,
        )

    def _moved(self, frame: Frame) -> list[Face] | None:
        """The faces of a frame between two that are scored, or None where more is to be done."""
        due_s = min(self._next_choice_s, self._next_search_s)
        if not self._dense or not self._previous or frame.pts_s >= due_s:
            return None
        return self._finder.move(frame.image, self._previous)

    def _faces(self, frame: Frame) -> list[Face]:
        if not self._dense:
            return self._faces_of_sample(frame)
        if self._previous and frame.pts_s < self._next_search_s:
            followed = self._finder.follow(frame.image, self._previous)
            if followed is not None:
                return followed
        # Without a face every frame is looked at quickly, so that nobody walks in unseen.
        thorough = frame.pts_s >= self._next_thorough_s
        if thorough:
            self._next_thorough_s = frame.pts_s + _THOROUGH_EVERY_S
        self._next_search_s = frame.pts_s + _SEARCH_EVERY_S
        return self._finder.find(frame.image, thorough=thorough)

    def _faces_of_sample(self, frame: Frame) -> list[Face]:
        """Search a still, or a frame of a few that were taken from a film.

        Searching tiles finds small faces and costs four times as much. A still and the first
        frames get it, then every fourth: enough for each face to be judged (a film needs
        :data:`unmask.scanning.gate.MIN_FILM_FRAMES`), and any frame in which nothing was found.
        """
        number = self.evidence.frames_seen - 1
        if number < MIN_FILM_FRAMES or number % _THOROUGH_EVERY_SAMPLES == 0:
            return self._finder.find(frame.image)
        faces = self._finder.find(frame.image, thorough=False)
        return faces or self._finder.find(frame.image)

    def _is_due(self, track_id: int, pts_s: float) -> bool:
        """Whether this face is to be scored now; a new one always is."""
        if not self._dense:
            return True
        if pts_s < self._next_score_s.get(track_id, float("-inf")):
            return False
        self._next_score_s[track_id] = pts_s + 1 / SCORES_PER_S - _SAME_TIME_S
        return True

    def _score(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _BATCH):
            self._score_batch(waiting[start : start + _BATCH])

    def _score_batch(self, batch: list[_Waiting]) -> None:
        crops = [crop for one in batch for crop in one.crops]
        output = self._detector.predict(to_pixels(crops, self._detector.spec))
        if not np.isfinite(output.logits).all():
            raise InternalFault(
                f"The detector {self._detector.spec.id} gave a score that is no number.",
                hint="Its weights are damaged, or this machine computes wrongly.",
            )
        views = len(self._detector.spec.views)
        logits = output.logits.reshape(len(batch), views).mean(1)
        for i, one in enumerate(batch):
            seen = Sighting(
                frame_index=one.frame_index,
                pts_s=one.pts_s,
                bbox_xyxy=one.face.bbox_xyxy,
                quality=one.face.quality,
                logit=float(logits[i]),
                crop=one.crops[0],
                map=output.maps[i * views] if output.maps is not None else None,
            )
            self.evidence.add(one.track_id, seen)
            if not face_reasons(one.face.quality):
                self.evidence.timeline.add(one.number, seen.logit)
