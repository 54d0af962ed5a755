"""Carrying the sound of one film into another: packet by packet where the codec may stay.

MP4 cannot carry every codec (MPEG-1 layer 2 and plain samples are played by few, Vorbis by none),
so what it cannot is encoded anew as AAC. Packets keep their times against the first picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.media.audio import OpenSound, open_sound
from unmask.media.film_open import AV_ERRORS, reason_of

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

# What players find in an MP4 file.
_COPIED = {"aac", "mp3", "ac3", "eac3", "alac", "opus"}
_AAC_RATES_HZ = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
_AAC_BITS_A_CHANNEL = 96_000
_CLOCK_S = 1e-4
# Rounded clocks (milliseconds in Matroska) are no gaps.
_GAP_S = 0.05


class SoundTrack:
    """Sound streams of an open file on their way into an MP4 container.

    Sound goes in step with the pictures, so that the file is interleaved and nothing is held
    in memory. What is broken on the way is left out, and the sound around it keeps its time;
    :func:`sound_damage` says beforehand whether something is.

    Args:
        sound: The open source.
        output: Where the streams are added; no packet may have been written yet.
        start_s: Second of the source's picture at which the new film begins.
        any_codec: The container carries every codec (Matroska), so all are copied.
    """

    def __init__(
        self,
        sound: OpenSound,
        output: OutputContainer,
        *,
        start_s: float = 0.0,
        any_codec: bool = False,
    ) -> None:
        self._output = output
        self._zero_s = sound.zero_s + start_s
        # MP4 says by an edit list how much of the first packet is not played. Matroska cannot,
        # and would move all sound instead.
        self._whole_packets_only = any_codec
        self._lanes: dict[int, _Copied | _Encoded] = {
            stream.index: _Copied(stream, output)
            if any_codec or stream.codec_context.name in _COPIED
            else _Encoded(stream, output, self._zero_s)
            for stream in sound.streams
        }
        self._packets = self._read(sound) if sound.streams else iter(())
        self._next: Packet[Any] | None = next(self._packets, None)

    def write_until(self, end_s: float) -> None:
        """Write all sound that begins before the second ``end_s`` of the new film."""
        while self._next is not None and self._begins_s(self._next) < end_s:
            lane = self._lanes[self._next.stream.index]
            for packet in lane.packets(self._next, self._zero_s):
                self._output.mux(packet)
            self._next = next(self._packets, None)

    def finish(self) -> None:
        """Write what encoders still hold."""
        for lane in self._lanes.values():
            for packet in lane.rest():
                self._output.mux(packet)

    def _begins_s(self, packet: Packet[Any]) -> float:
        return _time_s(packet) - self._zero_s

    def _read(self, sound: OpenSound) -> Iterator[Packet[Any]]:
        try:
            for packet in sound.container.demux(*sound.streams):
                # A packet without a time is the demuxer's end; one that is over before the film
                # begins has nothing to play.
                if packet.pts is None or packet.dts is None:
                    continue
                begins_s = self._begins_s(packet)
                over_s = begins_s if self._whole_packets_only else begins_s + _length_s(packet)
                if over_s > -_CLOCK_S:
                    yield packet
        except AV_ERRORS:  # the sound before the broken place is kept
            return


class _Copied:
    """One stream whose packets go over as they are."""

    def __init__(self, stream: AudioStream, output: OutputContainer) -> None:
        self._stream = output.add_stream_from_template(stream)

    def packets(self, packet: Packet[Any], zero_s: float) -> Iterator[Packet[Any]]:
        shift = round(zero_s / packet.time_base)
        packet.pts, packet.dts = (packet.pts or 0) - shift, (packet.dts or 0) - shift
        packet.stream = self._stream
        yield packet

    def rest(self) -> Iterator[Packet[Any]]:
        return iter(())


class _Encoded:
    """One stream that is decoded and encoded again as AAC."""

    def __init__(self, stream: AudioStream, output: OutputContainer, zero_s: float) -> None:
        from av import AudioResampler

        rate = stream.rate if stream.rate in _AAC_RATES_HZ else 48_000
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._stream = output.add_stream("aac", rate=rate, layout=layout)
        self._stream.bit_rate = _AAC_BITS_A_CHANNEL * (1 if layout == "mono" else 2)
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        self._rate, self._layout, self._zero_s = rate, layout, zero_s
        self._clock: int | None = None

    def packets(self, packet: Packet[Any], zero_s: float) -> Iterator[Packet[Any]]:
        del zero_s  # the same for the whole film; frames are shifted, not packets
        try:
            frames = packet.decode()
        except AV_ERRORS:  # silence takes its place, and what follows is still heard
            return
        for frame in frames:
            yield from self._through(frame)

    def rest(self) -> Iterator[Packet[Any]]:
        if self._clock is None:  # an encoder that was never fed cannot be flushed
            return
        yield from self._through(None)
        yield from self._stream.encode(None)

    def _through(self, frame: Any) -> Iterator[Packet[Any]]:
        for even in self._resampler.resample(frame):
            at = self._sample_of(even)
            if self._clock is None:
                self._clock = round(-self._zero_s * self._rate) if at is None else at
            elif at is not None and at - self._clock > _GAP_S * self._rate:
                yield from self._silence(at - self._clock)
            even.pts, even.time_base = self._clock, Fraction(1, self._rate)
            self._clock += even.samples
            yield from self._stream.encode(even)

    def _sample_of(self, frame: Any) -> int | None:
        """The sample of the new film at which a frame begins, where it says so."""
        if frame.pts is None or not frame.time_base:
            return None
        return round((float(frame.pts * frame.time_base) - self._zero_s) * self._rate)

    def _silence(self, samples: int) -> Iterator[Packet[Any]]:
        """Zeros where sound is missing: encoders put frames end to end, whatever their times."""
        from av import AudioFrame

        while samples > 0 and self._clock is not None:
            count = min(samples, self._rate)
            zeros = np.zeros((2 if self._layout == "stereo" else 1, count), np.float32)
            frame = AudioFrame.from_ndarray(zeros, format="fltp", layout=self._layout)
            frame.sample_rate = self._rate
            frame.pts, frame.time_base = self._clock, Fraction(1, self._rate)
            self._clock += count
            samples -= count
            yield from self._stream.encode(frame)


@contextmanager
def sound_into(
    output: OutputContainer, path: str | os.PathLike[str] | None
) -> Iterator[SoundTrack | None]:
    """The sound of ``path`` ready to be written into ``output``; None where there is none.

    Raises:
        InputError: ``path`` cannot be opened, or is no film or sound file.
    """
    if path is None:
        yield None
        return
    with open_sound(path) as sound:
        yield SoundTrack(sound, output) if sound.streams else None


def sound_damage(path: str | os.PathLike[str]) -> str:
    """Say what of a film's sound cannot be carried into another film.

    Packets are read, and decoded where they will have to be encoded anew.

    Returns:
        What is broken and where; empty: nothing, or there is no sound.

    Raises:
        InputError: ``path`` cannot be opened.
    """
    with open_sound(path) as sound:
        if not sound.streams:
            return ""
        at_s = 0.0
        try:
            for packet in sound.container.demux(*sound.streams):
                if packet.pts is None:
                    continue
                at_s = _time_s(packet) - sound.zero_s
                if packet.is_corrupt:
                    return f"a broken packet at {at_s:.1f} s"
                if packet.stream.codec_context.name not in _COPIED:
                    packet.decode()
        except AV_ERRORS as error:
            return f"at {at_s:.1f} s: {reason_of(error)}"
    return ""


def cut_sound(
    path: str | os.PathLike[str], out: Path, *, start_s: float, end_s: float
) -> Path | None:
    """Copy the sound of one stretch of a film, packet by packet, into a Matroska file.

    Args:
        path: The film.
        out: Ends in ``.mka``.
        start_s: Of the film's picture; time 0 of what is written.
        end_s: Where it ends.

    Returns:
        ``out``, or None where the film has no sound: nothing is written.

    Raises:
        InputError: ``path`` cannot be opened.
        OutputRefused: It cannot be written.
    """
    import av

    from unmask.media.encode import replacing

    with open_sound(path) as sound:
        if not sound.streams:
            return None
        with replacing(out) as beside, av.open(str(beside), "w", format="matroska") as container:
            track = SoundTrack(sound, container, start_s=start_s, any_codec=True)
            track.write_until(end_s - start_s)
            track.finish()
    return out


def _time_s(packet: Packet[Any]) -> float:
    return float((packet.pts or 0) * packet.time_base)


def _length_s(packet: Packet[Any]) -> float:
    return float((packet.duration or 0) * packet.time_base)
