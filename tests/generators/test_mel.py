"""The spectrogram against its definition, and what is refused as speech."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.errors import InputError
from unmask.generators import _mel as mel


def tone(hz: float, seconds: float = 0.5, loud: float = 0.1) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * hz * np.arange(int(16_000 * seconds)) / 16_000)).astype("f4")


def test_slaneys_scale_has_its_published_points():
    assert mel.hz_to_mel(1000.0) == pytest.approx(15.0)
    assert mel.hz_to_mel(6400.0) == pytest.approx(42.0)  # 27 steps make a factor of 6.4
    for hz in (55.0, 999.0, 1001.0, 7600.0):
        assert mel.mel_to_hz(mel.hz_to_mel(hz)) == pytest.approx(hz)


def test_every_band_has_the_same_area():
    bank = mel.filter_bank()
    assert bank.shape == (80, 401)
    # Triangles of area one in Hz, sampled every 20 Hz: narrow low bands are sampled coarsely.
    np.testing.assert_allclose(bank[40:].sum(1) * 20, 1.0, atol=0.02)
    np.testing.assert_allclose(bank.sum() * 20, 80.0, rtol=0.02)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_around_it(hz: float):
    edges = np.linspace(mel.hz_to_mel(55), mel.hz_to_mel(7600), 82)
    centres = np.array([mel.mel_to_hz(float(edge)) for edge in edges[1:-1]])
    column = mel.log_mel(tone(hz))[20]
    assert abs(int(column.argmax()) - int(np.abs(centres - hz).argmin())) <= 1


def test_a_column_is_what_the_definition_says():
    rng = np.random.default_rng(0)
    audio = rng.normal(0, 0.05, 4000).astype(np.float32)
    emphasised = audio.astype(np.float64).copy()
    emphasised[1:] -= 0.97 * audio[:-1]
    part = emphasised[2000 - 400 : 2000 + 400]  # column 10 is centred on sample 2000
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)
    phases = np.exp(-2j * np.pi * np.outer(np.arange(401), np.arange(800)) / 800)
    spectrum = np.abs(phases @ (part * window))
    decibels = 20 * np.log10(np.maximum(mel.filter_bank() @ spectrum, 1e-5)) - 20
    expected = ((decibels + 100) / 100 * 8 - 4).clip(-4, 4)
    np.testing.assert_allclose(mel.log_mel(audio)[10], expected, atol=1e-3)


def test_ten_times_louder_is_twenty_decibels_and_silence_is_the_floor():
    quiet, loud = (mel.log_mel(tone(500, loud=level)) for level in (0.002, 0.02))
    band = int(quiet[20].argmax())
    assert loud[20, band] - quiet[20, band] == pytest.approx(20 / 100 * 8, abs=1e-3)
    assert (mel.log_mel(np.zeros(1600, np.float32)) == mel.SILENCE).all()
    assert mel.log_mel(np.zeros(1600, np.float32)).shape == (9, 80)


def test_columns_move_with_time_and_are_silent_outside():
    spectrum = mel.log_mel(tone(700))
    cut = mel.columns_at(spectrum, np.array([0.1, -0.1, 9.0]), 16)
    np.testing.assert_array_equal(cut[0], spectrum[8:24])
    np.testing.assert_array_equal(cut[1][8:], spectrum[:8])
    assert (cut[1][:8] == mel.SILENCE).all()
    assert (cut[2] == mel.SILENCE).all()


def test_loudness_is_the_root_mean_square():
    audio = np.concatenate([np.zeros(3200, np.float32), tone(400, 0.2, loud=0.5)])
    found = mel.loudness_at(audio, np.array([0.0, 0.2, 0.3]), 0.2)
    np.testing.assert_allclose(found, [0, 0.5 / 2**0.5, 0.25], atol=1e-3)


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (None, "has no audio"),
        (np.zeros(0, np.float32), "has no audio"),
        (np.zeros(32_000, np.float32), "silent"),
        (tone(300, 0.1), "lasts 0.10 s"),
        (tone(300, 1.0), "at least 1.50 s"),
        (np.full(32_000, np.nan, np.float32), "no numbers"),
        (np.ones((2, 32_000), np.float32), "no numbers"),
    ],
)
def test_what_cannot_be_spoken_to_is_refused(audio: np.ndarray | None, says: str):
    with pytest.raises(InputError, match=says) as caught:
        mel.checked_speech(audio, "a film", until_s=2.0, shortest_s=0.2)
    assert caught.value.hint


def test_speech_that_is_long_enough_passes():
    assert len(mel.checked_speech(tone(300, 1.6), "a film", until_s=2.0, shortest_s=0.2)) == 25_600
