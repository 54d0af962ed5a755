"""How unlike two pictures are, as losses: structure, pixels under a blurred mask, edges."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

_WINDOW_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim_map(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity at every pixel: (B, C, H, W), -1..1.

    Pictures in 0..1; a Gaussian window of deviation 1.5 and side 11 (7 below 32 pixels), mirrored
    at the border.

    Source: Wang, Bovik, Sheikh & Simoncelli, "Image Quality Assessment", IEEE TIP 2004, eq. 13.
    """
    radius = 5 if min(first.shape[-2:]) >= 32 else 3
    stacked = torch.cat([first, second, first * first, second * second, first * second], 1)
    smooth = blurred(stacked, _WINDOW_SIGMA, radius)
    mean_1, mean_2, square_1, square_2, product = smooth.chunk(5, 1)
    luminance = (2 * mean_1 * mean_2 + _C1) / (mean_1**2 + mean_2**2 + _C1)
    variances = (square_1 - mean_1**2) + (square_2 - mean_2**2)
    structure = (2 * (product - mean_1 * mean_2) + _C2) / (variances + _C2)
    return luminance * structure


def dssim(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Structural dissimilarity (1 - SSIM) / 2 of grey values, 0..1.

    Args:
        first: (B, 3, H, W) in 0..1.
        second: Likewise.
        weight: (B, 1, H, W) what each pixel counts.
    """
    unlike = (1 - ssim_map(_grey(first), _grey(second))) / 2
    return weighted_mean(unlike, weight)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of (B, C, H, W) values, weighted by (B, 1, H, W) where it is given."""
    if weight is None:
        return values.mean()
    return (values * weight).sum() / (weight.sum().clamp_min(1e-6) * values.shape[1])


def blurred(planes: Tensor, sigma_px: float, radius: int) -> Tensor:
    """(B, C, H, W) smoothed by a Gaussian of ``2 radius + 1`` pixels, mirrored at the border.

    As two matrix products: on small pictures quicker than convolutions of one channel each.
    """
    height, width = planes.shape[-2:]
    rows = _gaussian_matrix(height, sigma_px, radius).to(planes.device, planes.dtype)
    columns = _gaussian_matrix(width, sigma_px, radius).to(planes.device, planes.dtype)
    return rows @ planes.contiguous() @ columns.T


def face_weight(mask: Tensor, background: float) -> Tensor:
    """What an error counts at each pixel: 1 on the face, ``background`` beyond, soft between.

    Args:
        mask: (B, 1, S, S) face region, 0..1.
        background: What the rest of the crop counts.
    """
    sigma_px = mask.shape[-1] / 32
    soft = blurred(mask, sigma_px, max(1, round(2 * sigma_px)))
    return background + (1 - background) * soft


def error_weight(face: Tensor, parts: Tensor, background: float, more_on_parts: float) -> Tensor:
    """What an error counts: as :func:`face_weight` says, and more on eyes and mouth.

    Args:
        face: (B, 1, S, S) face region, 0..1.
        parts: (B, 1, S, S) eyes and mouth, 0..1.
        background: What the rest of the crop counts.
        more_on_parts: How much more an error counts on eyes and mouth; 0: no more.
    """
    return face_weight(face, background) * (1 + more_on_parts * parts)


def edge_distance(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute difference of the horizontal and vertical steps from pixel to pixel."""
    total = first.new_zeros(())
    for axis in (2, 3):
        unlike = (first.diff(dim=axis) - second.diff(dim=axis)).abs()
        kept = None if weight is None else weight.narrow(axis, 1, unlike.shape[axis])
        total = total + weighted_mean(unlike, kept)
    return total


def total_variation(planes: Tensor) -> Tensor:
    """Mean absolute step from pixel to pixel, both ways."""
    return planes.diff(dim=2).abs().mean() + planes.diff(dim=3).abs().mean()


def _grey(pixels: Tensor) -> Tensor:
    luma = pixels.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (pixels * luma).sum(1, keepdim=True)


@cache
def _gaussian_matrix(side: int, sigma_px: float, radius: int) -> Tensor:
    """(side, side): row i holds what each pixel counts in the smoothed pixel i."""
    offsets = torch.arange(-radius, radius + 1)
    heights = torch.exp(-(offsets.float() ** 2) / (2 * sigma_px**2))
    places = (torch.arange(side)[:, None] + offsets).abs()
    places = torch.where(places < side, places, 2 * (side - 1) - places)
    matrix = torch.zeros(side, side)
    matrix.scatter_add_(1, places, (heights / heights.sum()).expand(side, -1))
    return matrix
