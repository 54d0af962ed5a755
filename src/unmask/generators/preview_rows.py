"""Sheets of pictures that show where training stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.generators._face_tensors import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Image

    Pixels = NDArray[np.uint8]

_GAP_PX = 2


def titled_columns(columns: Mapping[str, Pixels], side: int = 128) -> Image:
    """Lay pictures out: each column (N, S, S, 3) under its heading, thin white lines between.

    Pictures smaller than ``side`` are enlarged to it: to be seen, and to have room for labels.
    """
    large = {
        title: np.stack([resized(one, max(side, one.shape[0])) for one in pictures])
        for title, pictures in columns.items()
    }
    edges = ((0, 0), (0, _GAP_PX), (0, _GAP_PX), (0, 0))
    ruled = {title: np.pad(one, edges, constant_values=255) for title, one in large.items()}
    whole = [
        np.concatenate([_heading(title, pictures.shape[2]), *pictures], 0)
        for title, pictures in ruled.items()
    ]
    return np.concatenate(whole, 1)


def in_rows(images: Sequence[Image] | Pixels, columns: int) -> Image:
    """Lay pictures of one size in rows, with a narrow white gap."""
    side = images[0].shape[0]
    rows = math.ceil(len(images) / columns)
    step = side + _GAP_PX
    sheet = np.full((rows * step - _GAP_PX, columns * step - _GAP_PX, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * step, (number % columns) * step
        sheet[top : top + side, left : left + side] = image
    return sheet


def _heading(title: str, width: int) -> Pixels:
    strip = np.full((14, width, 3), 255, np.uint8)
    cv2.putText(strip, title, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
