"""Faces of material as arrays and tensors of one size, and tensors as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import UsageError
from unmask.generators.material import scaled_landmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

_Network = TypeVar("_Network", bound=nn.Module)
_MOST_CHANNELS = 4  # that OpenCV resizes


def faces_of(tracks: Sequence[FaceTrack], size_px: int) -> Pixels:
    """All crops of all tracks at one size, (N, size, size, 3) uint8 RGB."""
    crops = [resized(image, size_px) for track in tracks for image in track.images]
    return np.stack(crops) if crops else np.zeros((0, size_px, size_px, 3), np.uint8)


def landmarks_of(tracks: Sequence[FaceTrack], size_px: int) -> Floats:
    """Landmarks of all crops in pixels of crops of ``size_px``, (N, 468, 2)."""
    scaled = [
        scaled_landmarks(track.landmarks, size_px / track.images.shape[1]) for track in tracks
    ]
    return np.concatenate(scaled)


def resized(plane: Any, size_px: int) -> Any:
    """A square picture or mask at another size, of the same type.

    Means over areas where it shrinks (nothing aliases), cubic where it grows.

    Args:
        plane: (S, S) or (S, S, C), uint8 or float32.
        size_px: The new side.
    """
    if plane.shape[0] == size_px:
        return plane
    how = cv2.INTER_AREA if plane.shape[0] > size_px else cv2.INTER_CUBIC
    if plane.ndim == 2 or plane.shape[2] <= _MOST_CHANNELS:
        return cv2.resize(plane, (size_px, size_px), interpolation=how)
    parts = np.split(plane, range(_MOST_CHANNELS, plane.shape[2], _MOST_CHANNELS), 2)
    sized = [np.atleast_3d(resized(np.ascontiguousarray(part), size_px)) for part in parts]
    return np.concatenate(sized, 2)


def to_pixels(images: Pixels, *, signed: bool) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32, channels last in memory.

    Args:
        images: RGB.
        signed: Range of the result: -1..1 (True), or 0..1.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    return pixels.div(127.5).sub(1) if signed else pixels.div(255)


def to_images(pixels: Tensor, *, signed: bool) -> Pixels:
    """(N, 3, H, W) -> (N, H, W, 3) uint8; what lies beyond the range is clipped.

    Args:
        pixels: RGB, of any floating type.
        signed: Their range: -1..1 (True), or 0..1.
    """
    plain = pixels.detach().float()
    scaled = plain.add(1).mul(127.5) if signed else plain.mul(255)
    rounded = scaled.round().clamp(0, 255).to(torch.uint8)
    return rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def check_side(side: int, step: int) -> None:
    """A side must be a multiple of what the network halves it by.

    Raises:
        UsageError: It is not.
    """
    if side < step or side % step:
        raise UsageError(
            f"size_px = {side} does not fit this network.",
            hint=f"Give a multiple of {step}, such as {max(step, round(side / step) * step)}.",
        )


def spread(count: int, wanted: int) -> NDArray[np.int64]:
    """At most ``wanted`` positions spread over ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round()).astype(np.int64)


def channels_last(network: _Network) -> _Network:
    """The same network with its weights laid out as convolutions on processors want them."""
    to: Any = network.to
    to(memory_format=torch.channels_last)
    return network


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers apart from PyTorch's own."""
    return torch.Generator().manual_seed(seed)
