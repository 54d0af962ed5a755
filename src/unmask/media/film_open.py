"""Open a film so that FFmpeg can reach nothing but its bytes, and name what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av

from unmask.errors import CorruptMedia, NoFrames, UnsupportedMedia
from unmask.media.limits import check_pixels
from unmask.settings import threads, value

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from unmask.types import Limits

AV_ERRORS: tuple[type[Exception], ...] = (
    av.error.FFmpegError,
    OSError,
    EOFError,
    ValueError,  # UnicodeDecodeError too
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    TypeError,
    AssertionError,
)
"""What PyAV raises on broken bytes: some as FFmpeg's codes, some as plain Python errors."""

BROKEN = "Get the original file again; a partly downloaded copy is not enough."
_IO_BYTES = 1 << 16


def broken(reason: str) -> CorruptMedia:
    """The error for a film of which nothing can be seen."""
    return CorruptMedia(
        f"The film is broken or cut short ({reason.strip().rstrip('.')}).", hint=BROKEN
    )


def reason_of(error: Exception) -> str:
    """What went wrong, in FFmpeg's words and without its numbers."""
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def open_film(file: BinaryIO, demuxer: str, limits: Limits) -> tuple[InputContainer, VideoStream]:
    """Open a film and choose its picture stream.

    Raises:
        CorruptMedia: The header cannot be read.
        NoFrames: There is no picture stream.
        UnsupportedMedia: There is no decoder for it.
        LimitExceeded: Its frames are larger than ``limits.max_pixels``.
    """
    container = open_container(file, demuxer)
    try:
        stream = _picture_stream(container)
        context = stream.codec_context
        check_pixels(context.width, context.height, limits)
        # Later changes of size: FFmpeg holds them against this before it takes memory (it
        # counts padding too, hence the slack); each frame is then held against the limit.
        context.options = {"max_pixels": str(2 * limits.max_pixels + 1_000_000)}
        context.thread_type = "AUTO"
        if value("UNMASK_THREADS") not in {"", "0"}:
            context.thread_count = threads()
    except Exception:
        container.close()
        raise
    return container, stream


def open_container(file: BinaryIO, demuxer: str) -> InputContainer:
    """Open a film or sound file with one demuxer, which can reach nothing else.

    Raises:
        CorruptMedia: The header cannot be read.
    """
    file.seek(0)
    try:
        return av.open(
            file,
            mode="r",
            format=demuxer,
            # With the demuxer named and no protocol allowed, nothing else can be opened.
            # (Not ``options``: PyAV before 16 crashes on those with MPEG streams.)
            container_options={"protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=_IO_BYTES,
        )
    except AV_ERRORS as error:
        raise broken(reason_of(error)) from error


def _picture_stream(container: InputContainer) -> VideoStream:
    """The film itself: not a cover picture, and the largest where there are several."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not container.streams:
        raise broken("its header names no streams")
    if not streams:
        # (``stream.type`` crashes on unknown types in PyAV before 17.)
        held = container.streams
        kinds = ", ".join(kind for kind in ("audio", "subtitles", "data") if getattr(held, kind))
        raise NoFrames(
            f"The film has no picture stream (it holds: {kinds or 'other data'}).",
            hint="Give a film with a picture.",
        )
    # PyAV's types leave out that there may be no decoder.
    readable = [stream for stream in streams if cast("Any", stream.codec_context) is not None]
    if not readable:
        raise UnsupportedMedia(
            "There is no decoder for the film's codec.",
            hint="Convert the film to H.264, or report the format.",
        )
    # A stream of one frame beside the film is its still picture (AVIF sequences).
    return max(
        readable,
        key=lambda stream: (
            stream.frames != 1,
            stream.codec_context.width * stream.codec_context.height,
        ),
    )
