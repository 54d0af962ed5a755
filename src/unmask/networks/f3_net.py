"""F3-Net: a picture split into learnt frequency bands beside local frequency statistics.

    pixels ── DCT ── 4 learnt bands ── inverse DCT ── Xception ──┐        ┌──────┐
      └── DCT of sliding windows ── 6 band statistics ── Xception ┴─ mix (blocks 7, 12) ── logit

Source: Qian et al., "Thinking in Frequency: Face Forgery Detection by Mining Frequency-aware
Clues", ECCV 2020, sections 3.1 (frequency-aware decomposition, FAD), 3.2 (local frequency
statistics, LFS) and 3.3 (cross attention).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._frequency import (
    Dct2d,
    Levels,
    YCbCr,
    dct_matrix,
    diagonal_index,
    full_precision,
)
from unmask.networks._xception_stages import ENTRY_WIDTH, MIDDLE_WIDTH, WIDTH, xception_stages
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec

# Shares of the spectrum's area, from the constant outwards: low, middle, high, all.
BANDS = ((0.0, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1.0), (0.0, 1.0))
STATISTICS = 6
WINDOW_PX = 10
_STRIDE_PX = 2
_MIXED_AFTER = (7, 12)
_ATTENTION_WIDTH = 64
_BLOCK_12_WIDTH = 1024


class FrequencyDecomposition(nn.Module):
    """FAD: the picture as seen through each of four bands, whose edges are learnt.

    Args:
        size: Side of the crops.
    """

    base: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transform = Dct2d(size)
        self.register_buffer("base", band_filters(size), persistent=False)
        self.learnt = nn.Parameter(torch.zeros(len(BANDS), size, size))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, 4 C, S, S) float32, all colours of a band together."""
        with full_precision(pixels.device.type):
            spectrum = self.transform(pixels)[:, None]
            passed = spectrum * (self.base + squash(self.learnt))[:, None]
            return self.transform.inverse(passed.flatten(1, 2))


class LocalStatistics(nn.Module):
    """LFS: log of the summed DCT magnitudes of each band in windows of 10 px, every 2 px."""

    kernels: Tensor
    base: Tensor

    def __init__(self) -> None:
        super().__init__()
        matrix = dct_matrix(WINDOW_PX)
        kernels = torch.einsum("ui,vj->uvij", matrix, matrix)
        self.register_buffer(
            "kernels", kernels.reshape(-1, 1, WINDOW_PX, WINDOW_PX).contiguous(), persistent=False
        )
        band = (diagonal_index(WINDOW_PX) * STATISTICS / (2 * WINDOW_PX - 1)).long().flatten()
        base = nnf.one_hot(band, STATISTICS).T.float()
        self.register_buffer("base", base, persistent=False)
        self.learnt = nn.Parameter(torch.zeros_like(base))

    def forward(self, luma: Tensor) -> Tensor:
        """(B, 1, S, S) in levels -> (B, 6, h, h) float32, h = (S - 3) // 2 + 1."""
        with full_precision(luma.device.type):
            # 3 and 4 px of border make the map as large as Xception's first convolution does.
            padded = nnf.pad(luma.float(), (3, 4, 3, 4), mode="replicate")
            magnitudes = nnf.conv2d(padded, self.kernels, stride=_STRIDE_PX).abs()
            weights = (self.base + squash(self.learnt)).abs()
            # Starting at one level keeps rounding out of the logarithm.
            return torch.log10(1 + nnf.conv2d(magnitudes, weights[:, :, None, None]))


class CrossAttention(nn.Module):
    """Each stream takes from the other what lies where the two agree.

    Args:
        width: Channels of both streams.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(width, _ATTENTION_WIDTH, 1)
        self.key = nn.Conv2d(width, _ATTENTION_WIDTH, 1)
        self.value_bands = nn.Conv2d(width, width, 1)
        self.value_statistics = nn.Conv2d(width, width, 1)
        # Small, so that training starts from two streams that are nearly apart.
        self.gates = nn.Parameter(torch.full((2,), 0.1))

    def forward(self, bands: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor]:
        """Two (B, C, h, w) -> two (B, C, h, w)."""
        query, key = self.query(bands).flatten(2), self.key(statistics).flatten(2)
        agreement = query.mT @ key / math.sqrt(_ATTENTION_WIDTH)  # (B, hw, hw)
        from_statistics = self.value_statistics(statistics).flatten(2)
        from_bands = self.value_bands(bands).flatten(2)
        to_bands = from_statistics @ agreement.softmax(2).mT
        to_statistics = from_bands @ agreement.softmax(1)
        return (
            bands + self.gates[0] * to_bands.reshape(bands.shape),
            statistics + self.gates[1] * to_statistics.reshape(bands.shape),
        )


@NETWORKS.register
class F3Net(DetectorNetwork):
    """Two Xceptions, one on bands, one on local statistics, with two exchanges between."""

    has_pretrained: ClassVar = True
    spec: ClassVar = NetworkSpec(
        id="f3-net",
        title="F3-Net",
        paper="Qian et al., Thinking in Frequency, ECCV 2020",
        family="frequency",
        input_px=299,
        differs="a fourth band passes everything; statistics are of luma and start at one level; "
        "the exchange is a scaled dot product with gates that start at 0.1",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.colour = YCbCr()
        self.decomposition = FrequencyDecomposition(self.input_px)
        self.local_statistics = LocalStatistics()
        self.bands_stages = _stages(3 * len(BANDS), halve=True, pretrained=pretrained)
        self.statistics_stages = _stages(STATISTICS, halve=False, pretrained=pretrained)
        self.exchanges = nn.ModuleList(
            CrossAttention(width) for width in (MIDDLE_WIDTH, _BLOCK_12_WIDTH)
        )
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(2 * WIDTH, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 4096)."""
        features = self._cells(pixels).mean((2, 3))
        return NetworkOutput(self.classifier(self.dropout(features)).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, h, w) logits of places; see the base class."""
        weighted = torch.einsum("bchw,c->bhw", self._cells(pixels), self.classifier.weight[0])
        return weighted + self.classifier.bias

    def _cells(self, pixels: Tensor) -> Tensor:
        """(B, 4096, h, w): the last maps of both streams."""
        luma = self.colour(self.levels(pixels))[:, :1]
        bands = self.decomposition(pixels).to(pixels.dtype)
        statistics = self.local_statistics(luma).to(pixels.dtype)
        stages = zip(self.bands_stages, self.statistics_stages, strict=True)
        for number, (bands_stage, statistics_stage) in enumerate(stages):
            bands, statistics = bands_stage(bands), statistics_stage(statistics)
            if number < len(self.exchanges):
                bands, statistics = self.exchanges[number](bands, statistics)
        return torch.cat([bands, statistics], 1)


def squash(values: Tensor) -> Tensor:
    """(1 - exp(-x)) / (1 + exp(-x)): keeps what is learnt between -1 and 1.

    Source: Qian et al., ECCV 2020, section 3.1.
    """
    return torch.tanh(values / 2)


def band_filters(size: int) -> Tensor:
    """(4, size, size): 1 where a DCT coefficient belongs to a band, else 0.

    A band is a stretch of diagonals; a triangle of side k covers ``k ** 2 / 2`` of the spectrum.
    """
    diagonal = diagonal_index(size)
    filters = []
    for low, high in BANDS:
        upper = math.inf if high == 1 else size * math.sqrt(2 * high)
        filters.append((diagonal >= size * math.sqrt(2 * low)) & (diagonal < upper))
    return torch.stack(filters).float()


def _stages(channels: int, *, halve: bool, pretrained: bool) -> nn.ModuleList:
    """Xception in three stretches: up to block 7, up to block 12, and the rest.

    The statistics come at half the side already, so their first convolution does not halve it.
    """
    stages = xception_stages(channels, pretrained=pretrained)
    if not halve:
        stages.entry[0] = nn.Conv2d(channels, ENTRY_WIDTH, 3, padding=1, bias=False)
    first, second = _MIXED_AFTER
    return nn.ModuleList(
        [
            nn.Sequential(stages.entry, *stages.blocks[:first]),
            nn.Sequential(*stages.blocks[first:second]),
            stages.exit,
        ]
    )
