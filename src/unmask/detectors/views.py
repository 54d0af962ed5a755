"""Cutting a face out in every way that a detector wants to see it.

One place for scanning and calibration alike, so that both score the same crops.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unmask.faces.alignment import align_region

if TYPE_CHECKING:
    from unmask.detectors.base import DetectorSpec
    from unmask.faces.mesh import Region
    from unmask.types import Image


def face_views(image: Image, tight: Region, spec: DetectorSpec) -> list[Image]:
    """Crops of one face, one for each view of the detector.

    Args:
        image: (H, W, 3) uint8 RGB.
        tight: The square around the face hull, with margin 1
            (:func:`unmask.faces.mesh.upright_region`).
        spec: Whose views.

    Returns:
        (S, S, 3) uint8 RGB each, the first not mirrored.
    """
    crops = []
    for margin, mirrored in spec.views:
        region = replace(tight, side_px=tight.side_px * margin)
        crop = align_region(image, region, spec.input_px).image
        crops.append(np.ascontiguousarray(crop[:, ::-1]) if mirrored else crop)
    return crops
