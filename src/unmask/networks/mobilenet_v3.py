"""MobileNetV3-Large: what a telephone can run.

Source: Howard et al., "Searching for MobileNetV3", ICCV 2019. What differs: one logit; no dropout
before it.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class MobileNetV3(TimmNetwork):
    """Inverted residuals with squeeze and excitation and hard swish."""

    backbone_name: ClassVar = "mobilenetv3_large_100.ra_in1k"
    spec: ClassVar = NetworkSpec(
        id="mobilenet-v3",
        title="MobileNetV3-Large",
        paper="Howard et al., MobileNetV3, ICCV 2019",
        family="spatial",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="one logit; no dropout before it",
    )
