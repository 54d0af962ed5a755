"""Finding faces: near, far, tight, turned, several, none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from skimage import data

from unmask.faces import topology
from unmask.faces.detection import iou
from unmask.faces.finder import FaceFinder

if TYPE_CHECKING:
    from unmask.types import Face, Image

# Where the faces are, read off the pictures by eye: left, top, right, bottom.
ASTRONAUT_BOX = (173, 62, 275, 198)
HOPPER_BOX = (163, 99, 353, 355)


def overlap(face: Face, box: tuple[float, float, float, float]) -> float:
    mine = np.asarray(face.bbox_xyxy, np.float32)
    return float(iou(mine, np.asarray(box, np.float32)[None])[0])


@pytest.mark.parametrize(("name", "box"), [("astronaut", ASTRONAUT_BOX), ("hopper", HOPPER_BOX)])
def test_portrait_has_one_face_where_it_is(
    finder: FaceFinder,
    portraits: dict[str, Image],
    name: str,
    box: tuple[float, float, float, float],
) -> None:
    faces = finder.find(portraits[name])
    assert len(faces) == 1
    assert overlap(faces[0], box) > 0.6
    assert faces[0].landmarks.shape == (468, 2)
    assert faces[0].landmarks.dtype == np.float32
    assert faces[0].quality.landmark_score > 0.9


def test_landmarks_name_what_they_say(astronaut_face: Face) -> None:
    points = astronaut_face.landmarks
    right_eye = points[list(topology.RIGHT_EYE)].mean(0)
    left_eye = points[list(topology.LEFT_EYE)].mean(0)
    lips = points[list(topology.LIPS)].mean(0)
    nose = points[list(topology.NOSE)].mean(0)
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is on the picture's left
    assert right_eye[1] < nose[1] < lips[1] < points[topology.CHIN][1]
    assert points[topology.FOREHEAD][1] < right_eye[1]


def test_iris_lies_inside_its_eye(astronaut_face: Face) -> None:
    iris = astronaut_face.iris
    assert iris is not None
    assert iris.shape == (10, 2)
    for centre, eye in ((iris[0], topology.LEFT_EYE), (iris[5], topology.RIGHT_EYE)):
        corners = astronaut_face.landmarks[list(eye)]
        room = 2.0
        assert (corners.min(0) - room <= centre).all()
        assert (centre <= corners.max(0) + room).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_picture_gives_the_same_landmarks_turned(
    finder: FaceFinder, astronaut: Image, astronaut_face: Face, turns: int
) -> None:
    turned = np.ascontiguousarray(np.rot90(astronaut, turns))
    faces = finder.find(turned)
    assert len(faces) >= 1
    size = astronaut.shape[0]  # the picture is a square
    x, y = astronaut_face.landmarks.T
    expected = {
        1: (y, size - 1 - x),
        2: (size - 1 - x, size - 1 - y),
        3: (size - 1 - y, x),
    }[turns]
    gap = np.linalg.norm(faces[0].landmarks - np.stack(expected, 1), axis=1)
    assert np.median(gap) < 0.08 * astronaut_face.quality.face_px


def test_tight_crop_that_is_all_face(finder: FaceFinder, hopper: Image, hopper_face: Face) -> None:
    left, top, right, bottom = (round(value) for value in hopper_face.bbox_xyxy)
    crop = np.ascontiguousarray(hopper[top:bottom, left:right])
    tight = np.asarray(cv2.resize(crop, (224, 224), interpolation=cv2.INTER_AREA))
    faces = finder.find(tight)
    assert len(faces) == 1
    assert faces[0].quality.face_px > 170


def test_small_face_in_a_large_picture(finder: FaceFinder, astronaut: Image) -> None:
    canvas = np.full((1200, 1600, 3), 96, np.uint8)
    small = cv2.resize(astronaut, (160, 160), interpolation=cv2.INTER_AREA)
    canvas[900:1060, 1300:1460] = small
    faces = finder.find(canvas)
    assert len(faces) == 1
    scale = 160 / 512
    box = tuple(v * scale + o for v, o in zip(ASTRONAUT_BOX, (1300, 900, 1300, 900), strict=True))
    assert overlap(faces[0], box) > 0.5
    assert 30 < faces[0].quality.face_px < 60


def test_two_faces_largest_first_and_a_limit(
    finder: FaceFinder, astronaut: Image, hopper: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = np.zeros((606, 1100, 3), np.uint8)
    both[:512, :512] = astronaut
    both[:600, 560:1072] = hopper
    faces = finder.find(both)
    assert len(faces) == 2
    assert faces[0].bbox_xyxy[0] > 560  # the larger one is on the right
    assert faces[0].quality.face_px > faces[1].quality.face_px
    monkeypatch.setattr(finder, "max_faces", 1)
    assert len(finder.find(both)) == 1


def test_following_agrees_with_finding(
    finder: FaceFinder, hopper: Image, hopper_face: Face
) -> None:
    shifted = np.roll(hopper, (4, 6), (0, 1))
    followed = finder.follow(shifted, [hopper_face])
    assert followed is not None
    found = finder.find(shifted)[0]
    gap = np.abs(followed[0].landmarks - found.landmarks).max()
    assert gap < 0.03 * found.quality.face_px


def test_a_face_that_left_is_lost(finder: FaceFinder, hopper: Image, hopper_face: Face) -> None:
    assert finder.follow(np.full_like(hopper, 128), [hopper_face]) is None


def no_faces() -> list[Image]:
    rng = np.random.default_rng(3)
    coins = np.repeat(np.asarray(data.coins())[..., None], 3, 2)
    return [
        coins,
        rng.integers(0, 256, (320, 480, 3)).astype(np.uint8),
        np.zeros((200, 200, 3), np.uint8),
        np.full((1, 1, 3), 255, np.uint8),
        np.full((700, 2, 3), 255, np.uint8),
    ]


@pytest.mark.parametrize("number", range(5))
def test_no_face_where_there_is_none(finder: FaceFinder, number: int) -> None:
    assert finder.find(no_faces()[number]) == []


def test_the_same_picture_gives_the_same_numbers(finder: FaceFinder, astronaut: Image) -> None:
    first, second = finder.find(astronaut)[0], finder.find(astronaut)[0]
    assert np.array_equal(first.landmarks, second.landmarks)
    assert first.quality == second.quality


def test_moving_finds_the_landmarks_that_following_finds(
    finder: FaceFinder, hopper: Image, hopper_face: Face
) -> None:
    shifted = np.roll(hopper, (4, -6), axis=(0, 1))
    followed, moved = finder.follow(shifted, [hopper_face]), finder.move(shifted, [hopper_face])
    assert followed is not None
    assert moved is not None
    np.testing.assert_array_equal(moved[0].landmarks, followed[0].landmarks)
    assert moved[0].bbox_xyxy == followed[0].bbox_xyxy
    assert moved[0].quality == hopper_face.quality  # not measured anew


def test_moving_says_when_a_face_is_lost_or_two_become_one(
    finder: FaceFinder, hopper: Image, hopper_face: Face
) -> None:
    assert finder.move(np.full_like(hopper, 128), [hopper_face]) is None
    assert finder.move(hopper, [hopper_face, hopper_face]) is None
