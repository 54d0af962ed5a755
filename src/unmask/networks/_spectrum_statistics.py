"""What up-sampling and blending leave in a spectrum, as a few hundred numbers.

Sources: Frank et al., "Leveraging Frequency Analysis for Deep Fake Image Recognition", ICML 2020
(log of the DCT of the whole image); Durall et al., "Watch your Up-Convolution", CVPR 2020
(power spectrum averaged over rings). What differs: the whole-image DCT is averaged over cells of
the frequency plane, so that a linear classifier is not left with more numbers than pictures; the
statistics of an 8-pixel block DCT stand beside it; luma and both colour differences are seen; the
logarithm starts at the power of rounding to whole levels, below which there is nothing to read.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._frequency import (
    ROUNDING_POWER,
    Dct2d,
    Dft2d,
    YCbCr,
    dct_matrix,
    full_precision,
    ring_weights,
)

RINGS = 48
CELLS = 16
BLOCK_PX = 8
CHANNELS = 3
SMALLEST_PX = 96  # below it some ring would be empty
STATISTICS = CHANNELS * (RINGS + CELLS**2 + 2 * BLOCK_PX**2)


def log_power(power: Tensor) -> Tensor:
    """log10 of a power in levels squared, from the floor of rounding upwards."""
    return torch.log10(power + ROUNDING_POWER)


class RingSpectrum(nn.Module):
    """Power spectrum averaged over rings of equal frequency.

    Args:
        size: Side of the squares.
        rings: How many rings from frequency 0 to half the sampling rate.
    """

    weights: Tensor

    def __init__(self, size: int, rings: int = RINGS) -> None:
        super().__init__()
        self.transform = Dft2d(size)
        self.columns = size // 2 + 1
        self.register_buffer("weights", ring_weights(size, rings), persistent=False)

    def forward(self, squares: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, C, rings) mean power."""
        with full_precision(squares.device.type):
            real, imaginary = self.transform(squares, self.columns)
            rings: Tensor = (real**2 + imaginary**2).flatten(2) @ self.weights
            return rings


class BlockSpectrum(nn.Module):
    """Mean and deviation of the log power of each coefficient of a block DCT.

    Blocks overlap by half, so that the statistics do not hang on where a crop was cut.
    """

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        matrix = dct_matrix(BLOCK_PX)
        kernels = torch.einsum("ui,vj->uvij", matrix, matrix)
        self.register_buffer(
            "kernels", kernels.reshape(-1, 1, BLOCK_PX, BLOCK_PX).contiguous(), persistent=False
        )

    def forward(self, squares: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, C, 128): 64 means, 64 deviations."""
        batch, channels, height, width = squares.shape
        with full_precision(squares.device.type):
            single = squares.float().reshape(batch * channels, 1, height, width)
            blocks = nnf.conv2d(single, self.kernels, stride=BLOCK_PX // 2).flatten(2)
            logs = log_power(blocks**2)
            mean = logs.mean(2)
            # No root: its slope at a constant picture is infinite.
            spread = ((logs - mean[:, :, None]) ** 2).mean(2)
            return torch.cat([mean, spread], 1).reshape(batch, channels, -1)


class SpectrumStatistics(nn.Module):
    """Rings, cells of the whole-image DCT, and blocks of each colour channel.

    Args:
        size: Side of the crops, at least ``SMALLEST_PX``.
    """

    cells: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.colour = YCbCr()
        self.rings = RingSpectrum(size)
        self.blocks = BlockSpectrum()
        self.whole = Dct2d(size)
        self.register_buffer("cells", _cell_weights(size), persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """(B, 3, S, S) RGB, 0..255 -> (B, STATISTICS) float32."""
        with full_precision(levels.device.type):
            channels = self.colour(levels.float())
            power = self.whole(channels) ** 2
            cells = self.cells @ power @ self.cells.T
            parts = (log_power(self.rings(channels)), log_power(cells).flatten(2))
            return torch.cat([*parts, self.blocks(channels)], 2).flatten(1)


def _cell_weights(size: int) -> Tensor:
    """(CELLS, size): each row averages one stretch of frequencies."""
    cell = torch.arange(size) * CELLS // size
    weights = nnf.one_hot(cell, CELLS).T.float()
    return weights / weights.sum(1, keepdim=True)
