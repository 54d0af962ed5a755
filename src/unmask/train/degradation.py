"""Degrading pictures, pairs and clips in training, with parts that a recipe chooses.

All frames that are handed over together are degraded by the same draw: what a picture went
through must say nothing about its label (a pair), nor change from frame to frame (a clip).
The operations are Albumentations'; film coding is real x264.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import albumentations as alb
import cv2
import numpy as np

from unmask.train.film_codec import random_film_stills, through_h264

if TYPE_CHECKING:
    from collections.abc import Collection

    from unmask.types import Image

_RESIZERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_NEAREST)
_PRESETS = ("ultrafast", "veryfast", "faster")


class Degradation:
    """Colour, blur, noise, reduction and compression.

    Args:
        strength: 0 (nothing) to 1: how often each part is applied.
        parts: Names of parts; see :class:`unmask.train.network_recipe.Crops`.
    """

    def __init__(self, strength: float, parts: Collection[str]) -> None:
        self.strength, self.parts = strength, frozenset(parts)
        self._pixelwise = alb.Compose(_pixelwise(strength, self.parts))

    def __call__(self, clips: list[list[Image]], rng: np.random.Generator) -> list[list[Image]]:
        """Degrade clips (a picture is a clip of one frame) of (S, S, 3) frames, all alike."""
        if not self.strength:
            return clips
        if len(self._pixelwise.transforms):
            clips = self._through_albumentations(clips, int(rng.integers(2**31)))
        if "resize" in self.parts and rng.random() < 0.35 * self.strength:
            clips = _reduced(clips, rng)
        for chance in (0.75, 0.25):
            if rng.random() < chance * self.strength:
                clips = self._coded(clips, rng)
        return clips

    def _through_albumentations(self, clips: list[list[Image]], seed: int) -> list[list[Image]]:
        self._pixelwise.set_random_seed(seed)
        flat = np.stack([frame for clip in clips for frame in clip])
        out = iter(self._pixelwise(images=flat)["images"])
        return [[np.ascontiguousarray(next(out)) for _ in clip] for clip in clips]

    def _coded(self, clips: list[list[Image]], rng: np.random.Generator) -> list[list[Image]]:
        film, still = "h264" in self.parts, "compression" in self.parts
        if film and (not still or rng.random() < 0.5):
            return _through_film(clips, rng)
        if not still:
            return clips
        if rng.random() < 0.6:
            suffix, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 98))]
        else:
            suffix, options = ".webp", [cv2.IMWRITE_WEBP_QUALITY, int(rng.integers(15, 90))]
        return [[_through_still_codec(frame, suffix, options) for frame in clip] for clip in clips]


def _pixelwise(strength: float, parts: frozenset[str]) -> list[Any]:
    p = strength
    chosen: list[Any] = []
    if "colour" in parts:
        chosen += [
            alb.RGBShift((-20, 20), (-20, 20), (-20, 20), p=0.3 * p),
            alb.HueSaturationValue((-8, 8), (-30, 30), (-10, 10), p=0.3 * p),
            alb.RandomBrightnessContrast(0.25, 0.25, p=0.5 * p),
            alb.RandomGamma((70, 140), p=0.15 * p),
        ]
    if "blur" in parts:
        blurs = [
            alb.GaussianBlur(blur_limit=(3, 5), sigma_limit=(0.3, 1.4)),
            alb.MotionBlur(blur_limit=(3, 5)),
            alb.Sharpen(alpha=(0.1, 0.4), lightness=(1.0, 1.0)),
        ]
        chosen.append(alb.OneOf(blurs, p=0.25 * p))
    if "noise" in parts:
        chosen.append(alb.GaussNoise(std_range=(0.005, 0.05), per_channel=True, p=0.2 * p))
    return chosen


def _reduced(clips: list[list[Image]], rng: np.random.Generator) -> list[list[Image]]:
    factor = float(rng.uniform(0.4, 0.95))
    down, up = int(rng.choice(_RESIZERS)), int(rng.choice(_RESIZERS[:2]))

    def reduced(frame: Image) -> Image:
        height, width = frame.shape[:2]
        size = (max(8, round(width * factor)), max(8, round(height * factor)))
        small = cv2.resize(frame, size, interpolation=down)
        return np.asarray(cv2.resize(small, (width, height), interpolation=up), np.uint8)

    return [[reduced(frame) for frame in clip] for clip in clips]


def _through_film(clips: list[list[Image]], rng: np.random.Generator) -> list[list[Image]]:
    if all(len(clip) == 1 for clip in clips):
        stills = random_film_stills([clip[0] for clip in clips], rng)
        return [[still] for still in stills]
    crf, preset = int(rng.integers(18, 37)), str(rng.choice(_PRESETS))
    return [through_h264(clip, crf=crf, preset=preset) for clip in clips]


def _through_still_codec(frame: Image, suffix: str, options: list[int]) -> Image:
    # OpenCV's codecs speak BGR, and luma weighs the channels differently.
    data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
