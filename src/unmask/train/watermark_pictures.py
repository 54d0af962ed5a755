"""Pictures to train the watermark's networks on: portraits, photographs and drawn ones.

Whatever ships is trained on openly licensed pictures, so the rest is drawn here: noise whose
spectrum falls as that of photographs does, gradients, edges, and text-like patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.train.facecache import FaceCache
    from unmask.types import Image

_DRAWN_SHARE, _PHOTOGRAPH_SHARE = 0.2, 0.15
SIDES_PX = (128, 128, 192, 256, 320)


class Pictures:
    """Draws square pictures of 128 to 320 px.

    Args:
        cache: Portraits.
        rows: Which of them.
        photographs: Other pictures, (H, W, 3) uint8 RGB of at least 128 px.
    """

    def __init__(
        self, cache: FaceCache, rows: np.ndarray, photographs: Sequence[Image] = ()
    ) -> None:
        self._cache, self._rows = cache, rows
        self._photographs = list(photographs)

    def draw(self, rng: np.random.Generator) -> Image:
        """One picture, its side one of ``SIDES_PX``."""
        side = int(rng.choice(SIDES_PX))
        kind = rng.random()
        if kind < _DRAWN_SHARE:
            return drawn(side, rng)
        if kind < _DRAWN_SHARE + _PHOTOGRAPH_SHARE and self._photographs:
            source = self._photographs[int(rng.integers(len(self._photographs)))]
        else:
            source = self._cache.face(int(rng.choice(self._rows))).image
        return _varied(_square(source, side, rng), rng)


def sample_photographs() -> list[Image]:
    """The public-domain photographs that come inside scikit-image, colours only."""
    from skimage import data

    pictures: Any = data
    return [
        np.asarray(pictures.astronaut()),
        np.asarray(pictures.coffee()),
        np.asarray(pictures.chelsea()),
    ]


def _square(source: Image, side: int, rng: np.random.Generator) -> Image:
    shorter = min(source.shape[:2])
    part = int(shorter * rng.uniform(0.45, 1.0))
    top = int(rng.integers(source.shape[0] - part + 1))
    left = int(rng.integers(source.shape[1] - part + 1))
    window = source[top : top + part, left : left + part]
    method = cv2.INTER_AREA if part > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(window, (side, side), interpolation=method), np.uint8)


def _varied(image: Image, rng: np.random.Generator) -> Image:
    if rng.random() < 0.5:
        image = image[:, ::-1]
    values = image.astype(np.float32) * rng.uniform(0.5, 1.25) * rng.uniform(0.85, 1.15, 3)
    values += rng.uniform(-25, 25)
    if rng.random() < 0.08:
        values = np.repeat(values.mean(-1, keepdims=True), 3, -1)
    if rng.random() < 0.3:
        values += rng.normal(0, rng.uniform(0.5, 6), values.shape)
    varied: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return varied


def drawn(side: int, rng: np.random.Generator) -> Image:
    """A picture that nobody took: falling-spectrum noise, a gradient, edges or letters."""
    kind = int(rng.integers(4))
    values = _gradient(side, rng) if kind else _noise(side, rng)
    if kind == 2:
        values += _noise(side, rng) * rng.uniform(0.1, 0.5)
    image: Image = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if kind == 3:
        for _ in range(int(rng.integers(2, 30))):
            _shape(image, rng)
    return image


def _noise(side: int, rng: np.random.Generator) -> np.ndarray:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    fall = frequency ** -rng.uniform(0.7, 1.6)
    planes = [np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * fall) for _ in range(3)]
    mix = np.eye(3) * rng.uniform(0, 1) + rng.uniform(0.2, 1)
    values = np.stack([p / p.std() for p in planes], -1) @ (mix / np.abs(mix).sum(0))
    coloured: np.ndarray = values * rng.uniform(5, 60) + rng.uniform(60, 190, 3)
    return coloured


def _gradient(side: int, rng: np.random.Generator) -> np.ndarray:
    corners = rng.uniform(0, 255) + rng.normal(0, 40, (2, 2, 3))
    wide = cv2.resize(corners, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float64)


def _shape(image: Image, rng: np.random.Generator) -> None:
    side = image.shape[0]
    colour = tuple(rng.uniform(0, 255, 3))
    points = rng.integers(0, side, (2, 2))
    first, second = (int(points[0, 0]), int(points[0, 1])), (int(points[1, 0]), int(points[1, 1]))
    kind = int(rng.integers(4))
    if kind == 0:
        cv2.rectangle(image, first, second, colour, -1)
    elif kind == 1:
        cv2.circle(image, first, int(rng.integers(2, side // 3)), colour, -1, cv2.LINE_AA)
    elif kind == 2:
        cv2.line(image, first, second, colour, int(rng.integers(1, 6)), cv2.LINE_AA)
    else:
        letters = "".join(chr(int(c)) for c in rng.integers(65, 91, 6))
        size = float(rng.uniform(0.3, 1.5))
        cv2.putText(image, letters, first, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
