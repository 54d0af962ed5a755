"""A stand-in for films where there are only pictures: a still that moves a little.

The picture drifts, turns and breathes along slow waves, and every frame gets its own grain. The
face itself does nothing, so what a network learns from it is a forgery's seam and flicker, never
how faces move. It serves tests and sets without films. Results on it are results on moved stills
and are called so; they are never those of a film.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.forgeries.clip import RealClip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.forgeries import RealFace

_DRIFT = 0.02
_TURN_DEG = 1.5
_BREATH = 0.015
_GRAIN = (0.5, 2.0)
_FASTEST = 1.0


def moved_still(face: RealFace, frames: int, rng: np.random.Generator) -> RealClip:
    """Move a still over ``frames`` frames.

    Shifts stay within about 2 % of the face, turns within 1.5 degrees, sizes within 1.5 %, and no
    wave is faster than one period a clip.

    Args:
        face: The still.
        frames: Frames to make.
        rng: Source of all randomness.
    """
    height, width = face.image.shape[:2]
    extent = float(np.ptp(face.landmarks, axis=0).max())
    centre = face.landmarks.mean(0)
    at = (float(centre[0]), float(centre[1]))
    shift = np.stack([_wave(frames, rng), _wave(frames, rng)], 1) * _DRIFT * extent
    turn, size = _wave(frames, rng) * _TURN_DEG, 1 + _wave(frames, rng) * _BREATH
    grain = float(rng.uniform(*_GRAIN))
    images, points = [], []
    for number in range(frames):
        move = np.asarray(cv2.getRotationMatrix2D(at, float(turn[number]), float(size[number])))
        move[:, 2] += shift[number]
        picture = cv2.warpAffine(
            face.image, move, (width, height), flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT_101,
        )  # fmt: skip
        noisy = picture + rng.normal(0, grain, picture.shape)
        images.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
        points.append(face.landmarks @ move[:, :2].T + move[:, 2])
    return RealClip(images, np.stack(points).astype(np.float32))


def _wave(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(frames,) values in -1..1 along one slow sine."""
    speed, phase, height = rng.uniform(0.2, _FASTEST), rng.uniform(0, 2 * np.pi), rng.uniform(0, 1)
    along = np.arange(frames) / max(1, frames)
    wave: NDArray[np.float64] = height * np.sin(2 * np.pi * speed * along + phase)
    return wave
