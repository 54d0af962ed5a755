"""How a film or picture becomes stored faces: which frames, which part of them, which mask.

All of it is in one frozen object with a SHA-256, so that faces that were made in two ways are
never mixed by accident.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import UsageError
from unmask.faces.assets import ASSETS

if TYPE_CHECKING:
    from unmask.types import Floats, Image

VERSION = 1
"""Part of the hash: raised whenever the same parameters give other pixels than before."""

MAX_FRAMES = 512  # a film's crops are held in memory until its main person is known
MIN_SIDE_PX = 16


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Everything on which the stored pixels depend, beside the media themselves.

    Attributes:
        frames: Frames of a film, at least 1 and at most 512; pictures have one.
        burst: Consecutive frames a group. 1 spreads single frames evenly over the film; more
            spreads ``frames / burst`` groups, for detectors that look at clips.
        margin: Side of the stored square over the longer side of the face hull, from 1.0.
        max_side_px: Larger crops are reduced to this side.
        people: People of a film that are kept: those seen most, or, in a forgery whose original
            is there, those that were changed most.

    Raises:
        UsageError: A value is out of range, or ``frames`` is no multiple of ``burst``.
    """

    frames: int = 32
    burst: int = 1
    margin: float = 1.8
    max_side_px: int = 320
    people: int = 1

    def __post_init__(self) -> None:
        _check("frames", self.frames, 1, MAX_FRAMES)
        _check("burst", self.burst, 1, MAX_FRAMES)
        _check("margin", self.margin, 1.0, 4.0)
        _check("max-side", self.max_side_px, MIN_SIDE_PX, 2048)
        _check("people", self.people, 1, 8)
        if self.frames % self.burst:
            raise UsageError(
                f"{self.frames} frames cannot be cut into bursts of {self.burst}.",
                hint=f"Give --frames as a multiple of --burst, such as {4 * self.burst}.",
            )

    def facts(self) -> dict[str, Any]:
        """The parameters, this module's version and the face models' digests."""
        models = {asset.id: asset.sha256 for asset in ASSETS if asset.id != "iris"}
        return {"version": VERSION, **asdict(self), "face_models": models}

    def hash(self) -> str:
        """SHA-256 over :meth:`facts`, lower-case hex."""
        return hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode()).hexdigest()


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(
            f"--{name} is {value}; it must lie between {low} and {high}.",
            hint="See 'unmask data prepare --help'.",
        )


def burst_numbers(count: int, frames: int, burst: int) -> dict[int, int]:
    """Frame numbers to take, each with the number of its burst.

    The film is cut into equal parts, as many as bursts are wanted (fewer where the film is too
    short for that), and each burst lies in the middle of its part.

    Args:
        count: Frames of the film.
        frames: Frames wanted in all, a multiple of ``burst``.
        burst: Consecutive frames a burst.
    """
    bursts = min(frames // burst, count // burst)
    taken: dict[int, int] = {}
    for part in range(bursts):
        start = int((part + 0.5) * count / bursts - burst / 2)
        taken.update(dict.fromkeys(range(start, start + burst), part))
    return taken


@dataclass(frozen=True, slots=True)
class CropBox:
    """A rectangle of a frame, in whole pixels, and the size it is stored at."""

    left: int
    top: int
    right: int
    bottom: int
    width_px: int
    height_px: int

    def cut(self, image: Image) -> Image:
        """The part of ``image`` (H, W, 3) or (H, W), reduced to the stored size by area."""
        part = image[self.top : self.bottom, self.left : self.right]
        if part.shape[:2] != (self.height_px, self.width_px):
            size = (self.width_px, self.height_px)
            part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        return np.ascontiguousarray(part)

    def points(self, landmarks: Floats) -> Floats:
        """Move (N, 2) points of the frame into the stored crop."""
        local = landmarks - np.array([self.left, self.top], np.float32)
        scale = np.array(
            [self.width_px / (self.right - self.left), self.height_px / (self.bottom - self.top)],
            np.float32,
        )
        return np.asarray(local * scale, np.float32)


def crop_box(
    landmarks: Floats, shape: tuple[int, ...], *, margin: float, max_side_px: int
) -> CropBox | None:
    """The square around a face that is stored, as far as it lies in the frame.

    The rule of the trainer's face cache, so that both hold the same pixels.

    Args:
        landmarks: (N, 2) points in pixels of the frame.
        shape: Of the frame, height first.
        margin: Side of the square over the longer side of the points' extent.
        max_side_px: Longer side of what is stored.

    Returns:
        None where less than 16 px of the square lie in the frame.
    """
    low, high = landmarks.min(0), landmarks.max(0)
    half = float((high - low).max()) * margin / 2
    centre = (low + high) / 2
    left, top = (int(max(0, c - half)) for c in centre)
    right = min(shape[1], int(centre[0] + half) + 1)
    bottom = min(shape[0], int(centre[1] + half) + 1)
    width, height = right - left, bottom - top
    if min(width, height) < MIN_SIDE_PX:
        return None
    scale = min(1.0, max_side_px / max(width, height))
    return CropBox(
        left, top, right, bottom, max(1, round(width * scale)), max(1, round(height * scale))
    )


def difference_mask(real: Image, fake: Image) -> Floats:
    """Where a forgery differs from its original: (H, W) float32, 0..1, soft.

    Compression makes every pixel differ a little, so small differences are set to zero. The
    same rule as the trainer's.

    Args:
        real: (H, W, 3) uint8 RGB.
        fake: The same place of the forgery, of the same size.
    """
    gap = cv2.absdiff(real, fake).max(2).astype(np.float32)
    gap = cv2.GaussianBlur(gap, (0, 0), max(2.0, real.shape[0] / 56))
    return np.asarray(np.clip((gap - 4.0) / 10.0, 0, 1), np.float32)


def film_mask(crop: Image) -> Floats:
    """A crop of a set's own mask film as (H, W) float32, 0..1.

    Masks are drawn in white, grey or colours on black and then compressed: the brightest channel
    counts, and below 16 of 255 it is noise.
    """
    brightest = crop.max(2).astype(np.float32) if crop.ndim == 3 else crop.astype(np.float32)
    return np.asarray(np.where(brightest < 16, 0, brightest / 255), np.float32)
