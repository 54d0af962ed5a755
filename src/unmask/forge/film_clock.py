"""From frames with times to frames at a constant rate, so that sound stays in step.

Films from telephones and meetings change their rate; an encoder that is given one rate would let
the picture run ahead of the sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmask.types import Image

_FALLBACK = Fraction(25)
_MAX_RATE = 120
_SAME = 0.02


def constant_rate(pts_s: Sequence[float], stated: float | None) -> Fraction:
    """The rate at which a film is written again.

    Args:
        pts_s: (T,) rising times of its frames.
        stated: Average rate by the file, or None.

    Returns:
        The stated rate where frames keep to it; else that of the film's usual step, at which no
        more than a few frames come twice.
    """
    if len(pts_s) < 3:
        return Fraction(stated).limit_denominator(1001) if stated else _FALLBACK
    usual = 1.0 / max(float(np.median(np.diff(pts_s))), 1.0 / _MAX_RATE)
    if stated and abs(stated / usual - 1) < _SAME:
        return Fraction(stated).limit_denominator(1001)
    return Fraction(usual).limit_denominator(1001 if usual < 1 else 1)


def at_constant_rate(
    frames: Iterable[tuple[float, Image]], rate: Fraction, start_s: float
) -> Iterator[Image]:
    """Show each frame from its time to that of the next, on a clock that ticks at ``rate``.

    Args:
        frames: Times in seconds and pictures, in order.
        rate: Ticks a second.
        start_s: Time of the first tick.
    """
    held: Image | None = None
    tick = 0
    for pts_s, image in frames:
        index = max(0, round((pts_s - start_s) * float(rate)))
        while held is not None and tick < index:
            yield held
            tick += 1
        held = image
    if held is not None:
        yield held
