"""What happens to pictures on their way, for training and measuring the invisible watermark.

All of it is real (OpenCV's and x264's own code on 8-bit pictures). While training the gradient
passes through as if nothing had happened ("straight through", Bengio et al., 2013): nothing has to
be differentiable, and nothing is only like the real thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.train.film_codec import through_h264

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.types import Image


def jpeg(image: Image, quality: int) -> Image:
    """Through JPEG with 4:2:0 colours."""
    return _through(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def webp(image: Image, quality: int) -> Image:
    """Through lossy WebP."""
    return _through(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def resized(image: Image, factor: float) -> Image:
    """Made smaller or larger, and left so."""
    height, width = image.shape[:2]
    size = (max(round(width * factor), 16), max(round(height * factor), 16))
    return np.asarray(cv2.resize(image, size, interpolation=_method(factor)), np.uint8)


def resized_and_back(image: Image, factor: float) -> Image:
    """Made smaller, then as large as before."""
    height, width = image.shape[:2]
    small = resized(image, factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def cropped(image: Image, removed: float, rng: np.random.Generator) -> Image:
    """A random rectangle of the picture, without ``removed`` of its area.

    The shape is drawn between the picture's own and one cut on a single side.
    """
    height, width = image.shape[:2]
    across = float((1 - removed) ** rng.uniform(0, 1))
    kept_w, kept_h = round(width * across), round(height * (1 - removed) / across)
    top = int(rng.integers(height - kept_h + 1))
    left = int(rng.integers(width - kept_w + 1))
    return np.ascontiguousarray(image[top : top + kept_h, left : left + kept_w])


def film_coded(image: Image, crf: int) -> Image:
    """As the only frame of an x264 film."""
    return through_h264([image], crf=crf)[0]


def random_attack(image: Image, rng: np.random.Generator) -> Image:
    """One or two of what a picture may meet; it stays as large as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        rng: Source of all randomness.
    """
    if rng.random() < 0.1:
        return image
    for _ in range(1 + int(rng.random() < 0.35)):
        kinds, shares = zip(*_ATTACKS, strict=True)
        image = kinds[rng.choice(len(kinds), p=shares)](image, rng)
    return image


def _through(image: Image, suffix: str, options: list[int]) -> Image:
    _, coded = cv2.imencode(suffix, image[..., ::-1], options)
    return np.ascontiguousarray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1])


def _toned(image: Image, rng: np.random.Generator) -> Image:
    values = image.astype(np.float32) / 255
    values = values ** rng.uniform(0.75, 1.3) * rng.uniform(0.8, 1.15) + rng.uniform(-0.05, 0.05)
    values *= rng.uniform(0.93, 1.07, 3).astype(np.float32)
    if rng.random() < 0.4:
        grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
        share = rng.uniform(0, 1)
        values = values * (1 - share) + grey[..., None] * share
    return _rounded(values * 255)


def _noisy(image: Image, rng: np.random.Generator) -> Image:
    return _rounded(image + rng.normal(0, rng.uniform(1, 6), image.shape))


def _blurred(image: Image, rng: np.random.Generator) -> Image:
    sigma = float(rng.uniform(0.4, 1.3)) * image.shape[0] / 128
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _rounded(values: np.ndarray) -> Image:
    rounded: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def _method(factor: float) -> int:
    return int(cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


_ATTACKS: tuple[tuple[Callable[[Image, np.random.Generator], Image], float], ...] = (
    (lambda image, rng: jpeg(image, int(rng.integers(25, 90))), 0.34),
    (lambda image, rng: film_coded(image, int(rng.integers(22, 36))), 0.22),
    (lambda image, rng: resized_and_back(image, float(rng.uniform(0.35, 0.9))), 0.14),
    (lambda image, rng: webp(image, int(rng.integers(30, 90))), 0.06),
    (_toned, 0.1),
    (_noisy, 0.08),
    (_blurred, 0.06),
)
