"""The two networks of the invisible watermark, small enough for a processor core.

Both see a picture at its canonical size (shorter side 128 px) and are fully convolutional. The
embedder turns the pattern, which says nothing of the picture, into the change that the picture can
hide and the reader will still see. The reader turns a picture into evidence: for each pixel how
the pattern seems to go there, weighed by how sure that is.

Source: the encoder and decoder of Zhu et al., "HiDDeN: Hiding Data With Deep Networks", ECCV 2018,
and the resolution scaling of Bui et al., "TrustMark", 2023. What differs: the message comes in and
goes out as a periodic spread-spectrum pattern, so that no crop or shift has to be learnt and the
false-alarm probability can be stated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 32
_LOCAL_PX = 9


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.second(functional.relu(self.first(x)))
        return functional.relu(x + inner)


def _body(inputs: int, outputs: int, dilations: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, WIDTH, 4, stride=2, padding=1),
        nn.ReLU(),
        *(_Residual(WIDTH, dilation) for dilation in dilations),
        nn.Conv2d(WIDTH, 4 * outputs, 3, padding=1),
        nn.PixelShuffle(2),
    )


def _details(pixels: Tensor) -> Tensor:
    """What differs from the surroundings, in units of 8 grey levels, held within -3..3."""
    around = functional.avg_pool2d(
        pixels, _LOCAL_PX, stride=1, padding=_LOCAL_PX // 2, count_include_pad=False
    )
    return ((pixels - around) * (255 / 8)).clamp(-3, 3)


def visible_power(change: Tensor) -> Tensor:
    """(B, 3, H, W) change -> (B, 1, H, W) square of how much of it is seen; 1 for one grey level.

    At these wavelengths the eye tells red from green best and blue from yellow worst (Mullen, "The
    Contrast Sensitivity of Human Colour Vision", J. Physiology 1985). Blue is priced higher than by
    that alone: a mark of blue and yellow is lost with the colours that JPEG and film codecs drop.
    """
    red, green, blue = change[:, :1], change[:, 1:2], change[:, 2:]
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    seen: Tensor = light.square() + 0.5 * (red - green).square() + 0.8 * (blue - light).square()
    return seen


def hiding_room(pixels: Tensor) -> Tensor:
    """(B, 3, H, W) in 0..1 -> (B, 1, H, W): what can be hidden, 0.55 where smooth to 2.2."""
    weights = pixels.new_tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    light = (pixels * weights).sum(1, keepdim=True) * 255
    light = light - light.mean((2, 3), keepdim=True)
    mean = functional.avg_pool2d(light, 7, 1, 3, count_include_pad=False)
    square = functional.avg_pool2d(light * light, 7, 1, 3, count_include_pad=False)
    deviation = (square - mean * mean).clamp_min(0).sqrt()
    room: Tensor = (0.55 + deviation / 14).clamp_max(2.2)
    return room


class Embedder(nn.Module):
    """(B, 3, H, W) in 0..1 and (B, 1, H, W) pattern of unit variance -> (B, 3, H, W) change.

    H and W are even. Before it is multiplied by the room that there is for hiding, the change has
    a mean visible power of 1; whoever uses it sets its strength.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = _body(7, 3, (1, 2, 1))
        self.plain = nn.Parameter(torch.tensor([0.8, 0.8, 1.0]))

    def forward(self, pixels: Tensor, pattern: Tensor) -> Tensor:
        """See the class."""
        seen = torch.cat([pixels * 2 - 1, _details(pixels), pattern], 1)
        change = (pattern * self.plain.reshape(1, 3, 1, 1) + self.body(seen)).float()
        power = visible_power(change).mean((1, 2, 3), keepdim=True)
        hidden: Tensor = change * (power + 1e-6).rsqrt() * hiding_room(pixels.float())
        return hidden


class Reader(nn.Module):
    """(B, 3, H, W) in 0..1, H and W even -> (B, 1, H, W) evidence of the pattern."""

    def __init__(self) -> None:
        super().__init__()
        self.body = _body(6, 1, (1, 2, 2, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        seen = torch.cat([pixels * 2 - 1, _details(pixels)], 1)
        evidence: Tensor = self.body(seen)
        return evidence
