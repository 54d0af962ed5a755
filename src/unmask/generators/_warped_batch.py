"""Training pairs of a swap: a face bent by a coarse grid, and the same face as it was.

The network must undo the bend, so it cannot copy its input; it learns what the person looks like
and finds only the expression and the pose in what it is shown. That is why the same network may
be shown another person afterwards.

Source: the training of the first public face-swap autoencoders (5 x 5 grid of normal shifts,
random rotation, zoom, shift and flip); colours after Reinhard et al., "Color Transfer between
Images", IEEE CG&A 2001, on RGB means and deviations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmask.generators._face_stock import COLOUR, FACE

if TYPE_CHECKING:
    from unmask.types import Floats

_KNOTS = 5


@dataclass(frozen=True, slots=True)
class Warping:
    """How far faces are moved and bent, in shares of the crop's side.

    Attributes:
        bend: Deviation of a grid knot's shift (5 of 160 pixels in the first programs).
        turn_deg: Largest rotation either way.
        zoom: Largest change of size.
        shift: Largest shift.
        flip: Share of faces that are mirrored.
    """

    bend: float = 0.03
    turn_deg: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05
    flip: float = 0.5


def warped_pairs(
    planes: Tensor, side: int, rng: np.random.Generator, warping: Warping
) -> tuple[Tensor, Tensor]:
    """Draw one bent and one straight view of each face, both turned and moved alike.

    Args:
        planes: (B, C, S, S) in 0..1; S is best twice ``side``, so that the straight view stays
            sharp.
        side: Of what is returned.
        rng: Source of all randomness.
        warping: How far.

    Returns:
        Two times (B, C, side, side): bent, straight.
    """
    straight = _turned_grid(len(planes), planes.shape[-1], rng, warping)
    coarse = _resized_grid(straight, side)  # what is bent need not be sharp
    bent = coarse + _bend(len(planes), side, rng, warping.bend)
    return _sample(planes, bent, side), _sample(planes, straight, side)


def recolour(
    planes: Tensor, models: Tensor, rng: np.random.Generator, *, jitter: float, transfer: float
) -> Tensor:
    """Change the light of faces, and now and then give them the colours of a model.

    Args:
        planes: (B, 5, S, S) as a stock holds them.
        models: (B, 5, S, S) whose colours may be taken.
        rng: Source of all randomness.
        jitter: Deviation of brightness and (half as much) of each channel.
        transfer: Share of faces that take the model's colours.

    Returns:
        (B, 5, S, S); the regions are as they were.
    """
    taken = torch.from_numpy(rng.random(len(planes)) < transfer)
    colour = planes[:, COLOUR].clone()
    if bool(taken.any()):
        colour[taken] = _with_colours_of(planes[taken], models[taken])
    gain = 1 + jitter * rng.standard_normal((len(planes), 1, 1, 1))
    gain = gain * (1 + jitter / 2 * rng.standard_normal((len(planes), 3, 1, 1)))
    lift = jitter / 3 * rng.standard_normal((len(planes), 1, 1, 1))
    moved = colour * torch.from_numpy(gain).float() + torch.from_numpy(lift).float()
    return torch.cat([moved.clamp(0, 1), planes[:, FACE:]], 1)


def _with_colours_of(planes: Tensor, models: Tensor) -> Tensor:
    mean, deviation = _face_statistics(planes)
    wanted_mean, wanted_deviation = _face_statistics(models)
    gain = (wanted_deviation / deviation.clamp_min(1e-3)).clamp(0.5, 2)
    return ((planes[:, COLOUR] - mean) * gain + wanted_mean).clamp(0, 1)


def _face_statistics(planes: Tensor) -> tuple[Tensor, Tensor]:
    weight = planes[:, FACE : FACE + 1]
    total = weight.sum((2, 3), keepdim=True).clamp_min(1)
    mean = (planes[:, COLOUR] * weight).sum((2, 3), keepdim=True) / total
    spread = ((planes[:, COLOUR] - mean).square() * weight).sum((2, 3), keepdim=True) / total
    return mean, spread.sqrt()


def _turned_grid(count: int, side: int, rng: np.random.Generator, warping: Warping) -> Tensor:
    """(B, S, S, 2) where each pixel comes from, in -1..1, by a random similarity each."""
    turn = np.deg2rad(rng.uniform(-warping.turn_deg, warping.turn_deg, count))
    scale = 1 + rng.uniform(-warping.zoom, warping.zoom, count)
    mirror = np.where(rng.random(count) < warping.flip, -1.0, 1.0)
    shift = 2 * rng.uniform(-warping.shift, warping.shift, (count, 2))
    matrix: Floats = np.zeros((count, 2, 3), np.float32)
    matrix[:, 0, 0] = scale * np.cos(turn) * mirror
    matrix[:, 0, 1] = -scale * np.sin(turn)
    matrix[:, 1, 0] = scale * np.sin(turn) * mirror
    matrix[:, 1, 1] = scale * np.cos(turn)
    matrix[:, :, 2] = shift
    grid: Tensor = functional.affine_grid(
        torch.from_numpy(matrix), [count, 1, side, side], align_corners=False
    )
    return grid


def _resized_grid(grid: Tensor, side: int) -> Tensor:
    if grid.shape[1] == side:
        return grid
    planes = grid.permute(0, 3, 1, 2)
    # An affine grid is linear, so the mean of a cell is its centre.
    return functional.interpolate(planes, (side, side), mode="area").permute(0, 2, 3, 1)


def _bend(count: int, side: int, rng: np.random.Generator, bend: float) -> Tensor:
    """(B, S, S, 2) smooth shifts from a 5 x 5 grid of normal ones."""
    knots = torch.from_numpy(rng.normal(0, 2 * bend, (count, 2, _KNOTS, _KNOTS))).float()
    smooth = functional.interpolate(knots, (side, side), mode="bicubic", align_corners=True)
    return smooth.permute(0, 2, 3, 1)


def _sample(planes: Tensor, grid: Tensor, side: int) -> Tensor:
    seen = functional.grid_sample(
        planes, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    if seen.shape[-1] != side:
        seen = functional.interpolate(seen, (side, side), mode="area")
    return seen
