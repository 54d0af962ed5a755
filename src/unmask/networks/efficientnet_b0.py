"""EfficientNet-B0: the small end of the family that won the DFDC challenge.

Source: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019. What differs: one logit; no stochastic depth.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class EfficientNetB0(TimmNetwork):
    """Inverted residuals with squeeze and excitation, at the smallest scale."""

    backbone_name: ClassVar = "efficientnet_b0.ra_in1k"
    spec: ClassVar = NetworkSpec(
        id="efficientnet-b0",
        title="EfficientNet-B0",
        paper="Tan & Le, EfficientNet, ICML 2019",
        family="spatial",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="one logit; no stochastic depth",
    )
