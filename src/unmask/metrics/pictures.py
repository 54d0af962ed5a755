"""How near a picture comes to a reference, pixel by pixel.

Pictures are (H, W) or (H, W, C), uint8 or float on the 0..255 scale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]

PEAK = 255.0
_SIGMA, _REACH = 1.5, 5
_K1, _K2 = 0.01, 0.03


def mean_absolute_error(
    image: ArrayLike, reference: ArrayLike, weight: ArrayLike | None = None
) -> float:
    """Mean absolute difference as a share of the full range, 0..1 (the "L1" of motion papers).

    Args:
        image: The picture.
        reference: What it should be, of the same shape.
        weight: (H, W) weight of each pixel; None: all alike.

    Raises:
        ValueError: Shapes differ, or all weights are zero.
    """
    one, other = _pair(image, reference)
    return _weighted(np.abs(one - other), weight) / PEAK


def psnr(image: ArrayLike, reference: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Peak signal-to-noise ratio in decibels, over all channels; infinite for equal pictures.

    Args:
        image: The picture.
        reference: What it should be, of the same shape.
        weight: (H, W) weight of each pixel (a mask); None: all alike.

    Raises:
        ValueError: Shapes differ, or all weights are zero.
    """
    one, other = _pair(image, reference)
    error = _weighted((one - other) ** 2, weight)
    return float("inf") if error == 0 else float(10 * np.log10(PEAK**2 / error))


def ssim(image: ArrayLike, reference: ArrayLike) -> float:
    """Mean structural similarity, -1..1; 1 for equal pictures.

    Args:
        image: The picture, at least 11 pixels each way.
        reference: What it should be, of the same shape.

    Raises:
        ValueError: Shapes differ, or the picture is smaller than the window.

    Source:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
        IEEE TIP 2004, equation 13: Gaussian window of 11 pixels with sigma 1.5, K1 .01, K2 .03,
        only where the window lies inside. What differs: colour pictures are measured channel by
        channel and averaged; the paper measures luminance alone.
    """
    one, other = _pair(image, reference)
    if min(one.shape[:2]) < 2 * _REACH + 1:
        raise ValueError(f"a picture of {one.shape[:2]} is smaller than the window of 11 pixels")
    first_mean, second_mean = _blurred(one), _blurred(other)
    products = _blurred(one * other) - first_mean * second_mean
    first_spread = _blurred(one * one) - first_mean**2
    second_spread = _blurred(other * other) - second_mean**2
    c1, c2 = (_K1 * PEAK) ** 2, (_K2 * PEAK) ** 2
    like = (2 * first_mean * second_mean + c1) * (2 * products + c2)
    like /= (first_mean**2 + second_mean**2 + c1) * (first_spread + second_spread + c2)
    return float(like.mean())


def _pair(image: ArrayLike, reference: ArrayLike) -> tuple[Doubles, Doubles]:
    one, other = np.asarray(image, np.float64), np.asarray(reference, np.float64)
    if one.shape != other.shape or one.ndim not in {2, 3}:
        raise ValueError(f"pictures of shapes {one.shape} and {other.shape}; expected two alike")
    return one, other


def _weighted(values: Doubles, weight: ArrayLike | None) -> float:
    per_pixel = values if values.ndim == 2 else values.mean(2)
    if weight is None:
        return float(per_pixel.mean())
    share = np.asarray(weight, np.float64)
    if share.shape != per_pixel.shape or share.sum() <= 0:
        raise ValueError(f"weights of shape {share.shape} with sum {share.sum():g} for a picture")
    return float((per_pixel * share).sum() / share.sum())


def _blurred(values: Doubles) -> Doubles:
    """Gaussian mean where the window lies inside, along both axes."""
    taps = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        length = values.shape[axis] - 2 * _REACH
        parts = (
            tap * np.take(values, range(start, start + length), axis)
            for start, tap in enumerate(taps)
        )
        values = sum(parts, np.zeros(()))
    return values
