"""Which frames of a film are looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from unmask.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many frames are taken, spread evenly over time.

    Attributes:
        frames: Frames wanted, at least 1; None takes every frame.

    Raises:
        UsageError: ``frames`` is below 1.
    """

    frames: int | None = 32

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 1:
            raise UsageError(
                f"{self.frames} frames were asked for; at least 1 is needed.",
                hint="Use --frames N with N from 1, or --frames all.",
            )

    def describe(self) -> str:
        """Say it in words: ``32 spread evenly`` or ``all``."""
        return "all" if self.frames is None else f"{self.frames} spread evenly"


def pick(times: Sequence[float], end: float, wanted: int | None) -> list[int]:
    """Choose which frames to take so that they lie evenly in time.

    The span from the first frame to ``end`` is cut into ``wanted`` equal parts; of each part
    the frame that is on screen at its middle is taken. A frame that stays on screen for
    several parts is taken once, so that fewer than ``wanted`` may come back.

    Args:
        times: When each frame appears, rising; any unit.
        end: When the last frame disappears, same unit.
        wanted: Frames wanted, or None for all.

    Returns:
        Rising positions in ``times``.
    """
    count = len(times)
    if wanted is None or count <= wanted:
        return list(range(count))
    start = times[0]
    step = (max(end, times[-1]) - start) / wanted
    middles = (start + (part + 0.5) * step for part in range(wanted))
    return sorted({max(0, bisect_right(times, middle) - 1) for middle in middles})
