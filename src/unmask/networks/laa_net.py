"""LAA-Net: attention to the few places where a blend betrays itself.

A good forgery differs from its original hardly anywhere; it is most vulnerable along the seam,
where ``4 M (1 - M)`` of its mask M is largest. Beside the class, the network must point at those
places and say how far every place goes with the most vulnerable one.

    pixels ── EfficientNet ── stride 4, 8, 16, 32 ── pyramid ─┬─ vulnerability, consistency, mask
                                                              └─ mean ── logit

Source: Nguyen et al., "LAA-Net: Localized Artifact Attention Network for Quality-Agnostic and
Generalizable Deepfake Detection", CVPR 2024, sections 3.2 (vulnerable points, heat map,
self-consistency) and 3.3 (enhanced feature pyramid); the heat map's loss: Zhou et al., "Objects as
Points", 2019, equation 1. What differs: see ``spec.differs``.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._map_loss import known_mean, map_loss, masks_at
from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, build_backbone
from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

_BACKBONE = "efficientnet_b0.ra_in1k"
_DEPTHS, _DEPTH_WIDTHS = (1, 2, 3, 4), (24, 40, 112, 320)  # strides 4 to 32
_WIDTH = 64
# Section 4.1: lambda_1 and lambda_2.
_HEAT_WEIGHT, _CONSISTENCY_WEIGHT = 10.0, 100.0
_MASK_WEIGHT = 1.0
# A place as vulnerable as this counts as one of the points; others are damped by their distance.
_POINT = 0.95
_FOCUS, _DAMPING = 2.0, 4.0
_RARE = -4.6  # logit of 0.01: few places are vulnerable


class EnhancedPyramid(nn.Module):
    """Feature pyramid in which a depth adds only what the deeper one has not said.

    Args:
        widths: Channels of the depths, shallowest first.
        width: Channels of the result.
    """

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(one, width, 1) for one in widths)
        self.merges = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2 * width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            )
            for _ in widths[1:]
        )

    def forward(self, depths: list[Tensor]) -> Tensor:
        """Maps of each depth, shallowest first -> (B, width, h, w) at the shallowest."""
        seen: Tensor = self.laterals[-1](depths[-1])
        for level in reversed(range(len(self.merges))):
            lateral = self.laterals[level](depths[level])
            deeper = nnf.interpolate(seen, size=lateral.shape[2:], mode="nearest")
            fresh = lateral * (1 - deeper.sigmoid())
            seen = self.merges[level](torch.cat([deeper, fresh], 1))
        return seen


@NETWORKS.register
class LaaNet(DetectorNetwork):
    """EfficientNet-B0, an enhanced pyramid, and four heads on it."""

    has_pretrained: ClassVar = True
    smallest_px: ClassVar = 64
    spec: ClassVar = NetworkSpec(
        id="laa-net",
        title="LAA-Net",
        paper="Nguyen et al., LAA-Net, CVPR 2024",
        family="generalising",
        input_px=384,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="EfficientNet-B0 instead of B4; the heat map is 4 M (1 - M) over its largest value "
        "instead of a bell at each of its peaks; the mask itself is predicted beside it",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.backbone = build_backbone(
            _BACKBONE, pretrained=pretrained, features_only=True, out_indices=_DEPTHS
        )
        self.pyramid = EnhancedPyramid(_DEPTH_WIDTHS, _WIDTH)
        self.heads = nn.Conv2d(_WIDTH, 3, 1)
        nn.init.constant_(cast("Tensor", self.heads.bias)[:1], _RARE)
        self.classifier = nn.Linear(_WIDTH, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 64), maps (B, S / 4, S / 4).

        ``extra`` holds logits of ``vulnerability`` and ``consistency``, of the maps' shape.
        """
        seen = self.pyramid(self.backbone(pixels))
        vulnerability, consistency, maps = self.heads(seen).unbind(1)
        features = seen.mean((2, 3))
        extra = {"vulnerability": vulnerability, "consistency": consistency}
        return NetworkOutput(self.classifier(features).squeeze(1), features, maps, extra)

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Class, heat map (weight 10), self-consistency (100) and mask (1)."""
        extra = cast("dict[str, Tensor]", output.extra)
        maps = cast("Tensor", output.maps)
        masks = masks_at(batch.masks.float(), maps.shape[-1])
        wanted = vulnerability_of(masks)
        heat = heat_loss(extra["vulnerability"].float(), wanted, batch.mask_known)
        agreement = nnf.binary_cross_entropy_with_logits(
            extra["consistency"].float(), consistency_with_peak(masks, wanted), reduction="none"
        )
        consistency = known_mean(agreement.mean((1, 2)), batch.mask_known)
        return super().loss_terms(output, batch) | {
            "heat": _HEAT_WEIGHT * heat,
            "consistency": _CONSISTENCY_WEIGHT * consistency,
            "mask": _MASK_WEIGHT * map_loss(maps, batch),
        }


def vulnerability_of(masks: Tensor) -> Tensor:
    """``4 M (1 - M)`` over its largest value in the picture; zero where nothing is foreign.

    Args:
        masks: (B, h, w) 0..1.

    Returns:
        (B, h, w) 0..1.

    Source:
        Nguyen et al., CVPR 2024, equation 2.
    """
    seam = 4 * masks * (1 - masks)
    return seam / seam.amax((1, 2), keepdim=True).clamp_min(1e-4)


def consistency_with_peak(masks: Tensor, vulnerability: Tensor) -> Tensor:
    """``1 - |M(p) - M|`` for the most vulnerable place p: (B, h, w) 0..1.

    Source: Nguyen et al., CVPR 2024, section 3.2.
    """
    peak = vulnerability.flatten(1).argmax(1, keepdim=True)
    return 1 - (masks.flatten(1).gather(1, peak)[:, :, None] - masks).abs()


def heat_loss(logits: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Focal loss of a heat map, over the vulnerable points of the faces whose mask is known.

    Args:
        logits: (B, h, w).
        wanted: (B, h, w) 0..1.
        known: (B,) bool.

    Source:
        Zhou et al., "Objects as Points", equation 1, with alpha 2 and beta 4.
    """
    point = (wanted >= _POINT).float()
    chance = logits.sigmoid()
    missed = -((1 - chance) ** _FOCUS) * nnf.logsigmoid(logits)
    false_alarm = -((1 - wanted) ** _DAMPING) * chance**_FOCUS * nnf.logsigmoid(-logits)
    cells = (point * missed + (1 - point) * false_alarm) * known[:, None, None]
    points = (point * known[:, None, None]).sum().clamp_min(1)
    return cells.sum() / points
