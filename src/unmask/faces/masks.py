"""Soft-edged regions of a face, drawn from its landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces import topology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.types import Floats

_INNER = (topology.LEFT_EYE, topology.RIGHT_EYE, topology.LEFT_BROW, topology.RIGHT_BROW,
          topology.NOSE, topology.LIPS)  # fmt: skip

MASK_KINDS = ("oval", "inner_hull", "components", "lower_face", "eyes_and_nose", "mouth")


def face_mask(
    landmarks: Floats, height: int, width: int, *, kind: str = "oval", grow: float = 0.0
) -> Floats:
    """Draw one region of a face.

    Args:
        landmarks: (468, 2) mesh points in pixels.
        height: Height of the mask in pixels.
        width: Width of the mask in pixels.
        kind: One of :data:`MASK_KINDS`: the whole face to the hairline, the hull of brows, eyes,
            nose and mouth, those parts apart, the face below the eyes, eyes with nose, the mouth.
        grow: Dilate (positive) or erode (negative) by this share of the face's size.

    Returns:
        (height, width) float32, 0 or 1, hard-edged.

    Raises:
        ValueError: ``kind`` is not one of :data:`MASK_KINDS`.
    """
    canvas = np.zeros((height, width), np.uint8)
    for hull in _hulls(landmarks, kind):
        cv2.fillConvexPoly(canvas, cv2.convexHull(np.round(hull).astype(np.int32)), 1)
    if grow:
        extent = float((landmarks.max(0) - landmarks.min(0)).max())
        side = 2 * max(1, round(abs(grow) * extent)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        canvas = np.asarray((cv2.dilate if grow > 0 else cv2.erode)(canvas, kernel), np.uint8)
    return canvas.astype(np.float32)


def _hulls(landmarks: Floats, kind: str) -> list[Floats]:
    def part(*indices: Sequence[int]) -> Floats:
        return landmarks[[i for group in indices for i in group]]

    if kind == "oval":
        return [part(topology.FACE_OVAL)]
    if kind == "inner_hull":
        return [part(*_INNER)]
    if kind == "components":
        right = part(topology.RIGHT_EYE, topology.RIGHT_BROW)
        left = part(topology.LEFT_EYE, topology.LEFT_BROW)
        return [right, left, part(topology.NOSE), part(topology.LIPS)]
    if kind == "lower_face":
        oval = landmarks[list(topology.FACE_OVAL)]
        eyes_y = part(topology.LEFT_EYE, topology.RIGHT_EYE)[:, 1].mean()
        below = oval[oval[:, 1] > eyes_y]
        return [np.concatenate([below, part(topology.NOSE)])]
    if kind == "eyes_and_nose":
        return [part(*_INNER[:4]), part(topology.NOSE)]
    if kind == "mouth":
        return [part(topology.LIPS)]
    raise ValueError(f"mask kind {kind!r} is unknown; choose one of {', '.join(MASK_KINDS)}")
