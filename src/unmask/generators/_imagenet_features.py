"""Perceptual differences of pictures: features of a network that was trained to name things.

Source: Johnson et al., "Perceptual Losses for Real-Time Style Transfer and Super-Resolution", ECCV
2016. What differs: MobileNetV2's first blocks stand for VGG's, whose licence and size do not fit.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import CorruptMedia, NotFound

_EPS = 1e-3
_PARTS = 5  # arrays of a convolution: weights, then weight, bias, mean and variance of its norm
_RELU6 = 6.0
# MobileNetV2's first blocks: channels in and out, stride. Those at whose end a picture's
# features are compared are the last at their size.
_BLOCKS = ((32, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1), (32, 32, 1))
_COMPARED = (0, 2, 5)


class ImageNetFeatures(nn.Module):
    """The first six blocks of MobileNetV2 with ImageNet weights, frozen.

    Args:
        path: An ``.npz`` whose keys ``features.N...`` lie in execution order: of each
            convolution its weights, then weight, bias, mean and variance of its norm.

    Raises:
        NotFound: There is no such file.
        CorruptMedia: It holds something else.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        arrays = _read(path)
        self.first = _Convolution(32, 3, stride=2)
        self.blocks = nn.ModuleList(_Inverted(*block) for block in _BLOCKS)
        convolutions = [m for m in self.modules() if isinstance(m, _Convolution)]
        try:
            for number, convolution in enumerate(convolutions):
                convolution.fold(arrays[number * _PARTS : (number + 1) * _PARTS])
        except (RuntimeError, ValueError) as error:
            raise CorruptMedia(
                f"{path.name} does not hold MobileNetV2 1.0: {error}.",
                hint="Keys must be 'features.N...' in execution order.",
            ) from error
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Features of (B, 3, H, W) pictures, 0..1, after the blocks that are compared."""
        x = self.first(pixels * 2 - 1).clamp(0, _RELU6)
        found = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _COMPARED:
                found.append(x)
        return found

    def difference(self, made: Tensor, real: Tensor) -> Tensor:
        """Mean absolute difference of the features, at full and at half size."""
        total = made.new_zeros(())
        for scale in range(2):
            if scale:
                made, real = functional.avg_pool2d(made, 2), functional.avg_pool2d(real, 2)
            with torch.no_grad():
                wanted = self(real)
            for got, want in zip(self(made), wanted, strict=True):
                total = total + (got - want).abs().mean()
        return total / (2 * len(_COMPARED))


class _Convolution(nn.Module):
    """A convolution with its batch norm folded into it."""

    def __init__(
        self, out: int, into: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.stride, self.groups, self.kernel = stride, groups, kernel
        self.register_buffer("weight", torch.zeros(out, into // groups, kernel, kernel))
        self.register_buffer("bias", torch.zeros(out))

    weight: Tensor
    bias: Tensor

    def fold(self, arrays: list[np.ndarray]) -> None:
        weight, gain, shift, mean, variance = (torch.from_numpy(array) for array in arrays)
        if weight.shape != self.weight.shape:
            raise ValueError(f"{tuple(weight.shape)} came, {tuple(self.weight.shape)} was due")
        scale = gain / torch.sqrt(variance + _EPS)
        self.weight.copy_(weight * scale[:, None, None, None])
        self.bias.copy_(shift - mean * scale)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, self.kernel // 2, groups=self.groups
        )


class _Inverted(nn.Module):
    """Widen six times, filter each channel, narrow; the first block does not widen."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        wide = into if into == _BLOCKS[0][0] and out == _BLOCKS[0][1] else into * 6
        self.widen = None if wide == into else _Convolution(wide, into, kernel=1)
        self.each = _Convolution(wide, wide, stride=stride, groups=wide)
        self.narrow = _Convolution(out, wide, kernel=1)
        self.adds = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.widen is None else self.widen(x).clamp(0, _RELU6)
        y = self.narrow(self.each(y).clamp(0, _RELU6))
        return x + y if self.adds else y


def _read(path: Path) -> list[np.ndarray]:
    if not path.is_file():
        raise NotFound(
            f"There is no file {path}.",
            hint="Give perceptual_weights the path of an .npz of arrays, or leave it empty.",
        )
    try:
        with path.open("rb") as handle, np.load(handle) as file:
            return [file[key].astype(np.float32) for key in file if key.startswith("features.")]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise CorruptMedia(
            f"{path.name} cannot be read as a file of arrays (.npz): {error}.",
            hint="Fetch the file again.",
        ) from error
