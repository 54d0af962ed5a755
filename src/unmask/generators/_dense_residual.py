"""Networks of the super-resolution GAN: dense residual blocks, and a discriminator of patches.

Source: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV
Workshops 2018, figures 3 and 4. What differs: few, narrow blocks; the network adds to a bicubic
enlargement, so that it starts from there; sub-pixel shuffling enlarges, and the last two
convolutions are one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.generators._degradation import bicubic

_SHARE = 0.2
_LAYERS = 5


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees all before it; a fifth of the result is added."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        outs = [growth] * (_LAYERS - 1) + [width]
        self.layers = nn.ModuleList(
            nn.Conv2d(width + number * growth, out, 3, 1, 1) for number, out in enumerate(outs)
        )
        for layer in self.layers:  # the paper's smaller start (section 3.1, appendix)
            assert isinstance(layer, nn.Conv2d)  # noqa: S101 - narrows for mypy
            nn.init.kaiming_normal_(layer.weight, 0.2)
            layer.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        seen = x
        for layer in self.layers[:-1]:
            seen = torch.cat([seen, functional.leaky_relu(layer(seen), 0.2)], 1)
        grown: Tensor = x + _SHARE * self.layers[-1](seen)
        return grown


class ResidualInResidual(nn.Module):
    """Three dense blocks, a fifth of whose result is added."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(width, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        grown: Tensor = x + _SHARE * (self.blocks(x) - x)
        return grown


class Enlarger(nn.Module):
    """(B, 3, S, S) -> (B, 3, 2 S, 2 S), both in -1..1."""

    def __init__(self, width: int, growth: int, blocks: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 3, 1, 1)
        self.trunk = nn.Sequential(
            *(ResidualInResidual(width, growth) for _ in range(blocks)),
            nn.Conv2d(width, width, 3, 1, 1),
        )
        self.up = nn.Conv2d(width, 4 * width, 3, 1, 1)
        self.leave = nn.Conv2d(width, 3, 3, 1, 1, bias=False)
        nn.init.zeros_(self.leave.weight)

    def forward(self, pixels: Tensor) -> Tensor:
        """Enlarge twofold."""
        x = self.enter(pixels)
        x = functional.pixel_shuffle(self.up(x + self.trunk(x)), 2)
        added = self.leave(functional.leaky_relu(x, 0.2))
        large: Tensor = bicubic(pixels.float(), 2 * pixels.shape[-1]) + added.float()
        return large


class SpectralDiscriminator(nn.Module):
    """Pictures -> a map of logits, spectrally normalised, and the features on the way there.

    Source: Miyato et al., "Spectral Normalization for GANs", ICLR 2018.

    Args:
        width: Channels of the first layer; doubled twice.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        normed = nn.utils.parametrizations.spectral_norm
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, width, 3, 1, 1),
                normed(nn.Conv2d(width, 2 * width, 4, 2, 1)),
                normed(nn.Conv2d(2 * width, 4 * width, 4, 2, 1)),
                normed(nn.Conv2d(4 * width, 4 * width, 3, 1, 1)),
            ]
        )
        self.logit = nn.Conv2d(4 * width, 1, 3, 1, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, 3, S, S) -> (B, 1, S / 4, S / 4), and features of each layer."""
        x, features = pixels, []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x.float())
        logits: Tensor = self.logit(x)
        return logits.float(), features
