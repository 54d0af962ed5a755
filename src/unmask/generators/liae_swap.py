"""Face swap by an autoencoder with one decoder and two dense middles.

Everything is painted by one decoder from two halves. The first half says whose face it is: for the
first person it comes from the middle that sees both people, for the second from one that sees the
second only. The other half always comes from the middle that sees both. Faces of the first person
that are painted as the second go through a middle that never saw them, so a swap towards the first
person keeps more of the light and the shape of what is shown; the other direction is weaker.

Source: Perov et al., "DeepFaceLab", 2020, section 3.2 (structure "LIAE").
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.generators._face_tensors import channels_last
from unmask.generators._swap_networks import HALVINGS, Decoder, DenseBottleneck, Encoder
from unmask.generators._two_people import SwapConfig, TwoPersonPainter, halves
from unmask.generators.autoencoder_swap import AutoencoderSwap
from unmask.generators.base import GENERATORS, GeneratorSpec


class SharedDecoder(TwoPersonPainter):
    """One encoder and one decoder, two dense middles between them."""

    def __init__(self, config: SwapConfig) -> None:
        super().__init__()
        grid = config.size_px >> HALVINGS
        deep = 8 * config.width
        self.encoder = Encoder(config.width)
        self.of_both = DenseBottleneck(deep, grid, config.code, deep // 2)
        self.of_second = DenseBottleneck(deep, grid, config.code, deep // 2)
        self.decoder = Decoder(deep, config.decoder_width)

    def paint(self, pixels: Tensor, *, second: bool) -> Tensor:
        """See :class:`TwoPersonPainter`."""
        features = self.encoder(pixels)
        common = self.of_both(features)
        whose = self.of_second(features) if second else common
        painted: Tensor = self.decoder(torch.cat([whose, common], 1))
        return painted

    def forward(self, both: Tensor) -> Tensor:
        """See :class:`TwoPersonPainter`."""
        features = self.encoder(both)
        common = self.of_both(features)
        whose = torch.cat([halves(common)[0], self.of_second(halves(features)[1])])
        painted: Tensor = self.decoder(torch.cat([whose, common], 1))
        return painted


@GENERATORS.register
class LiaeSwap(AutoencoderSwap):
    """Two dense middles instead of two decoders."""

    spec: ClassVar = GeneratorSpec(
        id="liae_swap",
        title="LIAE swap",
        paper="Perov et al., DeepFaceLab, 2020 (structure LIAE)",
        family="swap",
        material="two_people",
        selected_by="face_psnr_db",
        higher_is_better=True,
        differs="smaller; mean square and DSSIM at one window size; no true-face discriminator",
    )

    def build_networks(self) -> dict[str, nn.Module]:
        """One :class:`SharedDecoder`."""
        return {"generator": channels_last(SharedDecoder(self.config))}
