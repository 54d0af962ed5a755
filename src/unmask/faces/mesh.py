"""468 face points and ten iris points for a face that was found.

Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile
GPUs", 2019; Ablavatski et al., "Real-time Pupil Tracking from Monocular Video", 2020. What
differs: the mesh is run a second time on a region made from its own first answer, which takes
out most of the error that a loose or tilted detection box causes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces import assets
from unmask.faces.topology import LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.faces.detection import Detection
    from unmask.types import Floats, Image

_MESH_PX, _IRIS_PX = 192, 64
_MESH_ROOM = 1.5
_IRIS_ROOM = 2.3


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A face surface.

    Attributes:
        points: (468, 3) float32: x and y in pixels of the picture, z in the same unit
            (smaller is nearer to the camera).
        score: The network's confidence that there is a face, 0..1.
    """

    points: Floats
    score: float


@dataclass(frozen=True, slots=True)
class Region:
    """A rotated square.

    Attributes:
        centre: (x, y) in pixels.
        side_px: Length of a side.
        roll_rad: Clockwise rotation of the square in the picture.
    """

    centre: tuple[float, float]
    side_px: float
    roll_rad: float

    def matrix(self, size: int) -> Floats:
        """(2, 3) affine map from pixels of the picture to a ``size`` x ``size`` square."""
        scale = size / max(self.side_px, 1e-3)
        cos, sin = np.cos(-self.roll_rad) * scale, np.sin(-self.roll_rad) * scale
        x, y = self.centre
        return np.array(
            [
                [cos, -sin, size / 2 - cos * x + sin * y],
                [sin, cos, size / 2 - sin * x - cos * y],
            ],
            np.float32,
        )


class MeshEstimator:
    """The mesh and iris networks, each loaded once."""

    def __init__(self) -> None:
        self._mesh = Session(assets.path_of("face_mesh"), wait=False)

    @cached_property
    def _iris(self) -> Session:
        # Scanning does without: the first use pays for loading it.
        return Session(assets.path_of("iris"), wait=False)

    def from_detection(self, image: Image, found: Detection) -> Mesh:
        """Fit the mesh to a detected face."""
        right, left = found.keypoints[0], found.keypoints[1]
        roll = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        box = found.bbox_xyxy
        centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
        side = float(max(box[2] - box[0], box[3] - box[1])) * _MESH_ROOM
        first = self._fit(image, Region(centre, side, roll))
        return self.refine(image, first)

    def refine(self, image: Image, mesh: Mesh) -> Mesh:
        """Fit the mesh again, on the region where ``mesh`` says the face is.

        Also follows a face from one frame of a film to the next.
        """
        return self._fit(image, upright_region(mesh.points[:, :2], _MESH_ROOM))

    def iris(self, image: Image, mesh: Mesh) -> Floats:
        """(10, 2) iris points: centre and four on the edge, left eye then right eye."""
        points = mesh.points[:, :2]
        roll = roll_of(points)
        left = self._one_iris(image, points[list(LEFT_EYE_CORNERS)], roll, mirrored=False)
        right = self._one_iris(image, points[list(RIGHT_EYE_CORNERS)], roll, mirrored=True)
        return np.concatenate([left, right]).astype(np.float32)

    def _fit(self, image: Image, region: Region) -> Mesh:
        pixels = _sample(image, region, _MESH_PX)
        points, logit = self._mesh.run(pixels)
        score = float(1.0 / (1.0 + np.exp(-np.clip(logit.reshape(-1)[0], -80, 80))))
        local = points.reshape(468, 3)
        back = cv2.invertAffineTransform(region.matrix(_MESH_PX))
        xy = local[:, :2] @ back[:, :2].T + back[:, 2]
        z = local[:, 2:] * (region.side_px / _MESH_PX)
        return Mesh(np.concatenate([xy, z], 1).astype(np.float32), score)

    def _one_iris(self, image: Image, corners: Floats, roll: float, *, mirrored: bool) -> Floats:
        centre = corners.mean(0)
        side = float(np.linalg.norm(corners[1] - corners[0])) * _IRIS_ROOM
        region = Region((float(centre[0]), float(centre[1])), side, roll)
        pixels = _sample(image, region, _IRIS_PX)
        if mirrored:  # the network knows left eyes only
            pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        outputs = self._iris.run(pixels)
        local = next(o for o in outputs if o.size == 15).reshape(5, 3)[:, :2].copy()
        if mirrored:
            local[:, 0] = _IRIS_PX - local[:, 0]
        back = cv2.invertAffineTransform(region.matrix(_IRIS_PX))
        return np.asarray(local @ back[:, :2].T + back[:, 2], np.float32)


def roll_of(points: Floats) -> float:
    """In-plane rotation in radians, clockwise positive, from the outer eye corners."""
    across = points[LEFT_EYE_CORNERS[1]] - points[RIGHT_EYE_CORNERS[0]]
    return float(np.arctan2(across[1], across[0]))


def upright_region(points: Floats, room: float) -> Region:
    """The square around the points, turned with the head, ``room`` times their extent."""
    roll = roll_of(points)
    cos, sin = np.cos(-roll), np.sin(-roll)
    turned = points @ np.array([[cos, sin], [-sin, cos]], np.float32)
    low, high = turned.min(0), turned.max(0)
    middle = (low + high) / 2
    centre = np.array([[cos, -sin], [sin, cos]], np.float32).T @ middle
    side = float((high - low).max()) * room
    return Region((float(centre[0]), float(centre[1])), side, roll)


def _sample(image: Image, region: Region, size: int) -> Floats:
    warped = cv2.warpAffine(image, region.matrix(size), (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(warped[None], np.float32) / np.float32(255)
