"""Pictures for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from unmask.types import Image


def encode_png(image: Image) -> bytes:
    """(H, W, 3) RGB as PNG bytes, without any metadata."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return bytes(data.tobytes())
