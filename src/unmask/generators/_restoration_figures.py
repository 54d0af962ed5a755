"""How a restored picture compares with the original, and whether the face is still the same.

``gradient_cosine`` stands for likeness: it compares where a face's edges lie and which way they
run, and recognises nobody. It is not a score of identity by a network that was trained to tell
people apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.generators._face_tensors import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

_CELLS, _WAYS, _SIDE_PX = 8, 8, 64
_WINDOW_PX = 5


def texture_error(made: Pixels, real: Pixels) -> float:
    """Mean gap between local deviations of brightness (5 px windows), in grey levels.

    What is too smooth has too little of it everywhere, and noise too much; a texture that is
    right in strength but lies a pixel beside counts as right, other than in PSNR.
    """
    gaps = [np.abs(_deviation(one) - _deviation(other)).mean()
            for one, other in zip(made, real, strict=True)]  # fmt: skip
    return float(np.mean(gaps))


def gradient_cosine(made: Pixels, real: Pixels, average: Floats) -> float:
    """Mean cosine between the gradient histograms of pictures, less those of the average face.

    Args:
        made: (N, S, S, 3) uint8.
        real: (N, S, S, 3) uint8 of the same faces.
        average: As :func:`average_gradients` found it on training faces.

    Returns:
        -1..1; two different people are near 0.

    Source: Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
    """
    first, second = (gradient_histograms(part) - average for part in (made, real))
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(1) / np.maximum(norms, 1e-6)).mean())


def average_gradients(images: Pixels) -> Floats:
    """Mean gradient histograms of faces."""
    return np.asarray(gradient_histograms(images).mean(0), np.float32)


def gradient_histograms(images: Pixels) -> Floats:
    """(N, 512): 8 x 8 cells of 8 directions, square roots, unit length."""
    return np.stack([_histograms(image) for image in images])


def _histograms(image: Pixels) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = resized(grey, _SIDE_PX)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    way = (np.arctan2(down, across) % np.pi) / np.pi * _WAYS
    rows, columns = np.indices(grey.shape) * _CELLS // _SIDE_PX
    cell = (rows * _CELLS + columns) * _WAYS + way.astype(int) % _WAYS
    counts = np.bincount(cell.ravel(), strength.ravel(), _CELLS * _CELLS * _WAYS)
    found = np.sqrt(counts)
    return np.asarray(found / max(float(np.linalg.norm(found)), 1e-6), np.float32)


def _deviation(image: Pixels) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = (_WINDOW_PX, _WINDOW_PX)
    spread = cv2.blur(grey * grey, size) - cv2.blur(grey, size) ** 2
    return np.asarray(np.sqrt(np.maximum(spread, 0)), np.float32)
