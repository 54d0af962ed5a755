"""A map laid over the face that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_STRONGEST_TINT = 0.75


def overlay(crop: Image, probability: Floats) -> Image:
    """Lay a manipulation map over the face it belongs to.

    Args:
        crop: (S, S, 3) the face.
        probability: (h, w) in 0..1. Where it is 0 the face shows unchanged; towards 1 it is
            tinted through purple and orange to yellow (the "inferno" scale).
    """
    size = (crop.shape[1], crop.shape[0])
    smooth = np.clip(cv2.resize(probability, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    tint = cv2.cvtColor(colours, cv2.COLOR_BGR2RGB).astype(np.float32)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    weight = (smooth * _STRONGEST_TINT)[..., None]
    return np.asarray(np.clip(grey * (1 - weight) + tint * weight, 0, 255), np.uint8)
