"""Mapping, synthesis and discriminator of the style-based GAN.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020:
modulated convolutions (section 2.2), skip generator and residual discriminator (section 3).
What differs: the first convolution of a size works before enlarging, not after, which a processor
does four times as fast; smoothing is bilinear; every width is small.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAK, _GAIN = 0.2, math.sqrt(2)


class ScaledLinear(nn.Module):
    """Linear layer whose weights are scaled when used, so that all learn at one rate.

    Args:
        inputs: Features in.
        outputs: Features out.
        bias: Where the bias starts.
        rate: Learning rate relative to the rest of the network.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        return functional.linear(features, self.weight * self.scale, self.bias * self.rate)


class ScaledConvolution(nn.Module):
    """Convolution with the same scaling as :class:`ScaledLinear`, same size out."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding = 1 / math.sqrt(inputs * kernel**2), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class ModulatedConvolution(ScaledConvolution):
    """Convolution whose input channels a style scales, and whose output is brought back to scale.

    Scaling input and output instead of the weights is the same arithmetic, and leaves one dense
    convolution for the whole batch.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, style: int, *, demodulate: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, bias=False)
        self.style = ScaledLinear(style, inputs, bias=1.0)
        self.demodulate = demodulate

    def modulated(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, inputs, H, W) and (B, style) -> (B, outputs, H, W)."""
        scale: Tensor = self.style(style)
        out: Tensor = super().forward(x * scale[:, :, None, None].to(x.dtype))
        if not self.demodulate:
            return out
        energy = (self.weight * self.scale).square().sum((2, 3))
        norm = (scale.square() @ energy.t() + 1e-8).rsqrt()
        demodulated: Tensor = out * norm[:, :, None, None].to(out.dtype)
        return demodulated


class StyledLayer(nn.Module):
    """Modulated convolution, enlarging if asked, noise, bias, leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, style: int, *, enlarge: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, outputs, 3, style)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.enlarge = enlarge

    def forward(self, x: Tensor, style: Tensor, source: torch.Generator | None) -> Tensor:
        """``source`` draws the noise; None: PyTorch's own generator."""
        x = self.convolution.modulated(x, style)
        if self.enlarge:
            x = twice(x)
        noise = torch.randn((len(x), 1, *x.shape[2:]), generator=source)
        x = x + (noise * self.noise_strength).to(x.dtype)
        x = x + self.bias[:, None, None].to(x.dtype)
        return functional.leaky_relu(x, _LEAK) * _GAIN


def twice(x: Tensor) -> Tensor:
    """Double height and width, bilinear."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyleMapping(nn.Module):
    """(B, W) Gaussian codes z -> (B, W) styles w."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ScaledLinear(width, width, rate=0.01) for _ in range(layers))

    def forward(self, z: Tensor) -> Tensor:
        """Normalise z to unit mean square, then map it."""
        w = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            w = functional.leaky_relu(layer(w), _LEAK) * _GAIN
        return w


class Synthesis(nn.Module):
    """A learned constant that styles turn into a picture.

    Args:
        size_px: Side of the picture, a power of two from 8.
        style: Width of a style.
        width: Channels at full size; they double with every halving, up to ``widest``.
        widest: Most channels.

    Attributes:
        styles: How many styles a picture takes.
    """

    def __init__(self, size_px: int, style: int, width: int, widest: int) -> None:
        super().__init__()
        widths = widths_of(size_px, width, widest)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.first = StyledLayer(widths[0], widths[0], style, enlarge=False)
        self.enlarging = nn.ModuleList()
        self.same = nn.ModuleList()
        self.paint = nn.ModuleList()
        for number, channels in enumerate(widths):
            self.paint.append(ModulatedConvolution(channels, 3, 1, style, demodulate=False))
            if number:
                before = widths[number - 1]
                self.enlarging.append(StyledLayer(before, channels, style, enlarge=True))
                self.same.append(StyledLayer(channels, channels, style, enlarge=False))
        self.colour = nn.Parameter(torch.zeros(3, 1, 1))
        self.styles = 2 * len(widths)

    def forward(self, w: Tensor, source: torch.Generator | None = None) -> Tensor:
        """(B, styles, W) -> (B, 3, S, S), about -1..1."""
        x = self.first(self.constant.expand(len(w), -1, -1, -1), w[:, 0], source)
        image = self._painted(0, x, w[:, 1])
        for number in range(len(self.same)):
            x = self.enlarging[number](x, w[:, 2 * number + 1], source)
            x = self.same[number](x, w[:, 2 * number + 2], source)
            image = twice(image) + self._painted(number + 1, x, w[:, 2 * number + 3])
        return image.float() + self.colour

    def _painted(self, number: int, x: Tensor, style: Tensor) -> Tensor:
        layer = self.paint[number]
        assert isinstance(layer, ModulatedConvolution)  # noqa: S101 - narrows for mypy
        return layer.modulated(x, style).float()


class Discriminator(nn.Module):
    """Residual blocks, the spread over a few pictures, one logit; higher is more real."""

    def __init__(self, size_px: int, width: int, widest: int, *, together: int = 4) -> None:
        super().__init__()
        widths = widths_of(size_px, width, widest)[::-1]
        self.enter = ScaledConvolution(3, widths[0], 1)
        self.blocks = nn.ModuleList(_DownBlock(before, after) for before, after in pairwise(widths))
        self.together = together
        self.last = ScaledConvolution(widths[-1] + 1, widths[-1], 3)
        self.hidden = ScaledLinear(widths[-1] * 16, widths[-1])
        self.logit = ScaledLinear(widths[-1], 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B,)."""
        x = functional.leaky_relu(self.enter(pixels), _LEAK) * _GAIN
        for block in self.blocks:
            x = block(x)
        x = torch.cat([x, self._spread(x)], 1)
        x = functional.leaky_relu(self.last(x), _LEAK) * _GAIN
        x = functional.leaky_relu(self.hidden(x.flatten(1)), _LEAK) * _GAIN
        logit: Tensor = self.logit(x).squeeze(1)
        return logit.float()

    def _spread(self, x: Tensor) -> Tensor:
        """Mean standard deviation over groups of pictures: a generator of one face is seen."""
        count = len(x)
        group = next(size for size in range(min(self.together, count), 0, -1) if count % size == 0)
        grouped = x.float().reshape(group, count // group, *x.shape[1:])
        spread = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        return spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:]).to(x.dtype)


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ScaledConvolution(inputs, inputs, 3)
        self.second = ScaledConvolution(inputs, outputs, 3)
        self.skip = ScaledConvolution(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / 2, W / 2)."""
        out = functional.leaky_relu(self.first(x), _LEAK) * _GAIN
        out = functional.leaky_relu(self.second(functional.avg_pool2d(out, 2)), _LEAK) * _GAIN
        skip: Tensor = self.skip(functional.avg_pool2d(x, 2))
        return (out + skip) / _GAIN


def widths_of(size_px: int, width: int, widest: int) -> list[int]:
    """Channels at sides 4, 8, ... ``size_px``."""
    steps = int(math.log2(size_px)) - 2
    return [min(widest, width * 2 ** (steps - number)) for number in range(steps + 1)]
