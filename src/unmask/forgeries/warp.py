"""Bending pictures: thin-plate splines from landmarks, and random elastic fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

_GRID = 32


def thin_plate_field(from_points: Floats, to_points: Floats, height: int, width: int) -> Floats:
    """Where each pixel of the result comes from, so that ``from_points`` land on ``to_points``.

    The spline is solved on the points and evaluated on a 32 x 32 grid, then enlarged: smooth, and
    at a small part of the cost of every pixel.

    Args:
        from_points: (N, 2) points in the picture to be bent.
        to_points: (N, 2) where they must come to lie.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        (height, width, 2) float32 map for ``cv2.remap``.

    Source: Bookstein, "Principal Warps", IEEE PAMI 1989.
    """
    scale = float(max(height, width))
    knots = to_points.astype(np.float64) / scale
    values = from_points.astype(np.float64) / scale
    count = len(knots)
    border = np.concatenate([np.ones((count, 1)), knots], 1)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(knots, knots) + 1e-6 * np.eye(count)
    system[:count, count:] = border
    system[count:, :count] = border.T
    weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))
    xs = np.linspace(0, width - 1, _GRID) / scale
    ys = np.linspace(0, height - 1, _GRID) / scale
    grid = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    bent = _kernel(grid, knots) @ weights[:count]
    bent += np.concatenate([np.ones((len(grid), 1)), grid], 1) @ weights[count:]
    return _enlarge((bent * scale).reshape(_GRID, _GRID, 2).astype(np.float32), height, width)


def elastic_field(
    height: int, width: int, strength_px: float, rng: np.random.Generator, *, cells: int = 6
) -> Floats:
    """A random smooth deformation, as a map for ``cv2.remap``.

    Args:
        height: Height in pixels.
        width: Width in pixels.
        strength_px: Standard deviation of the shift.
        rng: Source of all randomness.
        cells: Knots of the random field along each side; fewer is smoother.
    """
    return field_of_knots(rng.normal(0, strength_px, (cells, cells, 2)), height, width)


def field_of_knots(knots_px: NDArray[np.float64], height: int, width: int) -> Floats:
    """The map for ``cv2.remap`` that shifts as (K, K, 2) knots say, smooth between them."""
    shift = cv2.resize(knots_px.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(shift + np.stack([xs, ys], -1), np.float32)


def bend(image: Image, field: Floats) -> Image:
    """Resample ``image`` by a map from :func:`thin_plate_field` or :func:`elastic_field`."""
    bent = cv2.remap(image, field, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(bent, np.uint8)


def bend_mask(mask: Floats, field: Floats) -> Floats:
    """Resample a mask by the same kind of map; outside is 0."""
    bent = cv2.remap(mask, field, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(np.clip(bent, 0, 1), np.float32)


def _kernel(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    squared: NDArray[np.float64] = ((first[:, None] - second[None]) ** 2).sum(-1)
    return squared * np.log(squared + 1e-12)


def _enlarge(grid: Floats, height: int, width: int) -> Floats:
    """Enlarge a map whose outer knots lie on the outer pixels (plain resizing would shift it)."""
    xs = np.linspace(0, _GRID - 1, width, dtype=np.float32)
    ys = np.linspace(0, _GRID - 1, height, dtype=np.float32)
    at_x, at_y = np.meshgrid(xs, ys)
    return np.asarray(cv2.remap(grid, at_x, at_y, cv2.INTER_LINEAR), np.float32)
