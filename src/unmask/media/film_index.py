"""One pass over a film's packets, decoding nothing: when its frames appear and where to enter.

Headers lie, are cut off or are absent (MPEG streams, raw H.264, live recordings). The packets
are what is really there, and reading them is quick beside decoding them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import LimitExceeded
from unmask.media.film_open import AV_ERRORS, reason_of
from unmask.media.limits import check_duration

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from unmask.types import Limits

# AVI holds no presentation times. FFmpeg makes them up, and for these codecs wrongly.
_REORDERED = {"h264", "hevc"}
# 16 bytes of memory each: what a film of many hours needs, and a bound for a hostile one.
_MAX_PACKETS = 20_000_000


@dataclass(slots=True)
class FilmIndex:
    """What the packets of the picture stream say; times in units of the stream's time base.

    Attributes:
        pts: Presentation times, rising, without doubles; empty where they are not known.
        key_pts: Presentation times of key packets, rising.
        key_seek: For each of ``key_pts``, the time to seek to: its decoding time where known.
        packets: Packets of pictures in the file.
        end: When the last frame disappears, if it stays for as long as the mean of the others.
            (Packets state how long they last in order of decoding, not of presentation.)
        reach: Latest end of any packet by its own stated duration.
        reach_s: The same over all streams, in seconds of the container's clock.
        damaged: Packets that are there only in part.
        error: Why reading ended before the end of the file, or None.
    """

    pts: array[int] = field(default_factory=lambda: array("q"))
    key_pts: array[int] = field(default_factory=lambda: array("q"))
    key_seek: array[int] = field(default_factory=lambda: array("q"))
    packets: int = 0
    end: int = 0
    reach: int = 0
    reach_s: float = 0.0
    damaged: int = 0
    error: str | None = None

    def key_before(self, pts: int) -> int:
        """Position in ``key_pts`` of the last key packet shown at or before ``pts``."""
        return max(0, bisect_right(self.key_pts, pts) - 1)


def read_index(
    container: InputContainer,
    stream: VideoStream,
    limits: Limits,
    each: Callable[[Packet[Any]], None],
) -> FilmIndex:
    """Read all packets of ``container`` from where it stands.

    Args:
        container: Freshly opened.
        stream: Its picture stream.
        limits: ``max_duration_s`` is held against the packets' own times.
        each: Called with every packet of ``stream`` that has data.

    Raises:
        LimitExceeded: The packets span too long a time, or there are too many of them.
    """
    index = FilmIndex()
    timed = container.format.name != "avi" or stream.codec_context.name not in _REORDERED
    tick_s = float(stream.time_base or 0)
    try:
        for packet in container.demux():
            if not packet.size:
                continue
            _reach(index, packet)
            if packet.stream_index != stream.index:
                continue
            index.packets += 1
            index.damaged += bool(packet.is_corrupt)
            _check_count(index.packets)
            each(packet)
            timed = timed and packet.pts is not None
            if not timed or packet.pts is None:
                continue
            if not packet.is_discard:  # an edit list may hide the frames before a cut
                index.pts.append(packet.pts)
            index.reach = max(index.reach, packet.pts + (packet.duration or 0))
            if packet.is_keyframe:
                index.key_pts.append(packet.pts)
                index.key_seek.append(packet.pts if packet.dts is None else packet.dts)
            if index.pts:
                check_duration((index.reach - index.pts[0]) * tick_s, limits)
    except AV_ERRORS as error:
        index.error = reason_of(error)
    _finish(index, timed=timed)
    return index


def _reach(index: FilmIndex, packet: Packet[Any]) -> None:
    if packet.pts is not None and packet.time_base:
        end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
        index.reach_s = max(index.reach_s, end_s)


def _check_count(packets: int) -> None:
    if packets > _MAX_PACKETS:
        raise LimitExceeded(
            f"The film has more than {_MAX_PACKETS} frames, which no --max-frames allows.",
            hint="Cut it into parts.",
        )


def _finish(index: FilmIndex, *, timed: bool) -> None:
    if not timed:
        # With one picture without a time, no time can be trusted to belong to its picture.
        index.pts, index.key_pts, index.key_seek = array("q"), array("q"), array("q")
        index.reach = 0
        return
    key_pts, first = np.unique(np.array(index.key_pts, dtype=np.int64), return_index=True)
    key_seek = np.minimum(np.array(index.key_seek, dtype=np.int64)[first], key_pts)
    index.pts = _array(np.unique(np.array(index.pts, dtype=np.int64)))
    index.key_pts, index.key_seek = _array(key_pts), _array(key_seek)
    if index.pts:
        span, steps = index.pts[-1] - index.pts[0], len(index.pts) - 1
        index.end = index.pts[-1] + round(span / steps) if steps else index.reach


def _array(numbers: NDArray[np.int64]) -> array[int]:
    return array("q", numbers.tobytes())
