"""Face swap by an autoencoder with one encoder and two decoders.

Both people go through the same encoder, so it must describe what they share: expression, pose and
light. Each has a decoder that can paint nobody else. Show one person and let the other's decoder
paint.

Source: the open face-swap programs of 2018 and after; described in Perov et al., "DeepFaceLab",
2020, section 3.2 (structure "DF").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.generators._face_stock import COLOUR, FACE, PARTS
from unmask.generators._face_tensors import channels_last
from unmask.generators._precision import quick_precision
from unmask.generators._swap_losses import dssim, error_weight, weighted_mean
from unmask.generators._swap_networks import HALVINGS, Decoder, DenseBottleneck, Encoder
from unmask.generators._two_people import SwapConfig, TwoPeopleSwap, TwoPersonPainter, halves
from unmask.generators.base import GENERATORS, Batch, Figures, GeneratorSpec


@dataclass(frozen=True, slots=True)
class AutoencoderSwapConfig(SwapConfig):
    """Configuration of the autoencoder swap; programs in use have size_px 128-320, width 64-128.

    Attributes:
        structure_loss: Weight of structural dissimilarity.
        pixel_loss: Weight of the mean square difference.
        mask_loss: Weight of the mask's mean square difference.
    """

    structure_loss: float = 1.0
    pixel_loss: float = 10.0
    mask_loss: float = 1.0


class SharedEncoder(TwoPersonPainter):
    """One encoder and one dense middle, two decoders."""

    def __init__(self, config: SwapConfig) -> None:
        super().__init__()
        grid = config.size_px >> HALVINGS
        deep = 8 * config.width
        self.encoder = nn.Sequential(
            Encoder(config.width), DenseBottleneck(deep, grid, config.code, deep)
        )
        self.first = Decoder(deep, config.decoder_width)
        self.second = Decoder(deep, config.decoder_width)

    def paint(self, pixels: Tensor, *, second: bool) -> Tensor:
        """See :class:`TwoPersonPainter`."""
        painted: Tensor = (self.second if second else self.first)(self.encoder(pixels))
        return painted

    def forward(self, both: Tensor) -> Tensor:
        """See :class:`TwoPersonPainter`."""
        first, second = halves(self.encoder(both))
        return torch.cat([self.first(first), self.second(second)])


@GENERATORS.register
class AutoencoderSwap(TwoPeopleSwap):
    """Shared encoder, a decoder for each person, both trained to undo a warp."""

    spec: ClassVar = GeneratorSpec(
        id="autoencoder_swap",
        title="Autoencoder swap",
        paper="Perov et al., DeepFaceLab, 2020 (structure DF)",
        family="swap",
        material="two_people",
        selected_by="face_psnr_db",
        higher_is_better=True,
        differs="smaller; mean square and DSSIM at one window size; no true-face discriminator",
    )
    config_class: ClassVar = AutoencoderSwapConfig
    config: AutoencoderSwapConfig

    def build_networks(self) -> dict[str, nn.Module]:
        """One :class:`SharedEncoder`."""
        return {"generator": channels_last(SharedEncoder(self.config))}

    def training_step(self, batch: Batch, step: int) -> Figures:
        """Both people, each painted by their own decoder from a bent picture."""
        del step
        with quick_precision(batch["bent"].device):
            painted = self.painter(batch["bent"][:, COLOUR])
        losses = reconstruction_losses(painted, batch["straight"], self.config)
        self.descend(torch.stack(list(losses.values())).sum(), "generator")
        return {name: float(value.detach()) for name, value in losses.items()}


def reconstruction_losses(
    painted: Tensor, straight: Tensor, config: AutoencoderSwapConfig
) -> dict[str, Tensor]:
    """Weighted structure, pixel and mask losses.

    Args:
        painted: (B, 4, S, S), RGB and mask.
        straight: (B, 5, S, S) what it should be.
        config: The weights.
    """
    face, parts = straight[:, FACE : FACE + 1], straight[:, PARTS : PARTS + 1]
    weight = error_weight(face, parts, config.background, config.parts)
    colour, wanted = painted[:, COLOUR], straight[:, COLOUR]
    squares = (colour - wanted).square()
    return {
        "structure": config.structure_loss * dssim(colour, wanted, weight),
        "pixels": config.pixel_loss * weighted_mean(squares, weight),
        "mask": config.mask_loss * (painted[:, 3:] - face).square().mean(),
    }
