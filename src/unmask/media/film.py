"""Films, read by FFmpeg through PyAV.

FFmpeg sees an opened Python file and never a name, is told which demuxer to use, and has every
protocol forbidden: whatever a file asks for, nothing else can be opened.

Frames are converted by swscale with its defaults: the stream's own colour range and matrix,
BT.601 where none is stated. Pixels that are not square are left as they are stored, and high
dynamic range is not tone-mapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from unmask.errors import CorruptMedia, NoFrames
from unmask.media.film_decode import FilmDecoder
from unmask.media.film_index import read_index
from unmask.media.film_open import AV_ERRORS, BROKEN, broken, open_film
from unmask.media.limits import check_duration, check_frames, check_pixels
from unmask.media.origin import Origin, clean_tags
from unmask.media.rgb import lay_on_grey
from unmask.media.sampling import Sampling, pick
from unmask.media.upright import turn_of
from unmask.types import Frame, Limits, MediaInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from unmask.types import Image

# Demuxers whose header states how long the film is; the others guess from the end of the file,
# so that nothing can be missed by their word.
_STATED = {"mov", "avi", "matroska", "flv", "asf"}
_FALLBACK_RATE = 25.0


class FilmReader:
    """Reads one film.

    Opening reads all packets once and decodes one frame (only a frame tells how the film
    lies); the others are decoded when they are asked for.

    Args:
        file: Open for reading; stays the caller's to close.
        origin: What is known of the bytes.
        limits: What is refused.

    Raises:
        UnsupportedMedia: There is no decoder for this codec.
        CorruptMedia: Not one frame can be decoded.
        NoFrames: There is no picture stream, or nothing in it.
        LimitExceeded: The film is larger or longer than allowed.
    """

    def __init__(self, file: BinaryIO, origin: Origin, limits: Limits) -> None:
        self._file = file
        self._demuxer = origin.sniffed.reader
        self._limits = limits
        self._decoder: FilmDecoder | None = None
        container, stream = open_film(file, self._demuxer, limits)
        try:
            self._examine(container, stream, origin)
        finally:
            container.close()

    @property
    def stopped_early(self) -> str | None:
        """Why not everything was decoded, or None; final once the frames are used up."""
        reasons = [self._missing_end]
        if self._decoder is not None:
            # Reading that ended early was told by the first pass already.
            reasons.append(None if self._missing_end else self._decoder.ended)
            if damaged := self._decoder.damaged:
                reasons.append(f"{damaged} broken packets or frames were left out")
            if missed := self._decoder.missed:
                reasons.append(f"{missed} of the frames looked for could not be decoded")
        return "; ".join(reason for reason in reasons if reason) or None

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Decode the chosen frames in order of time.

        Raises:
            CorruptMedia: Not one could be decoded.
            LimitExceeded: More frames than ``max_frames`` would be decoded.
        """
        index, wanted = self._index, sampling.frames
        count = len(index.pts) or index.packets
        check_frames(count if wanted is None else min(count, wanted), self._limits)
        self.close()
        self._decoder = decoder = FilmDecoder(self._file, self._demuxer, self._limits, index)
        if wanted is None or count <= wanted:
            return self._deliver(enumerate(decoder.all()))
        if not index.pts:  # no times to seek by: count
            numbers = set(pick(range(count), count, wanted))
            return self._deliver(item for item in enumerate(decoder.all()) if item[0] in numbers)
        targets = [index.pts[number] for number in pick(index.pts, index.end, wanted)]
        return self._deliver(enumerate(decoder.at(targets)))

    def close(self) -> None:
        """Close the decoder; closing twice does nothing."""
        if self._decoder is not None:
            self._decoder.close()

    def _examine(self, container: InputContainer, stream: VideoStream, origin: Origin) -> None:
        stated_s = _stated_duration_s(container, stream)
        check_duration(stated_s, self._limits)
        self._time_base = stream.time_base or Fraction(1, 1_000_000)
        first: list[VideoFrame] = []
        self._index = read_index(
            container, stream, self._limits, lambda packet: _try_decode(packet, first)
        )
        if not first:
            _drain(stream, first)
        if not first:
            raise self._nothing()
        check_pixels(first[0].width, first[0].height, self._limits)
        self._turn = turn_of(first[0])
        self._has_alpha = any(part.is_alpha for part in first[0].format.components)
        self._rate = float(stream.average_rate or stream.guessed_rate or _FALLBACK_RATE)
        self._start = self._index.pts[0] if self._index.pts else 0
        # What FFmpeg says of an AVI is the time of decoding, which is earlier.
        if stream.start_time is not None and self._demuxer != "avi":
            self._start = min(self._start, stream.start_time)
        self._missing_end = self._shortfall(container, stream, stated_s)
        self.info = self._describe(container, stream, origin, first[0])

    def _nothing(self) -> CorruptMedia | NoFrames:
        if self._index.packets:
            return broken("not one frame could be decoded")
        if self._index.error:
            return broken(self._index.error)
        return NoFrames("The film states a picture stream but holds no frame.", hint=BROKEN)

    def _shortfall(
        self, container: InputContainer, stream: VideoStream, stated_s: float | None
    ) -> str | None:
        """Hold what is there against what the header states; say what is missing."""
        index = self._index
        if index.error:
            return f"reading ended early: {index.error}"
        cut = "the last packet is cut short" if index.damaged else None
        if self._demuxer not in _STATED or stated_s is None:
            return cut
        if stream.duration is not None and index.pts:
            there_s, slack_s = float((index.reach - self._start) * self._time_base), 0.1
        else:  # the container's clock runs to the end of its longest stream
            there_s, slack_s = index.reach_s - (container.start_time or 0) / 1e6, 0.25
        period_s = there_s / max(1, index.packets)
        if stated_s - there_s <= max(slack_s, 3 * period_s):
            return cut
        return (
            f"the header states {stated_s:.2f} s but the frames end at {max(0.0, there_s):.2f} s: "
            "the file is cut short or broken"
        )

    def _describe(
        self, container: InputContainer, stream: VideoStream, origin: Origin, first: VideoFrame
    ) -> MediaInfo:
        index = self._index
        width_px, height_px = self._turn.size(first.width, first.height)
        duration_s = _stated_duration_s(container, stream)
        if index.pts:
            duration_s = max(duration_s or 0.0, float((index.end - self._start) * self._time_base))
        rate = stream.average_rate or stream.guessed_rate
        return MediaInfo(
            name=origin.name,
            kind="video",
            mime=origin.sniffed.mime,
            size_bytes=origin.size_bytes,
            sha256=origin.sha256,
            width_px=width_px,
            height_px=height_px,
            duration_s=duration_s,
            frame_count=len(index.pts) or index.packets,
            frame_rate=float(rate) if rate else None,
            codec=stream.codec_context.codec.canonical_name,
            rotation_deg=self._turn.clockwise_deg,
            has_audio=bool(container.streams.audio),
            metadata=clean_tags((container.metadata | stream.metadata).items()),
        )

    def _deliver(self, decoded: Iterator[tuple[int, VideoFrame]]) -> Iterator[Frame]:
        """Number, time, turn and convert.

        Where times are not known, frames are counted. A frame that states no time, or one that
        is not after the last, is given the last one's time and a frame period.
        """
        index, last_s = 0, -1.0 / self._rate
        for number, frame in decoded:
            if not self._index.pts:
                pts_s = number / self._rate
            elif frame.pts is None:
                pts_s = last_s
            else:
                pts_s = max(0.0, float((frame.pts - self._start) * self._time_base))
            if index and pts_s <= last_s:
                pts_s = last_s + 1.0 / self._rate
            yield Frame(image=self._image(frame), index=index, pts_s=pts_s)
            index, last_s = index + 1, pts_s
        if not index:
            raise broken(self.stopped_early or "not one frame could be decoded")

    def _image(self, frame: VideoFrame) -> Image:
        if self._has_alpha:
            image = lay_on_grey(cast("Image", frame.to_ndarray(format="rgba")))
        else:
            image = cast("Image", frame.to_ndarray(format="rgb24"))
        # Copies only what was turned, or has padded rows.
        return np.ascontiguousarray(self._turn.apply(image))


def _stated_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Length by the header: the picture's own where stated, else that of the whole film."""
    if stream.duration is not None and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        # In the formats that come here it is counted from zero and not from the first frame.
        seconds = (container.duration - max(0, container.start_time or 0)) / 1e6
    else:
        return None
    return seconds if seconds > 0 else None


def _try_decode(packet: Packet[Any], first: list[VideoFrame]) -> None:
    """Decode packets until there is one frame, and none after it."""
    if first:
        return
    try:
        first.extend(packet.decode()[:1])
    except AV_ERRORS:
        return


def _drain(stream: VideoStream, first: list[VideoFrame]) -> None:
    try:
        first.extend(stream.codec_context.decode(None)[:1])
    except AV_ERRORS:
        return
