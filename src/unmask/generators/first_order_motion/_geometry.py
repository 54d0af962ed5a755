"""Points, grids and warps of the first-order motion model.

Coordinates are (x, y) in -1..1 over the picture, pixel centres at (2 i + 1) / S - 1, so that a
point means the same place at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST_DETERMINANT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Learned points of B pictures, each with the motion's first derivative beside it.

    Attributes:
        value: (B, K, 2) points, -1..1.
        jacobian: (B, K, 2, 2) derivative of the motion from the abstract reference pose.
    """

    value: Tensor
    jacobian: Tensor

    def row(self, first: int, last: int) -> Keypoints:
        """Those of pictures ``first`` .. ``last - 1``."""
        return Keypoints(self.value[first:last], self.jacobian[first:last])

    def repeated(self, count: int) -> Keypoints:
        """Those of one picture, ``count`` times."""
        return Keypoints(self.value.expand(count, -1, -1), self.jacobian.expand(count, -1, -1, -1))


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(height, width, 2) coordinates of the pixel centres."""
    y = (torch.arange(height, device=like.device, dtype=like.dtype) * 2 + 1) / height - 1
    x = (torch.arange(width, device=like.device, dtype=like.dtype) * 2 + 1) / width - 1
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)


def soft_argmax(heat: Tensor) -> Tensor:
    """(B, K, 2) centres of mass of (B, K, H, W) heat maps that sum to one."""
    grid = pixel_grid(heat.shape[2], heat.shape[3], heat)
    return torch.einsum("bkhw,hwc->bkc", heat, grid)


def gaussians(points: Tensor, height: int, width: int, variance: float) -> Tensor:
    """(B, K, H, W) bumps of height one around (B, K, 2) points."""
    grid = pixel_grid(height, width, points)
    squared = (grid - points[:, :, None, None]).square().sum(-1)
    return torch.exp(-0.5 * squared / variance)


def warp(pixels: Tensor, places: Tensor, *, beyond: str = "zeros") -> Tensor:
    """Look (B, C, H, W) up at (B, h, w, 2) places, resized to H x W where they differ."""
    size = (pixels.shape[2], pixels.shape[3])
    if places.shape[1:3] != size:
        planes = places.permute(0, 3, 1, 2)
        planes = functional.interpolate(planes, size, mode="bilinear", align_corners=False)
        places = planes.permute(0, 2, 3, 1)
    return functional.grid_sample(
        pixels, places, mode="bilinear", padding_mode=beyond, align_corners=False
    )


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Inverse of (..., 2, 2) matrices; nearly singular ones are kept finite."""
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    sign = torch.where(determinant < 0, -1.0, 1.0)
    determinant = sign * determinant.abs().clamp_min(_SMALLEST_DETERMINANT)
    adjugate = torch.stack([d, -b, -c, a], -1).reshape(matrix.shape)
    return adjugate / determinant[..., None, None]


def sparse_motions(source: Keypoints, driving: Keypoints, height: int, width: int) -> Tensor:
    """Where each of K + 1 local motions takes the driving picture's pixels in the source.

    The first motion is the background's: none.

    Returns:
        (B, K + 1, H, W, 2) places in the source.

    Source: equation 4 of the paper: z -> p_S + J_S J_D^-1 (z - p_D).
    """
    batch = len(driving.value)
    grid = pixel_grid(height, width, driving.value)
    beside = grid - driving.value[:, :, None, None]
    turn = source.jacobian @ inverse_2x2(driving.jacobian)
    moved = torch.einsum("bkij,bkhwj->bkhwi", turn, beside) + source.value[:, :, None, None]
    still = grid.expand(batch, 1, height, width, 2)
    return torch.cat([still, moved], 1)


class RandomWarp:
    """A random thin-plate spline for each of B pictures, with its exact derivative.

    Args:
        batch: B.
        affine: Standard deviation of the affine part's six numbers.
        bend: Standard deviation of the weights of the control points.
        points: Control points a side.

    Source: section 3.4 and the supplement's values, .05 and .005 on 5 x 5 points. What differs:
    x and y bend apart; the distance is Euclidean.
    """

    def __init__(
        self, batch: int, *, affine: float = 0.05, bend: float = 0.005, points: int = 5
    ) -> None:
        self.theta = torch.eye(2, 3) + affine * torch.randn(batch, 2, 3)
        line = torch.linspace(-1, 1, points)
        self.control = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(-1, 2)
        self.weights = bend * torch.randn(batch, points * points, 2)

    def places(self, points: Tensor) -> Tensor:
        """Map (B, N, 2) points, or (1, N, 2) that are the same in all B."""
        beside = points[:, :, None] - self.control
        squared = beside.square().sum(-1)
        bends = squared * torch.log(squared + 1e-6)
        linear = points @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
        return linear + bends @ self.weights

    def derivative(self, points: Tensor) -> Tensor:
        """(B, N, 2, 2) derivative of :meth:`places` at (B, N, 2) points, rows: x and y."""
        beside = points[:, :, None] - self.control
        squared = beside.square().sum(-1)
        slope = torch.log(squared + 1e-6) + squared / (squared + 1e-6)
        along = 2 * beside * slope[..., None]  # (B, N, C, 2)
        bends = torch.einsum("bnci,bcj->bnji", along, self.weights)
        return bends + self.theta[:, None, :, :2]

    def of(self, pixels: Tensor) -> Tensor:
        """Bend (B, C, H, W) pictures: each pixel shows what :meth:`places` says lies there."""
        height, width = pixels.shape[2:]
        grid = pixel_grid(height, width, pixels).reshape(1, -1, 2)
        return warp(pixels, self.places(grid).reshape(-1, height, width, 2), beyond="reflection")
