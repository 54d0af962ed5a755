"""Heat maps laid over the crop that they belong to, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.detectors.overlay import overlay

if TYPE_CHECKING:
    from unmask.explain.heat_maps import HeatMap
    from unmask.types import Image

_CAPTION_PX = 18
_GAP_PX = 4
_PAPER, _INK = 255, (40, 40, 40)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def panel(image: Image, heat_maps: Sequence[HeatMap]) -> Image:
    """The crop, and beside it each heat map over it, with the method's name below.

    Args:
        image: (S, S, 3) uint8 RGB, the crop that was explained.
        heat_maps: Of this crop; tinted as in scan reports.

    Returns:
        (S + caption, width, 3) uint8 RGB.
    """
    pictures = [(f"logit {heat_maps[0].logit:+.2f}" if heat_maps else "", image)]
    pictures += [(heat.method.replace("_", " "), overlay(image, heat.values)) for heat in heat_maps]
    columns: list[Image] = []
    for caption, picture in pictures:
        columns += [_gap(picture), _with_caption(picture, caption)]
    return np.ascontiguousarray(np.hstack(columns[1:]))


def _with_caption(picture: Image, caption: str) -> Image:
    strip = np.full((_CAPTION_PX, picture.shape[1], 3), _PAPER, np.uint8)
    (width, _), _ = cv2.getTextSize(caption, _FONT, 1.0, 1)
    scale = min(0.45, (picture.shape[1] - 4) / max(width, 1))
    cv2.putText(strip, caption, (2, _CAPTION_PX - 5), _FONT, scale, _INK, 1, cv2.LINE_AA)
    return np.vstack([picture, strip])


def _gap(picture: Image) -> Image:
    return np.full((picture.shape[0] + _CAPTION_PX, _GAP_PX, 3), _PAPER, np.uint8)
