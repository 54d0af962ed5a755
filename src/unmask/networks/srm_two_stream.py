"""Two streams: one sees colours, the other only what three noise filters leave.

Splicing disturbs the local noise of a picture even where colours fit. Three high-pass filters of
the steganalysis rich model take the content away; a second network reads what is left, and the two
meet in a bilinear product that asks which colour trace goes with which noise trace.

    pixels ──────────── ResNet ── 1x1 ─┐
      └── SRM filters ── ResNet ── 1x1 ─┴── outer product, mean ── signed root ── logit
                │ (colour stream) ── 1x1 ── map

Sources: Zhou et al., "Learning Rich Features for Image Manipulation Detection", CVPR 2018, sections
3.1-3.4 (streams, filters, bilinear pooling); Zhou et al., "Two-Stream Neural Networks for Tampered
Face Detection", CVPR Workshops 2017 (the same idea on faces); Fridrich & Kodovsky, "Rich Models
for Steganalysis of Digital Images", IEEE TIFS 2012 (filters, truncation); Lin et al., "Bilinear CNN
Models", ICCV 2015 (signed root and normalisation).
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._frequency import Levels, full_precision
from unmask.networks._map_loss import map_loss
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, build_backbone
from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

_BACKBONE = "resnet18.a1_in1k"
_STRIDE_16 = 3
_REDUCED = 32
# Residuals beyond two levels are edges, not noise (Fridrich & Kodovsky, section II.A: T = 2).
_TRUNCATION = 2.0


def srm_kernels() -> Tensor:
    """(3, 1, 5, 5): second-order square 3x3, square 5x5, and second-order line; each sums to 0.

    Source: Zhou et al., CVPR 2018, figure 4.
    """
    square_3 = torch.zeros(5, 5)
    square_3[1:4, 1:4] = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
    square_5 = torch.tensor(
        [
            [-1.0, 2, -2, 2, -1],
            [2, -6, 8, -6, 2],
            [-2, 8, -12, 8, -2],
            [2, -6, 8, -6, 2],
            [-1, 2, -2, 2, -1],
        ]
    )
    line = torch.zeros(5, 5)
    line[2, 1:4] = torch.tensor([1.0, -2, 1]) / 2
    return torch.stack([square_3, square_5 / 12, line])[:, None]


class NoiseResidual(nn.Module):
    """The three filters, over all colours together, truncated."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        kernels = srm_kernels().repeat(1, 3, 1, 1) / 3
        self.register_buffer("kernels", kernels, persistent=False)

    def forward(self, levels: Tensor) -> Tensor:
        """(B, 3, S, S) RGB, 0..255 -> (B, 3, S, S) residuals in -1..1, one channel a filter."""
        with full_precision(levels.device.type):
            # The border is repeated: a border of zeros would be the strongest edge of all.
            padded = nnf.pad(levels.float(), (2, 2, 2, 2), mode="replicate")
            residual = nnf.conv2d(padded, self.kernels)
            return residual.clamp(-_TRUNCATION, _TRUNCATION) / _TRUNCATION


@NETWORKS.register
class SrmTwoStream(DetectorNetwork):
    """ResNet-18 on colours beside ResNet-18 on noise residuals, joined bilinearly."""

    has_pretrained: ClassVar = True
    spec: ClassVar = NetworkSpec(
        id="srm-two-stream",
        title="SRM two-stream",
        paper="Zhou et al., Learning Rich Features for Image Manipulation Detection, CVPR 2018",
        family="frequency",
        input_px=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="the face crop is the only region; ResNet-18 to stride 16 instead of ResNet-101; "
        "the exact outer product of 32 reduced channels instead of a sketch of all; a coarse map "
        "from the colour stream instead of boxes",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.residual = NoiseResidual()
        self.colour_stream, width = _stream(pretrained=pretrained)
        self.noise_stream, _ = _stream(pretrained=pretrained)
        self.colour_reduction = nn.Conv2d(width, _REDUCED, 1)
        self.noise_reduction = nn.Conv2d(width, _REDUCED, 1)
        self.map_head = nn.Conv2d(width, 1, 1)
        self.classifier = nn.Linear(_REDUCED**2, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 1024), maps (B, S / 16, S / 16)."""
        (colour,) = self.colour_stream(pixels)
        (noise,) = self.noise_stream(self.residual(self.levels(pixels)))
        features = bilinear_pool(self.colour_reduction(colour), self.noise_reduction(noise))
        logits = self.classifier(features).squeeze(1)
        return NetworkOutput(logits, features, self.map_head(colour).squeeze(1))

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Class, and the map in the place of the paper's region proposals; equal weights."""
        maps = cast("Tensor", output.maps)
        return super().loss_terms(output, batch) | {"map": map_loss(maps, batch)}


def bilinear_pool(left: Tensor, right: Tensor) -> Tensor:
    """Mean outer product of two feature maps over their places.

    Args:
        left: (B, C, h, w).
        right: (B, D, h, w).

    Returns:
        (B, C * D) float32, signed square roots with a root mean square of 1.

    Source:
        Zhou et al., CVPR 2018, equation 2; Lin et al., ICCV 2015, section 3.1. What differs: the
        length is sqrt(C * D) instead of 1, so that the layer that follows sees values near 1.
    """
    places = left.shape[2] * left.shape[3]
    with full_precision(left.device.type):
        product = left.float().flatten(2) @ right.float().flatten(2).mT / places
        product = product.flatten(1)
        # The root's slope at 0 is infinite; a small constant keeps it finite.
        rooted = product.sign() * ((product.abs() + 1e-6).sqrt() - 1e-3)
        scale = (rooted.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        return rooted * scale


def _stream(*, pretrained: bool) -> tuple[nn.Module, int]:
    """A ResNet-18 up to stride 16, and its width there."""
    stream = build_backbone(
        _BACKBONE, pretrained=pretrained, features_only=True, out_indices=(_STRIDE_16,)
    )
    return stream, 256
