"""Degrading both pictures of a pair in exactly the same way.

What a picture went through (cameras, codecs, networks) must say nothing about its label, so the
real and the forged picture share every draw. The operations are Albumentations'; three are added
that it lacks: film coding by real x264 with frames before the picture, WebP, and a second codec
after the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import albumentations as alb
import cv2
import numpy as np

from unmask.train.film_codec import random_film_stills

if TYPE_CHECKING:
    from unmask.types import Image

# Share of compressions that are a film codec's: films are what is most often scanned.
_FILM_SHARE = 0.45
_RESIZERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_NEAREST)


class PairAugmenter:
    """Colour, blur, noise, reduction and compression, shared by the pair.

    Args:
        strength: 0 (nothing) to 1 (the published recipe).
    """

    def __init__(self, strength: float = 1.0) -> None:
        p = strength
        self._colour = alb.Compose(
            [
                alb.RGBShift((-20, 20), (-20, 20), (-20, 20), p=0.3 * p),
                alb.HueSaturationValue((-8, 8), (-30, 30), (-10, 10), p=0.3 * p),
                alb.RandomBrightnessContrast(0.25, 0.25, p=0.5 * p),
                alb.RandomGamma((70, 140), p=0.15 * p),
                alb.ToGray(p=0.03 * p),
                alb.OneOf(
                    [
                        alb.GaussianBlur(blur_limit=(3, 5), sigma_limit=(0.3, 1.4)),
                        alb.MotionBlur(blur_limit=(3, 5)),
                        alb.Sharpen(alpha=(0.1, 0.4), lightness=(1.0, 1.0)),
                    ],
                    p=0.25 * p,
                ),
                alb.GaussNoise(std_range=(0.005, 0.05), per_channel=True, p=0.2 * p),
            ],
            additional_targets={"other": "image"},
        )
        self._strength = strength

    def __call__(
        self, first: Image, second: Image, rng: np.random.Generator
    ) -> tuple[Image, Image]:
        """Return both (H, W, 3) pictures, degraded alike."""
        self._colour.set_random_seed(int(rng.integers(2**31)))
        both = self._colour(image=first, other=second)
        pictures = [both["image"], both["other"]]
        if rng.random() < 0.35 * self._strength:
            pictures = _reduced(pictures, rng)
        for chance in (0.75, 0.25):
            if rng.random() < chance * self._strength:
                pictures = _compressed(pictures, rng)
        return pictures[0], pictures[1]


def _reduced(pictures: list[Image], rng: np.random.Generator) -> list[Image]:
    factor = float(rng.uniform(0.4, 0.95))
    down, up = int(rng.choice(_RESIZERS)), int(rng.choice(_RESIZERS[:2]))
    out = []
    for picture in pictures:
        height, width = picture.shape[:2]
        size = (round(width * factor), round(height * factor))
        small = cv2.resize(picture, size, interpolation=down)
        out.append(np.asarray(cv2.resize(small, (width, height), interpolation=up), np.uint8))
    return out


def _compressed(pictures: list[Image], rng: np.random.Generator) -> list[Image]:
    choice = rng.random()
    if choice < _FILM_SHARE:
        return random_film_stills(pictures, rng)
    if choice < _FILM_SHARE + 0.4:
        suffix, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 98))]
    else:
        suffix, options = ".webp", [cv2.IMWRITE_WEBP_QUALITY, int(rng.integers(15, 90))]
    return [_coded(picture, suffix, options) for picture in pictures]


def _coded(picture: Image, suffix: str, options: list[int]) -> Image:
    # OpenCV's codecs speak BGR, and luma weighs the channels differently.
    data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1]
    return np.asarray(
        cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8
    )
