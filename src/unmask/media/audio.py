"""The sound of a film or sound file: opened as safely as its pictures, decoded to one form.

Speech models want mono at 16 kHz; films come with stereo at 44.1 or 48 kHz, with sound that begins
before or after the picture, or with none. Time 0 is that of the first picture, so that sample
``n`` belongs to the second ``n / rate_hz`` of the film as its frames count it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from unmask.errors import InputError, NotFound, PermissionRefused, UnsupportedMedia
from unmask.media.sniff import HEAD_BYTES, Family, sniff
from unmask.types import Limits

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from unmask.types import Floats

SPEECH_HZ = 16_000
# A sample this far from silence is the noise of a converter, not sound: -80 dB.
_SILENCE = 1e-4

# (offset, bytes there, demuxer), for files that hold sound alone.
_SOUND_FILES: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "wav"),
    (8, b"AIFF", "aiff"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xfa", "mp3"),
    (0, b"\xff\xf3", "mp3"),
    (0, b"\xff\xf2", "mp3"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
    (0, b"#!AMR", "amr"),
)


class OpenSound(NamedTuple):
    """A film or sound file that is open.

    Attributes:
        container: To read packets from.
        streams: Those that hold sound and for which there is a decoder.
        zero_s: The container's time of the first picture; 0 where there is none.
    """

    container: InputContainer
    streams: list[AudioStream]
    zero_s: float


@contextmanager
def open_sound(path: str | os.PathLike[str]) -> Iterator[OpenSound]:
    """Open the sound of a file; ``streams`` is empty where it has none.

    Raises:
        NotFound, PermissionRefused: It cannot be opened.
        UnsupportedMedia: It is neither a film nor a sound file.
        CorruptMedia: Its header cannot be read.
    """
    from unmask.media.film_open import open_container

    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from error
    except OSError as error:
        raise PermissionRefused(
            f"{path} cannot be opened ({error.strerror}).", hint="Check its permissions."
        ) from error
    with file:
        demuxer = _demuxer(file.read(HEAD_BYTES), Path(path).name)
        container = open_container(file, demuxer)
        try:
            # PyAV's types leave out that there may be no decoder.
            streams = [
                stream
                for stream in container.streams.audio
                if cast("Any", stream.codec_context) is not None
            ]
            yield OpenSound(container, streams, _picture_start_s(container))
        finally:
            container.close()


def has_sound(path: str | os.PathLike[str]) -> bool:
    """Whether a file has a sound stream that can be decoded; False for pictures too.

    Raises:
        InputError: It cannot be opened.
    """
    try:
        with open_sound(path) as sound:
            return bool(sound.streams)
    except UnsupportedMedia:
        return False


def read_audio(
    path: str | os.PathLike[str], *, rate_hz: int = SPEECH_HZ, limits: Limits | None = None
) -> Floats:
    """Decode the first sound stream of a film or sound file.

    Args:
        path: A film, or WAV, FLAC, MP3, AAC, OGG and the like.
        rate_hz: Samples a second wanted.
        limits: ``max_duration_s`` ends reading.

    Returns:
        (N,) float32, mono (channels averaged as FFmpeg does), about -1..1; sample 0 lies at the
        film's first picture, gaps and a late beginning are zeros.

    Raises:
        InputError: There is no sound in it, or it cannot be read at all.
    """
    name = Path(path).name
    longest = int((limits or Limits()).max_duration_s * rate_hz)
    with open_sound(path) as sound:
        if not sound.streams:
            raise no_sound(name)
        pieces, reach, why = _decode(sound, rate_hz, longest)
    if not pieces:
        reason = f" ({why})" if why else ""
        raise InputError(
            f"The sound of {name} cannot be decoded{reason}.",
            hint="Convert it to WAV or AAC and try again.",
        )
    whole = np.zeros(min(reach, longest), np.float32)
    for start, samples in pieces:
        heard = samples[max(0, -start) :]  # what lies before the picture is left out
        room = whole[max(0, start) :][: len(heard)]
        room[:] = heard[: len(room)]
    return whole


def no_sound(name: str) -> InputError:
    """The error for a file without sound where sound is needed."""
    return InputError(
        f"{name} has no sound that can be decoded; speech is needed here.",
        hint="Give a film with sound, or a sound file with --audio.",
    )


def is_silent(audio: Floats) -> bool:
    """Whether nothing is to be heard: every sample (of at least one) is below -80 dB."""
    return not len(audio) or float(np.abs(audio).max()) < _SILENCE


def _demuxer(head: bytes, name: str) -> str:
    for offset, magic, demuxer in _SOUND_FILES:
        if head.startswith(magic, offset):
            return demuxer
    found = sniff(head)
    if found.family is not Family.FILM:
        raise UnsupportedMedia(
            f"{name} is a picture ({found.mime}); it has no sound.",
            hint="Give a film or a sound file.",
        )
    return found.reader


def _picture_start_s(container: InputContainer) -> float:
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in container.streams.video
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=0.0)


def _decode(
    sound: OpenSound, rate_hz: int, longest: int
) -> tuple[list[tuple[int, Floats]], int, str]:
    """Pieces of sound with the sample at which each begins; where the last ends; what broke."""
    from av import AudioResampler

    from unmask.media.film_open import AV_ERRORS, reason_of

    resampler = AudioResampler(format="flt", layout="mono", rate=rate_hz)
    pieces: list[tuple[int, Floats]] = []
    reach = 0

    def add(frame: AudioFrame) -> None:
        nonlocal reach
        samples = frame.to_ndarray().reshape(-1).astype(np.float32)
        at = frame.pts * frame.time_base if frame.pts is not None and frame.time_base else None
        start = reach if at is None else round((float(at) - sound.zero_s) * rate_hz)
        # Rounded clocks (milliseconds in Matroska) are no gaps.
        if abs(start - reach) < rate_hz // 100 and pieces:
            start = reach
        pieces.append((start, samples))
        reach = start + len(samples)

    why = ""
    try:
        for packet in sound.container.demux(sound.streams[0]):
            try:
                frames = packet.decode()
            except AV_ERRORS as error:  # what comes after the broken place keeps its time
                why = why or reason_of(error)
                continue
            for frame in frames:
                for even in resampler.resample(frame):
                    add(even)
            if reach >= longest:
                break
        for even in resampler.resample(None):
            add(even)
    except AV_ERRORS as error:  # what came before it is kept
        why = why or reason_of(error)
    return pieces, reach, why
