"""Attention map (Dang et al.): where the face was changed, learnt as a gate on the features.

Half-way through Xception, one layer draws a map of the share of manipulated pixels; what follows
sees the features multiplied by it. The map is supervised by the mask where it is known.

Source: Dang et al., "On the Detection of Digital Face Manipulation", CVPR 2020, section 3: direct
regression, placed after the fourth block of the middle flow, L1 loss of weight 1 beside the class
loss. What differs: the mask is a share of 0..1 averaged over each cell, not made binary; fakes
whose mask is not known are left to the class loss (the paper's weak supervision holds the largest
value of their map to 0.75).
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._timm_backbone import TimmNetwork
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec, TrainingBatch

_BEFORE = (
    *("conv1", "bn1", "act1", "conv2", "bn2", "act2"),
    *(f"block{number}" for number in range(1, 8)),
)
_AFTER = (
    *(f"block{number}" for number in range(8, 13)),
    *("conv3", "bn3", "act3", "conv4", "bn4", "act4"),
)
_WIDTH = 728


@NETWORKS.register
class AttentionMap(TimmNetwork):
    """Xception with a map in its middle that gates what follows."""

    backbone_name: ClassVar = "legacy_xception.tf_in1k"
    spec: ClassVar = NetworkSpec(
        id="attention-map",
        title="Attention map on Xception",
        paper="Dang et al., On the Detection of Digital Face Manipulation, CVPR 2020",
        family="spatial",
        input_px=299,
        differs="masks are shares, not binary; fakes without a mask train the class only",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.to_map = nn.Sequential(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, groups=_WIDTH, bias=False),
            nn.Conv2d(_WIDTH, 1, 1),
        )

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 2048), maps (B, ~S / 16, ~S / 16)."""
        planes = self._through(_BEFORE, pixels)
        maps = self.to_map(planes)
        planes = self._through(_AFTER, planes * maps.sigmoid())
        features = cast("Any", self.backbone).global_pool(planes)
        return NetworkOutput(self.classifier(features).squeeze(1), features, maps.squeeze(1))

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Class, and the L1 distance of the map to the mask where that is known."""
        terms = super().loss_terms(output, batch)
        if output.maps is not None and bool(batch.mask_known.any()):
            height, width = output.maps.shape[-2:]
            share = nnf.adaptive_avg_pool2d(batch.masks[:, None], (height, width)).squeeze(1)
            distance = (output.maps.float().sigmoid() - share).abs().mean((1, 2))
            terms["map"] = distance[batch.mask_known].mean()
        return terms

    def _through(self, names: tuple[str, ...], planes: Tensor) -> Tensor:
        for name in names:
            planes = cast("nn.Module", getattr(self.backbone, name))(planes)
        return planes
