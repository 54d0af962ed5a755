"""Making good faces bad, so that a network can learn the way back.

Source: Wang et al., "Real-ESRGAN", ICCV Workshops 2021, section 3 (blur, resize, noise, JPEG), once
and not twice; plain reduction is bicubic with an area filter, as super-resolution papers measure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional

from unmask.generators._face_tensors import to_images, to_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Image

    Pixels = NDArray[np.uint8]

_SIGMA = (0.2, 1.4)
_NOISE = (0.0, 10.0)
_JPEG = (45, 96)


def bicubic(pixels: Tensor, size_px: int) -> Tensor:
    """Resize (B, C, H, W) by Keys' cubic (a = -0.5), averaging where it shrinks."""
    return functional.interpolate(
        pixels, (size_px, size_px), mode="bicubic", antialias=True, align_corners=False
    )


def reduced(images: Pixels, size_px: int) -> Pixels:
    """Shrink (or enlarge) (N, S, S, 3) uint8 pictures by :func:`bicubic`."""
    return to_images(bicubic(to_pixels(images, signed=False), size_px), signed=False)


def degraded(image: Image, size_px: int, rng: np.random.Generator) -> Image:
    """Blur, shrink, noise and JPEG, each at random; (size, size, 3) uint8.

    Args:
        image: (S, S, 3) uint8, good.
        size_px: Side that it ends with.
        rng: Source of all randomness.
    """
    bad = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*_SIGMA)) * image.shape[0] / size_px)
    kind = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(3))]
    bad = cv2.resize(bad, (size_px, size_px), interpolation=kind)
    noise = rng.normal(0, float(rng.uniform(*_NOISE)), bad.shape)
    noisy = np.clip(np.rint(bad + noise), 0, 255).astype(np.uint8)
    return jpeg(noisy, int(rng.integers(*_JPEG)))


def jpeg(image: Image, quality: int) -> Image:
    """Code and decode a picture, colours at half the resolution as cameras have it.

    Args:
        image: (H, W, 3) uint8.
        quality: 1..100, of libjpeg.
    """
    # OpenCV takes blue first; in RGB red would pass for blue, and be coded far too well.
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
