"""One person, one track: crossing, leaving, cutting to another."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.tracking import Tracker

if TYPE_CHECKING:
    from unmask.types import Face, Image

_SIDE = 160


def head(image: Image, face: Face) -> tuple[Image, Face]:
    """The picture cut to a square around the face and brought to one size."""
    left, top, right, bottom = face.bbox_xyxy
    half = max(right - left, bottom - top) * 0.8
    x, y = (left + right) / 2, (top + bottom) / 2
    x0, y0 = int(max(0, x - half)), int(max(0, y - half))
    crop = image[y0 : int(y + half), x0 : int(x + half)]
    scale = (_SIDE / crop.shape[1], _SIDE / crop.shape[0])
    small = np.asarray(cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    points = (face.landmarks - [x0, y0]) * scale
    return small, moved(face, points.astype(np.float32))


def moved(face: Face, landmarks: np.ndarray) -> Face:
    low, high = landmarks.min(0), landmarks.max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    return dataclasses.replace(face, landmarks=landmarks, bbox_xyxy=box)


def scene(heads: list[tuple[Image, Face]], at: list[int]) -> tuple[Image, list[Face]]:
    frame = np.full((200, 800, 3), 70, np.uint8)
    faces = []
    for (image, face), x in zip(heads, at, strict=True):
        frame[20 : 20 + _SIDE, x : x + _SIDE] = image
        faces.append(moved(face, (face.landmarks + np.float32([x, 20])).astype(np.float32)))
    return frame, faces


def test_two_people_who_cross_keep_their_tracks(
    astronaut: Image, astronaut_face: Face, hopper: Image, hopper_face: Face
) -> None:
    people = [head(astronaut, astronaut_face), head(hopper, hopper_face)]
    tracker = Tracker()
    first = tracker.update(*scene(people, [0, 600]), 0.0)
    assert len(set(first)) == 2
    for step in range(1, 13):
        at = [step * 50, 600 - step * 50]
        if abs(at[0] - at[1]) < _SIDE:
            continue  # one hides the other: neither is seen
        frame, faces = scene(people, at)
        assert tracker.update(frame, faces, step * 0.5) == first
        # the order in which the finder names them must not matter
        assert tracker.update(frame, faces[::-1], step * 0.5 + 0.1) == first[::-1]


def test_a_cut_to_somebody_else_in_the_same_place_is_a_new_track(
    astronaut: Image, astronaut_face: Face, hopper: Image, hopper_face: Face
) -> None:
    tracker = Tracker()
    frame, faces = scene([head(astronaut, astronaut_face)], [300])
    assert tracker.update(frame, faces, 0.0) == [0]
    assert tracker.update(frame, faces, 1.0) == [0]
    frame, faces = scene([head(hopper, hopper_face)], [300])
    assert tracker.update(frame, faces, 2.0) == [1]


def test_a_short_absence_is_bridged_and_a_long_one_is_not(
    astronaut: Image, astronaut_face: Face
) -> None:
    frame, faces = scene([head(astronaut, astronaut_face)], [300])
    tracker = Tracker()
    assert tracker.update(frame, faces, 0.0) == [0]
    assert tracker.update(frame, [], 2.0) == []
    assert tracker.update(frame, faces, 4.0) == [0]
    assert tracker.update(frame, faces, 60.0) == [1]
