"""Autoencoders whose code is split between the classes.

The code has as many channels for real faces as for fakes. A face should stir only the half of its
own class; the decoder is shown only that half, so that each half must describe its class well
enough to rebuild it, which keeps the code from resting on one trace alone.

While training, the true class is not known to the forward pass, so both halves are decoded and the
losses take the one that is true.

Sources: Cozzolino et al., "ForensicTransfer", arXiv 1812.02510, section 3; Nguyen et al.,
"Multi-task Learning for Detecting and Segmenting Manipulated Facial Images and Videos", BTAS 2019,
section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._frequency import full_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

CODE_CHANNELS = 128
_ENCODER_WIDTHS = (8, 16, 32, 64)
_FLOOR = 1e-3


def encoder(channels: int) -> nn.Sequential:
    """Ten 3x3 convolutions, four of them halving the side: (B, channels, S, S) -> (B, 128, ...).

    Args:
        channels: Of the input.
    """
    layers: list[nn.Module] = []
    for width in _ENCODER_WIDTHS:
        layers += _encoding(channels, width, 1) + _encoding(width, width, 2)
        channels = width
    layers += _encoding(channels, CODE_CHANNELS, 1) + _encoding(CODE_CHANNELS, CODE_CHANNELS, 1)
    return nn.Sequential(*layers)


class UpBlock(nn.Module):
    """Double the side, then convolve.

    Groups are normalised rather than the batch, because in training half of what is decoded
    belongs to the wrong class, and its statistics must not reach evaluation.

    Args:
        inputs: Channels in.
        outputs: Channels out, a multiple of 8.
        side: Side of the output: twice that of the input, or one less.
    """

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(max(1, outputs // 8), outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, s, s) -> (B, outputs, side, side)."""
        larger = nnf.interpolate(maps, size=(self.side, self.side), mode="nearest")
        return nnf.relu(self.norm(self.convolution(larger)))


def decoder_sides(size: int) -> Sequence[int]:
    """Sides of the four levels above the code, smallest first, for crops of side ``size``."""
    sides = [size]
    for _ in _ENCODER_WIDTHS[1:]:
        sides.append((sides[-1] + 1) // 2)
    return sides[::-1]


def class_activations(code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How much a code stirs each half.

    Args:
        code: (B, 128, h, w); the first half is for real, the second for fake.

    Returns:
        Mean magnitudes of each channel (B, 128), of the real half (B,), of the fake half (B,).

    Source:
        Cozzolino et al., section 3.1: a_c is the mean magnitude of the half h_c.
    """
    with full_precision(code.device.type):
        channels = code.float().abs().mean((2, 3))
        real, fake = channels.chunk(2, dim=1)
        return channels, real.mean(1), fake.mean(1)


def activation_logit(real: Tensor, fake: Tensor) -> Tensor:
    """(B,) log of the ratio of the activations: above 0 where the fake half is stirred more.

    The papers compare the two; the ratio makes the comparison a score.
    """
    return torch.log(fake + _FLOOR) - torch.log(real + _FLOOR)


def activation_loss(real: Tensor, fake: Tensor, y_true: Tensor) -> Tensor:
    """Mean of ``|a_fake - y| + |a_real - (1 - y)|``.

    Source: Cozzolino et al., section 3.1; Nguyen et al., equation 1.
    """
    return ((fake - y_true).abs() + (real - (1 - y_true)).abs()).mean()


def half_of(code: Tensor, *, fake: Tensor | bool) -> Tensor:
    """The code with the other class's half set to zero.

    Args:
        code: (B, 128, h, w).
        fake: Which half to keep: for all rows, or (B,) bool.
    """
    real_half, fake_half = code.chunk(2, dim=1)
    if isinstance(fake, bool):
        kept = [torch.zeros_like(real_half), fake_half]
        return torch.cat(kept if fake else [real_half, torch.zeros_like(fake_half)], 1)
    chosen = fake.to(code.dtype)[:, None, None, None]
    return torch.cat([real_half * (1 - chosen), fake_half * chosen], 1)


def by_class(if_real: Tensor, if_fake: Tensor, y_true: Tensor) -> Tensor:
    """Row by row, what was decoded from the half of the true class."""
    fake = (y_true > 0.5).view(-1, *[1] * (if_real.ndim - 1))
    return torch.where(fake, if_fake, if_real)


def _encoding(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]
