"""Signs of the head's pose, sharpness, and how much of a face is in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from unmask.faces.finder import FaceFinder
from unmask.faces.mesh import Mesh
from unmask.faces.quality import assess, head_pose, sharpness
from unmask.faces.topology import CHIN, FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK

if TYPE_CHECKING:
    from unmask.types import Face, Floats, Image


def frontal_head() -> Floats:
    """A mesh that looks straight at the camera; z grows away from it."""
    points = np.zeros((468, 3), np.float32)
    points[LEFT_CHEEK] = (50, 0, 0)  # the person's left is on the right of the picture
    points[RIGHT_CHEEK] = (-50, 0, 0)
    points[FOREHEAD] = (0, -70, 0)
    points[CHIN] = (0, 70, 0)
    points[1] = (0, 10, -40)  # the nose is nearest
    return points


def turned(points: Floats, axis: str, degrees: float) -> Floats:
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = {
        "yaw": [[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]],
        "pitch": [[1, 0, 0], [0, cos, sin], [0, -sin, cos]],
        "roll": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
    }[axis]
    return (points @ np.asarray(matrix, np.float32).T).astype(np.float32)


@pytest.mark.parametrize("degrees", [-40, -10, 0, 25])
def test_pose_is_signed_as_documented(degrees: float) -> None:
    head = frontal_head()
    seen_right = turned(head, "yaw", degrees)
    # What "right" and "up" mean is read off the nose, not off the formula under test.
    assert np.sign(seen_right[1, 0].round(3)) == np.sign(degrees)
    assert head_pose(seen_right) == pytest.approx((degrees, 0, 0), abs=1e-3)
    looking_up = turned(head, "pitch", degrees)
    assert np.sign((10 * np.cos(np.radians(degrees)) - looking_up[1, 1]).round(3)) == np.sign(
        degrees
    )
    assert head_pose(looking_up) == pytest.approx((0, degrees, 0), abs=1e-3)
    clockwise = turned(head, "roll", degrees)
    assert np.sign(clockwise[LEFT_CHEEK, 1].round(3)) == np.sign(degrees)
    assert head_pose(clockwise) == pytest.approx((0, 0, degrees), abs=1e-3)


def test_mirroring_a_picture_turns_yaw_and_roll_around(
    finder: FaceFinder, astronaut: Image, astronaut_face: Face
) -> None:
    mirrored = finder.find(np.ascontiguousarray(astronaut[:, ::-1]))[0].quality
    seen = astronaut_face.quality
    assert mirrored.yaw_deg == pytest.approx(-seen.yaw_deg, abs=5)
    assert mirrored.roll_deg == pytest.approx(-seen.roll_deg, abs=3)
    assert mirrored.pitch_deg == pytest.approx(seen.pitch_deg, abs=5)


def test_blur_lowers_sharpness_and_size_hardly_changes_it(
    astronaut: Image, astronaut_face: Face
) -> None:
    sharp = sharpness(astronaut, astronaut_face.landmarks)
    blurred = cv2.GaussianBlur(astronaut, (0, 0), 4)
    assert sharpness(np.asarray(blurred), astronaut_face.landmarks) < sharp / 10
    double = np.asarray(cv2.resize(astronaut, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    assert sharpness(double, astronaut_face.landmarks * 2) == pytest.approx(sharp, rel=0.35)


def test_visible_fraction_of_a_face_at_the_edge(astronaut: Image, astronaut_face: Face) -> None:
    assert astronaut_face.quality.visible_fraction == pytest.approx(1.0, abs=1e-6)
    left, _, right, _ = astronaut_face.bbox_xyxy
    cut = int((left + right) / 2)
    half = np.ascontiguousarray(astronaut[:, cut:])
    points = np.concatenate([astronaut_face.landmarks, np.zeros((468, 1), np.float32)], 1)
    quality = assess(half, Mesh(points - np.float32([cut, 0, 0]), 1.0))
    assert 0.3 < quality.visible_fraction < 0.7
