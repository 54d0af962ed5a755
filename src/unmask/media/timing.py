"""When the frames of a GIF, APNG or WebP animation appear, read without decoding one of them.

Sources: GIF89a specification, sections 18-24; PNG specification (third edition), 11.3.6
(acTL, fcTL); WebP container specification (ANMF, VP8X).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from unmask.media.limits import check_frames
from unmask.types import Limits

# Viewers show a frame whose stated delay is this short or shorter for SLOW_MS instead.
_TOO_SHORT_MS = 10.0
_SLOW_MS = 100.0


class Timing(NamedTuple):
    """The clock of an animation.

    Attributes:
        starts_s: When each frame appears, from 0.
        end_s: When the last frame disappears.
    """

    starts_s: list[float]
    end_s: float


def read_timing(file: BinaryIO, reader: str, limits: Limits) -> Timing | None:
    """Read the frame times of an animation.

    A file that is cut short gives the times of the frames that begin in what is there.

    Args:
        file: Open for reading, seekable; its position is moved.
        reader: Pillow format id: ``GIF``, ``PNG`` or ``WEBP``; others hold no animation.
        limits: ``max_frames`` bounds what is counted.

    Returns:
        None where there is only one frame.

    Raises:
        LimitExceeded: More frames than ``limits.max_frames``.
    """
    delays_of = _READERS.get(reader)
    if delays_of is None:
        return None
    file.seek(0)
    starts_s: list[float] = []
    clock_ms = 0.0
    for delay_ms in delays_of(file):
        starts_s.append(clock_ms / 1000.0)
        check_frames(len(starts_s), limits)
        clock_ms += _SLOW_MS if delay_ms <= _TOO_SHORT_MS else delay_ms
    return Timing(starts_s, clock_ms / 1000.0) if len(starts_s) > 1 else None


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP by its header; None where the header is not understood.

    Pillow's reader allocates the whole canvas when it opens a file, so that the size must be
    known before.
    """
    chunk, data = head[12:16], head[20:]
    if chunk == b"VP8X" and len(data) >= 10:
        width = int.from_bytes(data[4:7], "little") + 1
        return width, int.from_bytes(data[7:10], "little") + 1
    if chunk == b"VP8L" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(data) >= 10:
        width = int.from_bytes(data[6:8], "little") & 0x3FFF
        return width, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None


def _gif_delays_ms(file: BinaryIO) -> Iterator[float]:
    header = file.read(13)
    if len(header) < 13:
        return
    _skip_colour_table(file, header[10])
    delay_ms = 0.0
    while True:
        block = file.read(1)
        if block == b"!":  # extension; the graphic control carries the next frame's delay
            label = file.read(1)
            control = file.read(6) if label == b"\xf9" else b""
            if len(control) == 6:
                delay_ms = 10.0 * int.from_bytes(control[2:4], "little")
                if control[5] == 0:
                    continue
            _skip_sub_blocks(file)
        elif block == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return
            yield delay_ms
            delay_ms = 0.0
            _skip_colour_table(file, descriptor[8])
            file.seek(1, 1)  # LZW code size
            _skip_sub_blocks(file)
        elif block != b"\0":  # trailer, end of file, or not a GIF any more
            return


def _skip_colour_table(file: BinaryIO, packed: int) -> None:
    if packed & 0x80:
        file.seek(3 << ((packed & 7) + 1), 1)


def _skip_sub_blocks(file: BinaryIO) -> None:
    while size := file.read(1):
        if size == b"\0":
            return
        file.seek(size[0], 1)


def _png_delays_ms(file: BinaryIO) -> Iterator[float]:
    file.seek(8)
    animated = False
    while len(header := file.read(8)) == 8:
        size, kind = int.from_bytes(header[:4], "big"), header[4:]
        if kind == b"acTL":
            animated = True
        if kind == b"IEND" or (kind == b"IDAT" and not animated):
            return
        if kind == b"fcTL" and size == 26:
            data = file.read(26)
            if len(data) < 26:
                return
            delay, per = int.from_bytes(data[20:22], "big"), int.from_bytes(data[22:24], "big")
            yield 1000.0 * delay / (per or 100)
            size = 0
        file.seek(size + 4, 1)


def _webp_delays_ms(file: BinaryIO) -> Iterator[float]:
    file.seek(12)
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[4:], "little")
        after = file.tell() + size + (size & 1)
        if header[:4] == b"ANMF":
            data = file.read(16)
            if len(data) < 16:
                return
            yield float(int.from_bytes(data[12:15], "little"))
        file.seek(after)


_READERS: dict[str, Callable[[BinaryIO], Iterator[float]]] = {
    "GIF": _gif_delays_ms,
    "PNG": _png_delays_ms,
    "WEBP": _webp_delays_ms,
}
