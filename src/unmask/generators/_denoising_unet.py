"""The U-Net of the diffusion model.

Source: Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, appendix B;
scale and shift by time: Dhariwal & Nichol, NeurIPS 2021. What differs: pictures enter as 2 x 2
blocks of pixels, so that no convolution runs at full size (a quarter of the work), and one block
a size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_FREQUENCIES = 32


class TimeEmbedding(nn.Module):
    """(B,) times -> (B, width): sines and cosines, then two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * _FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, time: Tensor) -> Tensor:
        """Embed integer times."""
        rates = torch.exp(torch.arange(_FREQUENCIES) * (-math.log(10_000) / _FREQUENCIES))
        angles = time.float()[:, None] * rates.to(time.device)
        embedded: Tensor = self.layers(torch.cat([angles.sin(), angles.cos()], 1))
        return embedded


class Block(nn.Module):
    """Two convolutions around which the picture also passes; the time scales and shifts."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, 1, 1))
        self.time = nn.Linear(time, 2 * outputs)
        self.norm = _norm(outputs)
        self.leave = nn.Conv2d(outputs, outputs, 3, 1, 1)
        nn.init.zeros_(self.leave.weight)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, inputs, H, W) and (B, time) -> (B, outputs, H, W)."""
        scale, shift = self.time(time)[:, :, None, None].chunk(2, 1)
        out = functional.silu(self.norm(self.enter(x)) * (1 + scale) + shift)
        painted: Tensor = self.leave(out) + self.skip(x)
        return painted


class Attention(nn.Module):
    """Every place looks at every other."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.look = nn.Conv2d(channels, 3 * channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.leave.weight)
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        count, channels, height, width = x.shape
        looked = self.look(self.norm(x)).reshape(count, 3, self.heads, -1, height * width)
        query, key, value = looked.transpose(3, 4).unbind(1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.leave(seen.transpose(2, 3).reshape(count, channels, height, width))
        return x + out


class DenoisingUNet(nn.Module):
    """Noisy faces, what is known of them and where, and a time -> a velocity or noise.

    Args:
        inputs: Channels that come in.
        widths: Channels at half, a quarter, ... of the full size. Attention is at the last two.
        heads: Of attention.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], heads: int) -> None:
        super().__init__()
        time = 4 * widths[0]
        self.time = TimeEmbedding(time)
        self.enter = nn.Conv2d(4 * inputs, widths[0], 3, 1, 1)
        self.down = nn.ModuleList()
        self.look_down = nn.ModuleList()
        self.up = nn.ModuleList()
        self.look_up = nn.ModuleList()
        before = widths[0]
        for number, width in enumerate(widths):
            self.down.append(Block(before, width, time))
            self.look_down.append(_attention_at(number, widths, heads))
            before = width
        self.middle = Block(before, before, time)
        for number in reversed(range(len(widths))):
            self.up.append(Block(before + widths[number], widths[number], time))
            self.look_up.append(_attention_at(number, widths, heads))
            before = widths[number]
        self.leave = nn.Sequential(
            _norm(widths[0] * 2), nn.SiLU(), nn.Conv2d(widths[0] * 2, 12, 3, 1, 1)
        )
        nn.init.zeros_(self.leave[-1].weight)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor, time: Tensor) -> Tensor:
        """(B, inputs, S, S) and (B,) -> (B, 3, S, S)."""
        embedded = self.time(time)
        first = x = self.enter(functional.pixel_unshuffle(pixels, 2))
        passed = []
        for number, (block, look) in enumerate(zip(self.down, self.look_down, strict=True)):
            x = look(block(x if not number else functional.avg_pool2d(x, 2), embedded))
            passed.append(x)
        x = self.middle(x, embedded)
        for number, (block, look) in enumerate(zip(self.up, self.look_up, strict=True)):
            if number:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = look(block(torch.cat([x, passed.pop()], 1), embedded))
        out = functional.pixel_shuffle(self.leave(torch.cat([x, first], 1)), 2)
        return out.float()


def _attention_at(number: int, widths: tuple[int, ...], heads: int) -> nn.Module:
    near_the_end = number and number >= len(widths) - 2
    return Attention(widths[number], heads) if near_the_end else nn.Identity()


def _norm(channels: int) -> nn.GroupNorm:
    groups = next(count for count in (16, 8, 4, 2, 1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)
