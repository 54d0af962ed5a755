"""How well a face can be judged: size, sharpness, pose, how much of it is in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.alignment import align_face
from unmask.faces.topology import CHIN, FACE_OVAL, FOREHEAD, LEFT_CHEEK, RIGHT_CHEEK
from unmask.types import Quality

if TYPE_CHECKING:
    from unmask.faces.mesh import Mesh
    from unmask.types import Floats, Image

_SHARPNESS_PX = 128


def assess(image: Image, mesh: Mesh) -> Quality:
    """Measure the quality of one face; see :class:`unmask.types.Quality` for units."""
    hull = mesh.points[:, :2]
    yaw, pitch, roll = head_pose(mesh.points)
    return Quality(
        face_px=float((hull.max(0) - hull.min(0)).max()),
        sharpness=sharpness(image, hull),
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        landmark_score=mesh.score,
        visible_fraction=_visible_fraction(hull, image.shape[1], image.shape[0]),
    )


def sharpness(image: Image, landmarks: Floats) -> float:
    """Variance of the Laplacian of the grey face at 128 px, so faces of any size compare."""
    crop = align_face(image, landmarks, size=_SHARPNESS_PX, margin=1.0).image
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def head_pose(points: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees from the (468, 3) mesh.

    Angles of the lines cheek-cheek and forehead-chin against the picture plane. The mesh has no
    camera model, so they are good to about ten degrees: enough for gates and slices.
    """
    across = points[LEFT_CHEEK] - points[RIGHT_CHEEK]
    down = points[CHIN] - points[FOREHEAD]
    yaw = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    # A chin that comes nearer (smaller z) than the forehead is a face that looks up.
    pitch = np.degrees(np.arctan2(-down[2], np.hypot(down[0], down[1])))
    roll = np.degrees(np.arctan2(across[1], across[0]))
    return float(yaw), float(pitch), float(roll)


def _visible_fraction(hull: Floats, width: int, height: int) -> float:
    oval = np.asarray(hull[list(FACE_OVAL)], np.float32)
    whole = cv2.contourArea(oval)
    if whole <= 0:
        return 0.0
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inside, _ = cv2.intersectConvexConvex(cv2.convexHull(oval), frame)
    return float(np.clip(inside / cv2.contourArea(cv2.convexHull(oval)), 0.0, 1.0))
