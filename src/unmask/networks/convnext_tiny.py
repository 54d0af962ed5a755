"""ConvNeXt-Tiny: a convolutional network with the habits of a transformer.

Source: Liu et al., "A ConvNet for the 2020s", CVPR 2022. What differs: one logit; no stochastic
depth.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class ConvNextTiny(TimmNetwork):
    """Depthwise 7x7 convolutions, layer normalisation, wide pointwise layers."""

    backbone_name: ClassVar = "convnext_tiny.fb_in1k"
    spec: ClassVar = NetworkSpec(
        id="convnext-tiny",
        title="ConvNeXt-Tiny",
        paper="Liu et al., A ConvNet for the 2020s, CVPR 2022",
        family="spatial",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="one logit; no stochastic depth",
    )
