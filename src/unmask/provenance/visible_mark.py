"""The visible mark: a bar along the lower edge that says "synthetic" and how it was made.

It speaks to everybody who only looks. It covers what is below it, on purpose: a mark that leaves
the picture whole is one that is retouched in a minute. A reader of pixels alone can be sure of
nothing, so the mark is one label of four.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import ImageFont

    from unmask.types import Image

WORD = "SYNTHETIC"
"""What every mark begins with."""
MIN_SIDE_PX = 128
"""Shorter side from which a picture has room for its labels."""

_LETTERS = (255, 220, 60)
_BAR = (20, 20, 20)
# 1 / 30 of the shorter side is still read where a 4K frame is shown as a small picture in a feed;
# 11 pixels are the least at which the letters keep their form.
_SIDE_A_LETTER = 30
_MIN_LETTER_PX = 11


def with_visible_mark(image: Image, method: str) -> Image:
    """Return the picture with the mark in its lowest rows; there is no way to leave it out.

    Args:
        image: (H, W, 3) uint8 RGB, H and W at least :data:`MIN_SIDE_PX`
            (see :func:`with_room_for_labels`).
        method: Id of the forgery; underscores are shown as spaces.

    Returns:
        (H, W, 3), a copy.
    """
    height, width = image.shape[:2]
    bar = _bar(width, height, method)
    marked = image.copy()
    marked[height - len(bar) :] = bar
    return marked


def with_room_for_labels(image: Image) -> Image:
    """Enlarge a picture that is too small to carry a mark and a watermark.

    Every pixel becomes a square of as many as it takes, so nothing is invented.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (k H, k W, 3) with k the least whole number for which both sides reach
        :data:`MIN_SIDE_PX`; the same array where k is 1.
    """
    factor = -(-MIN_SIDE_PX // min(image.shape[:2]))
    return image if factor <= 1 else image.repeat(factor, 0).repeat(factor, 1)


@lru_cache(maxsize=8)
def _bar(width: int, height: int, method: str) -> Image:
    """The lowest rows of every picture of this size, (bar height, width, 3)."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    letter_px = max(_MIN_LETTER_PX, min(width, height) // _SIDE_A_LETTER)
    font = _font(letter_px)
    margin = max(3, letter_px // 3)
    lines = _lines(f"{WORD} - {method.replace('_', ' ')} - Unmask", font, width - 2 * margin)
    line_px = letter_px + margin
    canvas = Pillow.new("RGB", (width, min(height, len(lines) * line_px + margin)), _BAR)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        middle = margin + number * line_px + letter_px / 2
        draw.text((margin, middle), line, fill=_LETTERS, font=font, anchor="lm")
    bar = np.asarray(canvas, np.uint8)
    bar.setflags(write=False)  # kept for the next frame
    return bar


def _lines(text: str, font: ImageFont.FreeTypeFont, room_px: float) -> list[str]:
    """The words of ``text`` in as few lines as there is room for."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) > room_px:
            lines[-1] = lines[-1].removesuffix(" -")
            lines.append(word)
        else:
            lines[-1:] = [longer]
    return [line for line in lines if line != "-"]


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    font = ImageFont.load_default(size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, so the mark cannot be written")
    return font
