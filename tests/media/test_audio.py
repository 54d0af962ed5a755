"""Sound: decoded to one form, carried into another film, in step with the pictures."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tests.media.conftest import card

from unmask.errors import InputError, NotFound, UnsupportedMedia
from unmask.media import write_film, write_picture
from unmask.media.audio import SPEECH_HZ, has_sound, is_silent, read_audio
from unmask.media.sound_track import cut_sound, sound_damage

CLICK_S = 1.0


def clicking(rate: int = 48_000, seconds: float = 2.0) -> np.ndarray:
    """(2, N) float32: quiet noise with one loud burst that begins at CLICK_S."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.002, (2, int(rate * seconds))).astype(np.float32)
    start = int(CLICK_S * rate)
    sound[:, start : start + rate // 50] += 0.5 * np.sin(np.arange(rate // 50) * 0.4)
    return sound


def wav(path: Path, sound: np.ndarray, rate: int = 48_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound.T * 32767).astype("<i2").tobytes())
    return path


def film(path: Path, codec: str, *, late_s: float = 0.0, rate: int = 48_000) -> Path:
    """A film of two seconds whose click lies at CLICK_S of the picture, late sound or not."""
    sound = clicking(rate)[:, int(late_s * rate) :]
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = out.add_stream(codec, rate=rate, layout="stereo")
        for number in range(50):
            out.mux(video.encode(av.VideoFrame.from_ndarray(card(number), format="rgb24")))
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = int(late_s * rate)
        resampler = av.AudioResampler(format=audio.codec_context.format, layout="stereo", rate=rate)
        fifo = av.AudioFifo()
        for even in resampler.resample(frame):
            even.pts = None
            fifo.write(even)
        clock = int(late_s * rate)
        while piece := fifo.read(1024) or fifo.read():
            piece.pts, piece.time_base = clock, Fraction(1, rate)
            clock += piece.samples
            out.mux(audio.encode(piece))
        out.mux(audio.encode(None))
        out.mux(video.encode(None))
    return path


def click_s(sound: np.ndarray) -> float:
    return int(np.argmax(np.abs(sound) > 0.15)) / SPEECH_HZ


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(one) for one in file.demux(audio=0) if one.size]


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_stereo_of_any_rate_becomes_mono_at_16_khz(tmp_path, rate):
    sound = read_audio(wav(tmp_path / "a.wav", clicking(rate), rate))
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert len(sound) == pytest.approx(2 * SPEECH_HZ, abs=40)
    assert click_s(sound) == pytest.approx(CLICK_S, abs=0.003)
    assert not is_silent(sound)


@pytest.mark.parametrize("late_s", [0.0, 0.3])
def test_time_zero_is_that_of_the_picture(tmp_path, late_s):
    sound = read_audio(film(tmp_path / "a.mkv", "aac", late_s=late_s))
    assert click_s(sound) == pytest.approx(CLICK_S, abs=0.005)
    if late_s:
        assert not sound[: int(0.25 * SPEECH_HZ)].any()


def test_absent_silent_and_foreign(tmp_path):
    write_film(tmp_path / "mute.mp4", [card()] * 5, 25)
    assert not has_sound(tmp_path / "mute.mp4")
    with pytest.raises(InputError, match=r"mute\.mp4 has no sound"):
        read_audio(tmp_path / "mute.mp4")
    write_picture(tmp_path / "a.png", card())
    assert not has_sound(tmp_path / "a.png")
    with pytest.raises(UnsupportedMedia, match="picture"):
        read_audio(tmp_path / "a.png")
    with pytest.raises(NotFound):
        read_audio(tmp_path / "absent.wav")
    assert is_silent(read_audio(wav(tmp_path / "s.wav", np.zeros((1, 9600), np.float32))))


def test_packets_are_copied_where_mp4_carries_the_codec(tmp_path):
    source = film(tmp_path / "a.mp4", "aac")
    # 1.2 seconds at another rate than the source's: the sound is neither stretched nor longer.
    write_film(tmp_path / "b.mp4", (card(n) for n in range(36)), 30, audio_from=source)
    kept, given = packets(tmp_path / "b.mp4"), packets(source)
    assert kept == given[: len(kept)]
    sound = read_audio(tmp_path / "b.mp4")
    assert click_s(sound) == pytest.approx(click_s(read_audio(source)), abs=0.001)
    assert len(sound) / SPEECH_HZ == pytest.approx(1.2, abs=0.05)


def test_other_codecs_become_aac_in_step(tmp_path):
    for source in (film(tmp_path / "a.mkv", "mp2"), wav(tmp_path / "a.wav", clicking())):
        write_film(tmp_path / "b.mp4", (card(n) for n in range(50)), 25, audio_from=source)
        with av.open(str(tmp_path / "b.mp4")) as out:
            assert out.streams.audio[0].codec_context.name == "aac"
        assert click_s(read_audio(tmp_path / "b.mp4")) == pytest.approx(CLICK_S, abs=0.005)


def gappy(path: Path, *, broken: bool = False) -> Path:
    """MP2 in Matroska whose sound from 0.4 to 0.8 s is missing, or there and no sound at all."""
    whole = film(path.with_name("whole.mkv"), "mp2")
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        lanes = {one.index: out.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            lost = packet.stream.type == "audio" and 0.4 <= packet.pts * packet.time_base < 0.8
            if lost and not broken:
                continue
            lane = lanes[packet.stream.index]
            if lost:
                pts, dts, clock = packet.pts, packet.dts, packet.time_base
                packet = av.Packet(b"\x55" * 40)  # noqa: PLW2901
                packet.pts, packet.dts, packet.time_base = pts, dts, clock
            packet.stream = lane
            out.mux(packet)
    return path


@pytest.mark.parametrize("broken", [False, True])
def test_sound_after_a_gap_keeps_its_time(tmp_path, broken):
    source = gappy(tmp_path / "a.mkv", broken=broken)
    write_film(tmp_path / "b.mp4", (card(n) for n in range(50)), 25, audio_from=source)
    sound = read_audio(tmp_path / "b.mp4")
    assert click_s(sound) == pytest.approx(click_s(read_audio(source)), abs=0.01)
    assert np.abs(sound[int(0.45 * SPEECH_HZ) : int(0.65 * SPEECH_HZ)]).max() < 1e-3
    said = sound_damage(source)
    assert said.startswith("at 0.3 s: ") if broken else not said


def test_whole_sound_and_none_are_not_damaged(tmp_path):
    write_film(tmp_path / "mute.mp4", [card()] * 5, 25)
    assert not sound_damage(tmp_path / "mute.mp4")
    assert not sound_damage(film(tmp_path / "a.mp4", "aac"))
    assert not sound_damage(film(tmp_path / "a.mkv", "mp2"))


def test_a_film_without_sound_gives_a_silent_film(tmp_path):
    write_film(tmp_path / "a.mp4", [card()] * 5, 25)
    write_film(tmp_path / "b.mp4", [card()] * 5, 25, audio_from=tmp_path / "a.mp4")
    assert not has_sound(tmp_path / "b.mp4")


def test_an_unreadable_source_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("no sound at all")
    with pytest.raises(UnsupportedMedia):
        write_film(tmp_path / "b.mp4", [card()] * 5, 25, audio_from=tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_stretch_is_cut_to_its_own_clock(tmp_path):
    source = film(tmp_path / "a.mp4", "aac")
    part = cut_sound(source, tmp_path / "part.mka", start_s=0.52, end_s=1.5)
    expected = click_s(read_audio(source)) - 0.52
    assert click_s(read_audio(part)) == pytest.approx(expected, abs=0.002)
    write_film(tmp_path / "b.mp4", (card(n) for n in range(24)), 25, audio_from=part)
    assert click_s(read_audio(tmp_path / "b.mp4")) == pytest.approx(expected, abs=0.003)
    write_film(tmp_path / "mute.mp4", [card()] * 5, 25)
    assert cut_sound(tmp_path / "mute.mp4", tmp_path / "n.mka", start_s=0, end_s=1) is None
    assert not (tmp_path / "n.mka").exists()
