"""MobileNetV2: small, and the one network whose ImageNet weights can come from a file of arrays.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018. What
differs: one logit; no dropout before it; batch normalisation with the epsilon 1e-3 of the Keras
weights, so that a file made from them and the hub's weights serve the same layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import nn

from unmask.networks._imagenet_arrays import KERAS_EPS, fill_mobilenet_v2
from unmask.networks._timm_backbone import TimmNetwork, build_backbone
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkSpec


@NETWORKS.register
class MobileNetV2(TimmNetwork):
    """Inverted residuals with linear bottlenecks, width 1.0."""

    backbone_name: ClassVar = "mobilenetv2_100.ra_in1k"
    spec: ClassVar = NetworkSpec(
        id="mobilenet-v2",
        title="MobileNetV2",
        paper="Sandler et al., MobileNetV2, CVPR 2018",
        family="spatial",
        differs="one logit; no dropout before it",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        DetectorNetwork.__init__(self, input_px=input_px, pretrained=pretrained)
        self.backbone = build_backbone(self.backbone_name, pretrained=pretrained, bn_eps=KERAS_EPS)
        self.classifier = nn.Linear(1280, 1)

    def initialise(self, path: Path) -> None:
        """Start the backbone from ImageNet arrays.

        Args:
            path: The file; see :func:`unmask.networks._imagenet_arrays.fill_mobilenet_v2`.

        Raises:
            NotFound: There is no such file.
            CorruptMedia: It is damaged, or its arrays are not those of MobileNetV2 1.0.
        """
        fill_mobilenet_v2(self.backbone, path)
