"""Cosine and Fourier transforms as products with fixed matrices, and the scale they work on.

``torch.fft`` has no ONNX form that every engine runs, and a cosine transform is not in PyTorch at
all. As matrix products both run wherever a network runs, at a cost that is small beside one
convolutional stage: two products of side S an image and channel.

All transforms are orthonormal, so that white noise of variance v has v in every coefficient
whatever the size of the crop, and work in float32 even under autocast: bfloat16 keeps eight bits,
and a spectrum spans six decades.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

if TYPE_CHECKING:
    from unmask.networks.base import NetworkSpec

# Variance of rounding to whole levels of 0..255: below it a coefficient says nothing.
ROUNDING_POWER = 1 / 12
# ITU-R BT.601, the JPEG colour space: rows Y, Cb, Cr.
_TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)


def full_precision(device_type: str) -> contextlib.AbstractContextManager[object]:
    """A region in which autocast is off; nothing at all where it is off already.

    Args:
        device_type: ``tensor.device.type``.
    """
    # Asked first, because an exporter cannot trace the region and never needs it.
    if torch.is_autocast_enabled(device_type):
        return torch.autocast(device_type, enabled=False)
    return contextlib.nullcontext()


class Levels(nn.Module):
    """Undo a network's normalisation: pixels as 0..255 levels.

    Args:
        spec: Whose mean and deviation were applied.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) normalised RGB -> (B, 3, S, S) float32 RGB, 0..255."""
        return pixels.float() * self.std + self.mean


class YCbCr(nn.Module):
    """RGB levels to luma and colour differences, all with mean near 0.

    Source: ITU-R BT.601, full range, less 128.
    """

    matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.tensor(_TO_YCBCR).view(3, 3, 1, 1), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """(B, 3, S, S) RGB 0..255 -> (B, 3, S, S) Y, Cb, Cr in -128..128."""
        return nnf.conv2d(levels - 128, self.matrix)


def dct_matrix(size: int) -> Tensor:
    """(size, size) float32 orthonormal DCT-II: ``matrix @ x`` transforms a column.

    Source: Ahmed, Natarajan & Rao, IEEE Trans. Computers 1974.
    """
    index = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * (index[None] + 0.5) * index[:, None])
    matrix *= math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def dft_matrices(size: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine parts, each (size, size) float32 and symmetric, of the orthonormal DFT.

    The transform is ``cosine - i sine``, its inverse ``cosine + i sine``.
    """
    index = torch.arange(size)
    # The product is reduced before the angle is formed, so that no digit is lost.
    angle = (2 * math.pi / size) * ((index[None] * index[:, None]) % size).double()
    scale = 1 / math.sqrt(size)
    return (angle.cos() * scale).float(), (angle.sin() * scale).float()


class Dct2d(nn.Module):
    """Orthonormal two-dimensional DCT-II of squares, and its inverse.

    Args:
        size: Side of the square.
    """

    matrix: Tensor
    transposed: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        matrix = dct_matrix(size)
        self.register_buffer("matrix", matrix, persistent=False)
        # A constant of its own: with one matrix for both directions, OpenVINO 2026.4 multiplies by
        # the wrong one in the inverse (seen at 96 px, not at 32).
        self.register_buffer("transposed", matrix.T.contiguous(), persistent=False)

    def forward(self, squares: Tensor) -> Tensor:
        """(..., S, S) -> (..., S, S) float32 coefficients, the constant one first."""
        with full_precision(squares.device.type):
            return self.matrix @ squares.float() @ self.transposed

    def inverse(self, coefficients: Tensor) -> Tensor:
        """(..., S, S) coefficients -> (..., S, S) float32 squares."""
        with full_precision(coefficients.device.type):
            return self.transposed @ coefficients.float() @ self.matrix


class Dft2d(nn.Module):
    """Orthonormal two-dimensional DFT of real squares, and the real part of its inverse.

    Args:
        size: Side of the square.
    """

    cosine: Tensor
    sine: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        cosine, sine = dft_matrices(size)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(self, squares: Tensor, columns: int | None = None) -> tuple[Tensor, Tensor]:
        """Transform.

        Args:
            squares: (..., S, S) real.
            columns: Columns of the spectrum to return; None: all. A real square is told by its
                first ``S // 2 + 1``.

        Returns:
            Real and imaginary parts, each (..., S, columns) float32, frequency 0 first.
        """
        cosine, sine = self.cosine[:, :columns], self.sine[:, :columns]
        with full_precision(squares.device.type):
            squares = squares.float()
            down_cosine, down_sine = self.cosine @ squares, self.sine @ squares
            real = down_cosine @ cosine - down_sine @ sine
            return real, -(down_sine @ cosine + down_cosine @ sine)

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Two (..., S, S) -> (..., S, S) float32: the real part of the inverse."""
        with full_precision(real.device.type):
            across_real = self.cosine @ real - self.sine @ imaginary
            across_imaginary = self.sine @ real + self.cosine @ imaginary
            return across_real @ self.cosine - across_imaginary @ self.sine


def diagonal_index(size: int) -> Tensor:
    """(size, size) float32, sum of the two frequencies of each DCT coefficient: 0..2 size - 2."""
    index = torch.arange(size, dtype=torch.float32)
    return index[None] + index[:, None]


def ring_weights(size: int, rings: int) -> Tensor:
    """Weights that average a half spectrum over rings of equal frequency.

    Ring r holds the frequencies that are nearest to ``r / (rings - 1)`` of the highest along an
    axis (half the sampling rate); the corners beyond it belong to none. Each column but the first
    (and, for an even size, the last) stands for its mirror image as well.

    Args:
        size: Side of the square.
        rings: How many, at most ``size // 2 + 1``.

    Returns:
        (size * (size // 2 + 1), rings) float32; each column sums to 1.

    Source:
        Durall et al., "Watch your Up-Convolution", CVPR 2020, equation 2 (azimuthal integration).
    """
    rows = torch.fft.fftfreq(size, 1 / size, dtype=torch.float64)
    columns = torch.arange(size // 2 + 1, dtype=torch.float64)
    radius = (rows[:, None] ** 2 + columns[None] ** 2).sqrt() / (size / 2)
    ring = (radius * (rings - 1)).round().long()
    twice = torch.full_like(radius, 2.0)
    twice[:, 0] = 1
    if size % 2 == 0:
        twice[:, -1] = 1
    weights = torch.zeros(radius.numel(), rings, dtype=torch.float64)
    inside = (ring < rings).flatten()
    places = torch.arange(radius.numel())[inside]
    weights[places, ring.flatten()[inside]] = twice.flatten()[inside]
    return (weights / weights.sum(0, keepdim=True)).float()
