"""What is refused before it is decoded; each message names the value, the limit and its flag."""

from __future__ import annotations

from unmask.errors import LimitExceeded
from unmask.types import Limits

_HINT = "If you trust this file, allow it with {flag} {value}."


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Refuse a file that is too large.

    Raises:
        LimitExceeded: ``size_bytes`` is above ``limits.max_bytes``.
    """
    if size_bytes > limits.max_bytes:
        raise LimitExceeded(
            f"The file has {size_bytes} bytes; the limit is {limits.max_bytes}.",
            hint=_HINT.format(flag="--max-bytes", value=size_bytes),
        )


def check_pixels(width_px: int, height_px: int, limits: Limits) -> None:
    """Refuse a picture or frame that is too large.

    Raises:
        LimitExceeded: Width times height is above ``limits.max_pixels``.
    """
    pixels = width_px * height_px
    if pixels > limits.max_pixels:
        raise LimitExceeded(
            f"The picture is {width_px} x {height_px} = {pixels} pixels; "
            f"the limit is {limits.max_pixels}.",
            hint=_HINT.format(flag="--max-pixels", value=pixels),
        )


def check_duration(duration_s: float | None, limits: Limits) -> None:
    """Refuse a film that is too long; None (not known) passes.

    Raises:
        LimitExceeded: ``duration_s`` is above ``limits.max_duration_s``.
    """
    if duration_s is not None and duration_s > limits.max_duration_s:
        raise LimitExceeded(
            f"The film lasts {duration_s:.1f} s; the limit is {limits.max_duration_s:g} s.",
            hint=_HINT.format(flag="--max-duration", value=int(duration_s) + 1),
        )


def check_frames(frames: int, limits: Limits) -> None:
    """Refuse to decode too many frames of one input.

    Raises:
        LimitExceeded: ``frames`` is above ``limits.max_frames``.
    """
    if frames > limits.max_frames:
        raise LimitExceeded(
            f"{frames} frames would have to be decoded; the limit is {limits.max_frames}.",
            hint=_HINT.format(flag="--max-frames", value=frames) + " Or ask for fewer: --frames N.",
        )
