"""Faces of material as tensors, and tensors as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats, Image

    Pixels = NDArray[np.uint8]

_GAP_PX = 2
_Network = TypeVar("_Network", bound=nn.Module)


def faces_of(tracks: Sequence[FaceTrack], size_px: int) -> Pixels:
    """All crops of all tracks at one size, (N, size, size, 3) uint8 RGB."""
    crops = [_sized(image, size_px) for track in tracks for image in track.images]
    return np.stack(crops) if crops else np.zeros((0, size_px, size_px, 3), np.uint8)


def landmarks_of(tracks: Sequence[FaceTrack], size_px: int) -> Floats:
    """Landmarks of all crops in pixels of crops of ``size_px``, (N, 468, 2)."""
    scaled = [track.landmarks * (size_px / track.images.shape[1]) for track in tracks]
    return np.concatenate(scaled).astype(np.float32)


def _sized(image: Image, size_px: int) -> Image:
    if image.shape[0] == size_px:
        return image
    kind = cv2.INTER_AREA if image.shape[0] > size_px else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size_px, size_px), interpolation=kind), np.uint8)


def to_pixels(images: Pixels) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in -1..1, channels last in memory."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    return pixels.to(torch.float32).div(127.5).sub(1)


def to_images(pixels: Tensor) -> Pixels:
    """(N, 3, H, W) in -1..1 -> (N, H, W, 3) uint8."""
    scaled = pixels.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return np.ascontiguousarray(scaled.to(torch.uint8).permute(0, 2, 3, 1).numpy())


def in_parts(values: Tensor, count: int) -> list[Tensor]:
    """Cut a batch into batches of at most ``count``."""
    return [values[first : first + count] for first in range(0, len(values), count)]


def sheet_of(images: Sequence[Image] | Pixels, columns: int) -> Image:
    """Lay pictures of one size in rows, with a narrow white gap."""
    side = images[0].shape[0]
    rows = math.ceil(len(images) / columns)
    step = side + _GAP_PX
    sheet = np.full((rows * step - _GAP_PX, columns * step - _GAP_PX, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * step, (number % columns) * step
        sheet[top : top + side, left : left + side] = image
    return sheet


def channels_last(network: _Network) -> _Network:
    """The same network with its weights laid out as convolutions on processors want them."""
    to: Any = network.to
    to(memory_format=torch.channels_last)
    return network


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While inside, no gradient is computed for the network's own weights."""
    wanted = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in wanted:
            weight.requires_grad_(True)


def seeded(seed: int) -> torch.Generator:
    """A source of random numbers apart from PyTorch's own."""
    return torch.Generator().manual_seed(seed)
