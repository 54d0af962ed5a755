"""Random regions of faces, for a network that learns to paint regions anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.faces.masks import MASK_KINDS, face_mask

if TYPE_CHECKING:
    from unmask.types import Floats

_LEAST_SHARE, _MOST_SHARE = 0.2, 0.7
_LANDMARKS = 0.6


def random_region(landmarks: Floats, size_px: int, rng: np.random.Generator) -> Floats:
    """A part of the face drawn from its landmarks, or a box anywhere; (size, size) of 0 and 1.

    Args:
        landmarks: (468, 2) mesh points in the crop's pixels.
        size_px: Side of the crop.
        rng: Source of all randomness.
    """
    if rng.random() < _LANDMARKS:
        kind = MASK_KINDS[int(rng.integers(len(MASK_KINDS)))]
        return face_mask(landmarks, size_px, size_px, kind=kind, grow=float(rng.uniform(0, 0.12)))
    mask = np.zeros((size_px, size_px), np.float32)
    height, width = rng.uniform(_LEAST_SHARE, _MOST_SHARE, 2) * size_px
    top = int(rng.uniform(0, size_px - height))
    left = int(rng.uniform(0, size_px - width))
    mask[top : top + int(height) + 1, left : left + int(width) + 1] = 1
    return mask
