"""Following faces through sampled frames, so that each person gets one verdict.

Frames may lie seconds apart, so overlap alone cannot decide: a pair also needs a similar look
(a 16 x 16 picture of the face), which ends a track at a cut to somebody else in the same place.
The look is kept for the length of one scan only and is far too coarse to identify anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.alignment import align_face
from unmask.faces.detection import iou

if TYPE_CHECKING:
    from unmask.types import Face, Floats, Image

_LOOK_PX = 16
# Read off real films: the look of one person between sampled frames is below 0.6 in 1 of 100
# pairs, that of two people (DFDC) above 0.55 in 5 of 100.
_MIN_LOOK = 0.55
_MIN_LOOK_FAR = 0.75
_MIN_IOU = 0.1
# How far a face may have gone, in sides of its box: at once, for each second, at most.
_SHIFT, _SHIFT_EACH_S, _MAX_SHIFT = 1.5, 1.0, 4.0
_FORGET_AFTER_S = 12.0


@dataclass(slots=True, eq=False)
class _Track:
    track_id: int
    box: Floats
    look: Floats
    pts_s: float


class Tracker:
    """Give the faces of one input their ``track_id``, frame after frame."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, image: Image, faces: list[Face], pts_s: float) -> list[int]:
        """Return one track id for each face of the frame, in the order of ``faces``.

        Args:
            image: The frame.
            faces: Its faces.
            pts_s: Its time; frames must come in order.
        """
        self._tracks = [t for t in self._tracks if pts_s - t.pts_s <= _FORGET_AFTER_S]
        looks = [_look(image, face.landmarks) for face in faces]
        boxes = [np.asarray(face.bbox_xyxy, np.float32) for face in faces]
        ids = [-1] * len(faces)
        for _, track_index, face_index in sorted(self._pairs(boxes, looks, pts_s), reverse=True):
            track = self._tracks[track_index]
            if ids[face_index] < 0 and track.track_id not in ids:
                ids[face_index] = track.track_id
                track.box, track.pts_s = boxes[face_index], pts_s
                track.look = 0.7 * track.look + 0.3 * looks[face_index]
        for face_index, track_id in enumerate(ids):
            if track_id < 0:
                track = _Track(self._next, boxes[face_index], looks[face_index], pts_s)
                self._tracks.append(track)
                ids[face_index] = self._next
                self._next += 1
        return ids

    def _pairs(
        self, boxes: list[Floats], looks: list[Floats], pts_s: float
    ) -> list[tuple[float, int, int]]:
        pairs = []
        for track_index, track in enumerate(self._tracks):
            reach = min(_SHIFT + _SHIFT_EACH_S * (pts_s - track.pts_s), _MAX_SHIFT)
            for face_index, (box, look) in enumerate(zip(boxes, looks, strict=True)):
                overlap = float(iou(track.box, box[None])[0])
                alike = float((track.look * look).sum())
                near = overlap >= _MIN_IOU and alike >= _MIN_LOOK
                moved = alike >= _MIN_LOOK_FAR and _shift(track.box, box) <= reach
                if near or moved:
                    pairs.append((overlap + alike, track_index, face_index))
        return pairs


def _look(image: Image, landmarks: Floats) -> Floats:
    crop = align_face(image, landmarks, size=_LOOK_PX * 2, margin=1.2).image
    small = cv2.resize(crop, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    look = small.astype(np.float32).reshape(-1, 3)
    look = (look - look.mean(0)).ravel()
    return np.asarray(look / max(float(np.linalg.norm(look)), 1e-6), np.float32)


def _shift(first: Floats, second: Floats) -> float:
    """Distance of the centres over the side of the first box."""
    centres = (first[:2] + first[2:]) / 2 - (second[:2] + second[2:]) / 2
    return float(np.linalg.norm(centres) / max(float((first[2:] - first[:2]).max()), 1e-6))
