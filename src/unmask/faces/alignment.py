"""Cutting a face out of a frame: upright, centred, at a stated scale.

The same function serves training and analysis, so a detector sees one kind of crop only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.mesh import Region, upright_region

if TYPE_CHECKING:
    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """A face crop and the way back.

    Attributes:
        image: (size, size, 3) uint8 RGB; beyond the picture's edge its pixels are mirrored.
        matrix: (2, 3) float32 affine map, pixels of the frame -> pixels of the crop.
    """

    image: Image
    matrix: Floats

    def points(self, landmarks: Floats) -> Floats:
        """Map (N, 2) points of the frame into the crop."""
        return np.asarray(landmarks @ self.matrix[:, :2].T + self.matrix[:, 2], np.float32)


def align_face(image: Image, landmarks: Floats, *, size: int, margin: float) -> AlignedFace:
    """Cut out a face by a similarity transform (rotation, scale, shift: no shear).

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (468, 2) mesh points in its pixels.
        size: Side of the crop in pixels.
        margin: Side of the square over the longer side of the face hull; 1.0 is tight.
    """
    return align_region(image, upright_region(landmarks, margin), size)


def align_region(image: Image, region: Region, size: int) -> AlignedFace:
    """Cut out a rotated square; see :func:`align_face`."""
    matrix = region.matrix(size)
    shrink = int(region.side_px / size / 1.5)
    if shrink <= 1:
        return AlignedFace(_warp(image, matrix, size), matrix)
    # A warp samples points, so strong reduction would alias: average blocks of pixels first.
    window, origin = _window(image, region)
    if window.size == 0:  # wholly beyond the picture: the mirrored edge is all there is
        return AlignedFace(_warp(image, matrix, size), matrix)
    reduced = cv2.resize(window, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    x, y = region.centre
    near = ((x - origin[0] + 0.5) / shrink - 0.5, (y - origin[1] + 0.5) / shrink - 0.5)
    local = Region(near, region.side_px / shrink, region.roll_rad).matrix(size)
    return AlignedFace(_warp(np.asarray(reduced, np.uint8), local, size), matrix)


def _warp(image: Image, matrix: Floats, size: int) -> Image:
    warped = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)


def _window(image: Image, region: Region) -> tuple[Image, tuple[int, int]]:
    reach = region.side_px * 0.75  # half the diagonal of the square, rounded up
    x, y = region.centre
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    right, bottom = max(0, int(x + reach) + 2), max(0, int(y + reach) + 2)
    return image[top:bottom, left:right], (left, top)
