"""Films of speaking faces at 25 frames a second, each frame with the speech beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from unmask.errors import InputError, UsageError
from unmask.generators._face_tensors import faces_of, landmarks_of
from unmask.generators._mel import checked_speech, columns_at, log_mel, loudness_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

FRAMES = 5
FRAME_RATE = 25.0
COLUMNS = 16
WINDOW_S = FRAMES / FRAME_RATE
# Below this share of the film's loud windows nobody speaks, and nothing can be told.
_LOUD = 0.2
_LOUD_PERCENTILE = 90
_NEAR_S = 0.06  # a frame that is shown further away from its time than this is missing


@dataclass(frozen=True, slots=True, eq=False)
class SpeakingFilm:
    """A track at 25 frames a second with its speech, ready to cut windows of five frames from.

    Attributes:
        name: Of the track.
        images: (T, S, S, 3) uint8 RGB.
        landmarks: (T, 468, 2) in their pixels.
        speech: (T, 16, 80) log-mel columns from each frame's time on (0.2 s).
        whole: Frames at which a window may begin: none of its five is missing.
        spoken: Those of ``whole`` during which somebody speaks.
    """

    name: str
    images: Pixels
    landmarks: Floats
    speech: Floats
    whole: NDArray[np.int64]
    spoken: NDArray[np.int64]

    @property
    def mouths(self) -> Pixels:
        """(T, S / 2, S, 3), the lower halves."""
        return self.images[:, self.images.shape[1] // 2 :]


def film_of(track: FaceTrack, audio: Floats, size_px: int) -> SpeakingFilm:
    """Bring a track to 25 frames a second and ``size_px``, and lay the speech beside it.

    Args:
        track: Crops with times.
        audio: (N,) mono at 16 kHz from the film's time 0, checked.
        size_px: Side of the crops.

    Raises:
        InputError: The track has no frame.
    """
    if not len(track):
        raise InputError(
            f"{track.name or 'The film'} shows no face.", hint="Give a film with a face."
        )
    count = 1 + int(np.floor((track.pts_s[-1] - track.pts_s[0]) * FRAME_RATE + 1e-6))
    times = track.pts_s[0] + np.arange(count) / FRAME_RATE
    nearest = np.abs(track.pts_s[None] - times[:, None]).argmin(1)
    shown = np.abs(track.pts_s[nearest] - times) <= _NEAR_S
    starts = np.arange(max(0, count - FRAMES + 1))
    whole = np.array([s for s in starts if shown[s : s + FRAMES].all()], np.int64)
    loud = loudness_at(audio, times, WINDOW_S)
    floor = _LOUD * float(np.percentile(loud, _LOUD_PERCENTILE))
    images, landmarks = faces_of([track], size_px), landmarks_of([track], size_px)
    return SpeakingFilm(
        name=track.name,
        images=images[nearest],
        landmarks=landmarks[nearest],
        speech=columns_at(log_mel(audio), times, COLUMNS),
        whole=whole,
        spoken=whole[loud[whole] > floor],
    )


def speaking_films(
    tracks: Sequence[FaceTrack], size_px: int, *, at_least: int = 1
) -> list[SpeakingFilm]:
    """The tracks in which somebody can be heard, as films.

    Args:
        tracks: Those without a frame, without audio or with silence are left out.
        size_px: Side of the crops.
        at_least: Windows with speech that a film must have.

    Raises:
        UsageError: None is left.
    """
    films = []
    for track in tracks:
        try:
            audio = checked_speech(track.audio, track.name, until_s=0.0, shortest_s=WINDOW_S)
            film = film_of(track, audio, size_px)
        except InputError:
            continue
        if len(film.spoken) >= at_least:
            films.append(film)
    if not films:
        raise UsageError(
            f"In none of {len(tracks)} films does somebody speak while the face is seen.",
            hint="Give films with sound, and extract them with their audio.",
        )
    return films


def window(frames: Pixels, start: int) -> Floats:
    """(15, H, W) 0..1: five frames from ``start`` on, frame after frame."""
    five = frames[start : start + FRAMES].astype(np.float32) / 255
    return np.ascontiguousarray(five.transpose(0, 3, 1, 2).reshape(-1, *five.shape[1:3]))


def windows(frames: Pixels, starts: NDArray[np.int64]) -> Tensor:
    """(B, 15, H, W) of several starts."""
    return torch.from_numpy(np.stack([window(frames, int(start)) for start in starts]))


def varied_window(mouths: Floats, rng: np.random.Generator) -> Floats:
    """A window mirrored, moved, scaled and lit otherwise, all five frames alike."""
    height, width = mouths.shape[1:]
    scale = rng.uniform(0.9, 1.1)
    shift = rng.uniform(-0.06, 0.06, 2) * width
    middle = np.array([width, height]) / 2
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    matrix[:, 2] = middle - scale * middle + shift
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]])
    planes = [
        cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        for plane in mouths
    ]
    moved = np.stack(planes).reshape(FRAMES, 3, height, width)
    light = rng.uniform(0.8, 1.2, (3, 1, 1)) * rng.uniform(0.8, 1.2)
    lit = moved * light + rng.uniform(-0.1, 0.1)
    return np.asarray(lit.clip(0, 1).reshape(mouths.shape), np.float32)


def varied_speech(speech: Floats, rng: np.random.Generator) -> Floats:
    """Speech louder or softer, with noise and a hidden stretch of bands."""
    louder = speech + rng.uniform(-0.6, 0.6)
    noisy = louder + rng.normal(0, rng.uniform(0, 0.3), speech.shape)
    if rng.random() < 0.5:
        first = int(rng.integers(speech.shape[1]))
        noisy[:, first : first + int(rng.integers(1, 12))] = noisy.mean()
    return np.asarray(noisy.clip(-4, 4), np.float32)
