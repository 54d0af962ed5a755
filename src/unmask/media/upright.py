"""Turn frames the way the film's display matrix says."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from unmask.types import Image


class Turn(NamedTuple):
    """One of the eight ways in which a picture can lie.

    Attributes:
        clockwise_deg: Rotation to be applied: 0, 90, 180 or 270.
        mirrored: Whether left and right are swapped after the rotation.
    """

    clockwise_deg: int = 0
    mirrored: bool = False

    def apply(self, image: Image) -> Image:
        """Return a turned view of an (H, W, 3) image; nothing is copied."""
        if self.clockwise_deg:
            image = np.rot90(image, k=-self.clockwise_deg // 90)
        return image[:, ::-1] if self.mirrored else image

    def size(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Width and height after turning."""
        return (height_px, width_px) if self.clockwise_deg % 180 else (width_px, height_px)


# Signs of (a, b, c, d) where x' = a x + c y and y' = b x + d y, y pointing down.
_TURNS: dict[tuple[int, int, int, int], Turn] = {
    (0, 1, -1, 0): Turn(90),
    (-1, 0, 0, -1): Turn(180),
    (0, -1, 1, 0): Turn(270),
    (-1, 0, 0, 1): Turn(0, mirrored=True),
    (1, 0, 0, -1): Turn(180, mirrored=True),
    (0, 1, 1, 0): Turn(90, mirrored=True),
    (0, -1, -1, 0): Turn(270, mirrored=True),
}


def turn_of(frame: VideoFrame) -> Turn:
    """Read how a frame is to be turned; odd angles count as none."""
    # Iterating a mapping gives side data here, not keys, whatever PyAV's types say.
    found: Iterator[Any] = iter(frame.side_data)
    matrix = next((bytes(data) for data in found if data.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) != 36:
        return Turn()
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    signs = (round(a / largest), round(b / largest), round(c / largest), round(d / largest))
    return _TURNS.get(signs, Turn())
