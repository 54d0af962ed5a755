"""Finding the one face that fills a small crop, as generators paint them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.forge.following import shared_finder

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_LEAST_PX = 192
_BORDER = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class SmallFace:
    """What the mesh sees in a crop.

    Attributes:
        landmarks: (468, 2) in pixels of the crop.
        pose_deg: Yaw, pitch and roll.
    """

    landmarks: Floats
    pose_deg: tuple[float, float, float]


def face_in(image: Image) -> SmallFace | None:
    """The largest face of a crop, or None where the mesh finds none.

    Crops are small and tight: they are enlarged and given a border, as the finder expects.

    Args:
        image: (S, S, 3) uint8 RGB.

    Raises:
        ModelUnavailable: The face models are absent and cannot be fetched.
    """
    grow = max(1.0, _LEAST_PX / image.shape[0])
    border = round(_BORDER * image.shape[0] * grow)
    large = cv2.resize(image, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
    faces = shared_finder().find(np.asarray(framed, np.uint8), thorough=False)
    if not faces:
        return None
    landmarks = np.asarray((faces[0].landmarks - border + 0.5) / grow - 0.5, np.float32)
    quality = faces[0].quality
    return SmallFace(landmarks, (quality.yaw_deg, quality.pitch_deg, quality.roll_deg))
