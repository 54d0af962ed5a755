"""Networks that swaps share: strided convolutions down, dense middle, pixel shuffle up."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

SLOPE = 0.1
HALVINGS = 4


_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)


def lively(layer: _Layer, gain: float = 1.0) -> _Layer:
    """Start a layer so that it passes on as much variance as it gets.

    PyTorch's own start loses two thirds of it in each layer; after a dozen, what is painted hardly
    depends on what was shown, and training begins with a long stand-still.

    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 15.
    """
    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
    with torch.no_grad():
        layer.weight.mul_(gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Encoder(nn.Module):
    """Four 5 x 5 convolutions of stride 2: (B, C, S, S) -> (B, 8 width, S / 16, S / 16)."""

    def __init__(self, width: int, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for factor in (1, 2, 4, 8):
            layers += [lively(nn.Conv2d(channels, width * factor, 5, 2, 2)), nn.LeakyReLU(SLOPE)]
            channels = width * factor
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of a face."""
        features: Tensor = self.layers(pixels)
        return features


class DenseBottleneck(nn.Module):
    """Two dense layers that see the whole face at once: (B, C, G, G) -> (B, out, G, G).

    Where a feature lies is lost in the middle, so the decoder places parts by what it knows of its
    person, not by where the input had them.
    """

    def __init__(self, channels: int, grid: int, code: int, out: int) -> None:
        super().__init__()
        self.shape = (grid, grid, out)
        self.squeeze = lively(nn.Linear(channels * grid * grid, code))
        self.widen = lively(nn.Linear(code, out * grid * grid))

    def forward(self, features: Tensor) -> Tensor:
        """The same face as a few numbers, laid out as features again."""
        code = self.squeeze(features.flatten(1))
        # By pixel, then by channel: the layout that the convolutions after it read fastest.
        laid: Tensor = self.widen(code).view(-1, *self.shape).permute(0, 3, 1, 2)
        return nn.functional.leaky_relu(laid, SLOPE)


class Doubling(nn.Module):
    """(B, C, H, W) -> (B, out, 2 H, 2 W) by a convolution and a pixel shuffle.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution", CVPR 2016.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        convolution = lively(nn.Conv2d(channels, 4 * out, 3, padding=1))
        _alike_in_fours(convolution)
        self.layers = nn.Sequential(convolution, nn.LeakyReLU(SLOPE), nn.PixelShuffle(2))

    def forward(self, features: Tensor) -> Tensor:
        """Twice the side."""
        larger: Tensor = self.layers(features)
        return larger


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a way past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            lively(nn.Conv2d(channels, channels, 3, padding=1)),
            nn.LeakyReLU(SLOPE),
            lively(nn.Conv2d(channels, channels, 3, padding=1), 0.2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """The same shape."""
        return nn.functional.leaky_relu(features + self.layers(features), SLOPE)


class Decoder(nn.Module):
    """Paints a face and its mask: (B, C, G, G) -> (B, 4, 16 G, 16 G) in 0..1, RGB then mask.

    The mask has a branch of its own, which ends at half the side: it is smooth.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        deep, middle, late, last = (factor * width for factor in (8, 4, 2, 1))
        self.trunk = nn.Sequential(
            Doubling(channels, deep), Residual(deep), Doubling(deep, middle), Residual(middle)
        )
        self.face = nn.Sequential(Doubling(middle, late), Residual(late), Doubling(late, last))
        self.mask = Doubling(middle, max(4, width // 2))
        self.to_colour = nn.Conv2d(last, 3, 3, padding=1)
        self.to_mask = nn.Conv2d(max(4, width // 2), 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """The painted face."""
        trunk = self.trunk(features)
        face, mask = self.face(trunk), self.mask(trunk)
        # Eight bits of mantissa would show as steps in skin.
        with torch.autocast(features.device.type, enabled=False):
            colour, low = self.to_colour(face.float()), self.to_mask(mask.float())
            enlarged = nn.functional.interpolate(low, scale_factor=2.0, mode="bilinear")
            return torch.cat([colour, enlarged], 1).sigmoid()


@torch.no_grad()
def _alike_in_fours(layer: nn.Conv2d) -> None:
    """Start the four pixels of a shuffle alike, or the first pictures are chequered.

    Source: Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017.
    """
    layer.weight.copy_(layer.weight[::4].repeat_interleave(4, 0))
