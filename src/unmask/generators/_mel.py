"""Speech as log-mel spectrograms: 80 bands, 80 columns a second, at 16 kHz.

The numbers are those of Prajwal et al. (Wav2Lip, ACM Multimedia 2020), who took them from
Tacotron 2: window 800 samples (50 ms, Hann), hop 200, pre-emphasis .97, 55 to 7600 Hz, Slaney's
mel scale and area norm, decibels from -100 to 0 brought to -4..4.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

SAMPLE_RATE = 16_000
BANDS = 80
HOP = 200
COLUMNS_PER_S = SAMPLE_RATE / HOP
_WINDOW = 800
_PRE_EMPHASIS = 0.97
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 7600.0
_REFERENCE_DB, _FLOOR_DB, _REACH = 20.0, -100.0, 4.0
SILENCE = -_REACH

# Slaney's scale (Auditory Toolbox, 1998): linear below 1 kHz, then 27 mel for a factor of 6.4.
_LINEAR_HZ, _BREAK_HZ = 200.0 / 3, 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP = np.log(6.4) / 27

_SILENT_RMS = 1e-4
_MAY_END_EARLY_S = 0.5


def hz_to_mel(hz: float) -> float:
    """Slaney's mel of a frequency."""
    if hz < _BREAK_HZ:
        return hz / _LINEAR_HZ
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def mel_to_hz(mel: float) -> float:
    """The inverse of :func:`hz_to_mel`."""
    if mel < _BREAK_MEL:
        return mel * _LINEAR_HZ
    return float(_BREAK_HZ * np.exp((mel - _BREAK_MEL) * _LOG_STEP))


@cache
def filter_bank() -> Floats:
    """(80, 401) weights of the spectrum's bins in each band: triangles of equal area."""
    edges = np.linspace(hz_to_mel(_LOWEST_HZ), hz_to_mel(_HIGHEST_HZ), BANDS + 2)
    hz = np.array([mel_to_hz(float(mel)) for mel in edges])
    bins = np.linspace(0, SAMPLE_RATE / 2, _WINDOW // 2 + 1)
    rising = (bins - hz[:-2, None]) / np.diff(hz)[:-1, None]
    falling = (hz[2:, None] - bins) / np.diff(hz)[1:, None]
    triangles = np.minimum(rising, falling).clip(0)
    return np.asarray(triangles * (2 / (hz[2:] - hz[:-2]))[:, None], np.float32)


def log_mel(audio: Floats) -> Floats:
    """The spectrogram of speech.

    Args:
        audio: (N,) mono at 16 kHz, -1..1.

    Returns:
        (1 + N // 200, 80) float32, -4 (silence) .. 4; column n is centred on sample 200 n.
    """
    audio = np.asarray(audio, np.float32)
    emphasised = np.append(audio[:1], audio[1:] - _PRE_EMPHASIS * audio[:-1])
    padded = np.pad(emphasised, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    spectrum = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32)
    decibels = 20 * np.log10(np.maximum(spectrum @ filter_bank().T, 1e-5)) - _REFERENCE_DB
    scaled = (decibels - _FLOOR_DB) / -_FLOOR_DB * 2 * _REACH - _REACH
    return np.asarray(scaled.clip(-_REACH, _REACH), np.float32)


def columns_at(mel: Floats, start_s: NDArray[np.float64], count: int) -> Floats:
    """(T, count, 80) columns from each of T times on; silence before and behind the speech."""
    first = np.round(np.asarray(start_s) * COLUMNS_PER_S).astype(int)
    places = first[:, None] + np.arange(count)
    inside = (places >= 0) & (places < len(mel))
    columns = mel[places.clip(0, max(0, len(mel) - 1))]
    return np.where(inside[..., None], columns, np.float32(SILENCE))


def loudness_at(audio: Floats, start_s: NDArray[np.float64], length_s: float) -> Floats:
    """(T,) root mean square of the speech from each of T times on, ``length_s`` long."""
    summed = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    first = np.round(np.asarray(start_s) * SAMPLE_RATE).astype(int)
    last = first + round(length_s * SAMPLE_RATE)
    end = len(audio)
    energy = summed[last.clip(0, end)] - summed[first.clip(0, end)]
    return np.asarray(np.sqrt(energy.clip(0) / (length_s * SAMPLE_RATE)), np.float32)


def checked_speech(audio: Floats | None, name: str, *, until_s: float, shortest_s: float) -> Floats:
    """The audio, if it can be spoken to.

    Args:
        audio: (N,) mono at 16 kHz, or None.
        name: Of the film or file, for messages.
        until_s: When the last frame is shown; speech may end half a second before it.
        shortest_s: What is needed at least.

    Raises:
        InputError: It is missing, not one channel of finite numbers, too short or silent.
    """
    if audio is None or not np.size(audio):
        raise InputError(f"{name} has no audio.", hint="Give speech with it (WAV, or a film).")
    if np.ndim(audio) != 1 or not np.isfinite(audio).all():
        raise InputError(
            f"The audio of {name} has the shape {np.shape(audio)} or holds values that are no "
            "numbers; one channel at 16 kHz was expected.",
            hint="Convert it to mono WAV.",
        )
    length_s = len(audio) / SAMPLE_RATE
    if length_s < shortest_s or length_s < until_s - _MAY_END_EARLY_S:
        needed = max(shortest_s, until_s - _MAY_END_EARLY_S)
        raise InputError(
            f"The audio of {name} lasts {length_s:.2f} s; at least {needed:.2f} s are needed.",
            hint="Give longer speech, or trim the film to the speech.",
        )
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    if rms < _SILENT_RMS:
        raise InputError(
            f"The audio of {name} is silent (root mean square {rms:.1e}, of 1).",
            hint="Give audio in which somebody speaks.",
        )
    return np.asarray(audio, np.float32)
