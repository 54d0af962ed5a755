"""Networks of the swap from one picture: who it is, what the face does, and a painter of both."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.generators._swap_networks import HALVINGS, SLOPE, Doubling, Encoder

CONTENT_HALVINGS = 3


class IdentityEncoder(nn.Module):
    """Who a face is, as a vector of length 1, and which of the training persons that is nearest.

    Args:
        width: Channels of the first convolution.
        side: Of the pictures in pixels.
        length: Of the vector.
        persons: How many persons are trained on.
    """

    def __init__(self, width: int, side: int, length: int, persons: int) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        self.to_vector = nn.Linear(8 * width * (side >> HALVINGS) ** 2, length)
        self.persons = nn.Parameter(functional.normalize(torch.randn(persons, length)))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) in 0..1 -> (B, length), each of length 1."""
        vector: Tensor = self.to_vector(self.encoder(pixels).flatten(1))
        return functional.normalize(vector.float())

    def person_loss(self, vectors: Tensor, person: Tensor, margin: float, scale: float) -> Tensor:
        """Cross-entropy over the persons' directions; the right one is made harder by a margin.

        Source: Wang et al., "CosFace", CVPR 2018, eq. 4.
        """
        cosines = vectors @ functional.normalize(self.persons).T
        harder = margin * functional.one_hot(person, len(self.persons))
        lost: Tensor = functional.cross_entropy(scale * (cosines - harder), person)
        return lost


class ContentEncoder(nn.Module):
    """What a face does: (B, 3, S, S) -> (B, out, S / 8, S / 8).

    Each channel is brought to mean 0 and deviation 1 over the picture, twice: statistics of
    features are where style, and much of identity, lives.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor in (1, 2, 4):
            layers += [
                # Mirrored, for a border of zeros would tell how bright the picture is.
                nn.Conv2d(channels, width * factor, 5, 2, 2, padding_mode="reflect"),
                nn.InstanceNorm2d(width * factor),
                nn.LeakyReLU(SLOPE),
            ]
            channels = width * factor
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, out, 1), nn.InstanceNorm2d(out))

    def forward(self, pixels: Tensor) -> Tensor:
        """Where eyes, mouth and outline are."""
        content: Tensor = self.layers(pixels)
        return content


class AdaptiveNorm(nn.Module):
    """Instance normalisation whose scale and shift come from a vector.

    Source: Huang & Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
    Normalization", ICCV 2017, eq. 8; learned from a vector as in Karras et al., CVPR 2019.
    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.to_style = nn.Linear(length, 2 * channels)
        nn.init.zeros_(self.to_style.bias)

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        """The same shape."""
        scale, shift = self.to_style(vector)[..., None, None].chunk(2, 1)
        styled: Tensor = functional.instance_norm(features) * (1 + scale) + shift
        return styled


class StyledBlock(nn.Module):
    """Two convolutions, each styled, beside a way past them."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)
        )
        self.norms = nn.ModuleList(AdaptiveNorm(channels, length) for _ in range(2))

    def forward(self, features: Tensor, vector: Tensor) -> Tensor:
        """The same shape."""
        inside = features
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            inside = functional.leaky_relu(norm(convolution(inside), vector), SLOPE)
        return features + inside


class StyledPainter(nn.Module):
    """Paints a content as an identity.

    Args:
        width: Channels of the last doubling.
        content_width: Channels of the content encoder's first convolution.
        content: Channels of the content.
        length: Of the identity vector.
    """

    def __init__(self, width: int, content_width: int, content: int, length: int) -> None:
        super().__init__()
        self.content = ContentEncoder(content_width, content)
        deep = 8 * width
        self.start = nn.Conv2d(content, deep, 3, padding=1)
        self.blocks = nn.ModuleList(StyledBlock(deep, length) for _ in range(2))
        widths = (4 * width, 2 * width, width)
        self.doublings = nn.ModuleList(
            Doubling(inward, out) for inward, out in zip((deep, *widths), widths, strict=False)
        )
        self.norms = nn.ModuleList(AdaptiveNorm(out, length) for out in widths)
        self.to_colour = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, shown: Tensor, vector: Tensor) -> Tensor:
        """Paint what a face does as somebody.

        Args:
            shown: (B, 3, S, S) in 0..1.
            vector: (B, length) whose face is painted.

        Returns:
            (B, 4, S, S) in 0..1: RGB and the face's mask.
        """
        features = self.start(self.content(shown))
        for block in self.blocks:
            features = block(features, vector)
        for doubling, norm in zip(self.doublings, self.norms, strict=True):
            features = functional.leaky_relu(norm(doubling(features), vector), SLOPE)
        with torch.autocast(features.device.type, enabled=False):
            return cast("Tensor", self.to_colour(features.float()).sigmoid())
