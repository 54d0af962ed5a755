"""Frames out of a film: all of them, or those at given times by way of seeks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from unmask.media.film_open import AV_ERRORS, open_film, reason_of
from unmask.media.limits import check_frames, check_pixels

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

    from unmask.media.film_index import FilmIndex
    from unmask.types import Limits

# Decoders that reliably leave out frames on which no other frame rests, when told to.
_CAN_SKIM = {"h264", "hevc", "mpeg1video", "mpeg2video"}
# Demuxers of formats that store frame by frame; in others a broken packet may be worth a try.
_WHOLE_FRAMES = {"mov", "avi", "flv"}


class FilmDecoder:
    """One pass of decoding. Broken packets cost themselves and not the rest of the film.

    Args:
        file: The film; read from its start.
        demuxer: FFmpeg demuxer name.
        limits: What is refused.
        index: What its packets say.

    Attributes:
        damaged: Packets that could not be decoded, and frames marked broken by the decoder.
        missed: Frames looked for that could not be had.
        ended: Why reading ended before the end of the file, or None.
    """

    def __init__(self, file: BinaryIO, demuxer: str, limits: Limits, index: FilmIndex) -> None:
        self.damaged = 0
        self.missed = 0
        self.ended: str | None = None
        self._file, self._demuxer, self._limits, self._index = file, demuxer, limits, index
        self._seekable = True
        self._fed = 0
        self._container, self._stream = open_film(file, demuxer, limits)
        self._packets = self._demux()

    def close(self) -> None:
        """Close the film; closing twice does nothing."""
        self._container.close()

    def all(self) -> Iterator[VideoFrame]:
        """Decode every frame in order of presentation."""
        for packet in self._packets:
            yield from self._decode(packet)

    def at(self, times: list[int]) -> Iterator[VideoFrame]:
        """Decode the frames at given times, entering at the key frame before each.

        No stretch of the film is decoded twice: a time that lies in the stretch where the
        decoder already stands is reached by going on. Where the frame of that very time cannot
        be decoded, the next that can is given once.

        Args:
            times: Rising presentation times from the index, in the stream's time base.
        """
        targets = deque(times)
        skim = self._stream.codec_context.name in _CAN_SKIM
        wanted = frozenset(times)
        while targets:
            stretch = self._index.key_before(targets[0])
            for packet in self._enter(stretch):
                if packet.is_keyframe and packet.pts is not None:
                    stretch = max(stretch, self._index.key_before(packet.pts))
                if skim:
                    # Frames that no other rests on are decoded only where they are wanted.
                    needed = packet.pts is None or packet.pts in wanted
                    self._stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
                for frame in self._decode(packet):
                    if targets and frame.pts is not None and frame.pts >= targets[0]:
                        self._pass(targets, frame.pts)
                        yield frame
                if not targets or self._index.key_before(targets[0]) > stretch:
                    break
            else:
                self.missed += len(targets)
                return

    def _pass(self, targets: deque[int], pts: int) -> None:
        targets.popleft()
        while targets and targets[0] <= pts:
            targets.popleft()
            self.missed += 1

    def _decode(self, packet: Packet[Any]) -> Iterator[VideoFrame]:
        self._fed += bool(packet.size)
        check_frames(self._fed, self._limits)
        if packet.is_corrupt and self._demuxer in _WHOLE_FRAMES:
            self.damaged += 1  # the file ends inside it
            return
        try:
            frames = packet.decode()
        except EOFError:  # flushed before
            return
        except AV_ERRORS:
            self.damaged += 1
            return
        for frame in frames:
            check_pixels(frame.width, frame.height, self._limits)
            if frame.is_corrupt:
                self.damaged += 1
            else:
                yield frame

    def _enter(self, stretch: int) -> Iterator[Packet[Any]]:
        """Packets from the key packet at position ``stretch`` of the index on."""
        index = self._index
        if not index.key_pts or (stretch == 0 and not self._fed):
            return self._packets
        key_pts = index.key_pts[stretch]
        if self._seekable:
            try:
                self._container.seek(index.key_seek[stretch], stream=self._stream)
            except AV_ERRORS:
                pass
            else:
                self._packets = self._demux()
                if entered := self._from_key(key_pts, may_pass=False):
                    return entered
            # Seeks of this file miss. From now on packets are read through instead.
            self._seekable = False
            self._rewind()
        self._stream.codec_context.flush_buffers()
        return self._from_key(key_pts, may_pass=True) or iter(())

    def _from_key(self, key_pts: int, *, may_pass: bool) -> Iterator[Packet[Any]] | None:
        """Drop packets up to the key packet of time ``key_pts``; None where it does not come."""
        for packet in self._packets:
            if packet.is_keyframe and packet.pts is not None:
                if packet.pts == key_pts:
                    return chain([packet], self._packets)
                if packet.pts > key_pts and not may_pass:
                    return None
        return None

    def _rewind(self) -> None:
        self._container.close()
        self._container, self._stream = open_film(self._file, self._demuxer, self._limits)
        self._packets = self._demux()

    def _demux(self) -> Iterator[Packet[Any]]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except AV_ERRORS as error:
                self.ended = f"reading ended early: {reason_of(error)}"
                return
            if packet is None:
                return
            yield packet
