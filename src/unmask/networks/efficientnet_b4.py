"""EfficientNet-B4: the backbone of much of the field, self-blended images among them.

Sources: Tan & Le, "EfficientNet", ICML 2019; Bonettini et al., "Video Face Manipulation Detection
Through Ensemble of CNNs", ICPR 2020; Shiohara & Yamasaki, CVPR 2022 (380 px). What differs: one
logit; no stochastic depth, no ensemble.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class EfficientNetB4(TimmNetwork):
    """Inverted residuals with squeeze and excitation, deeper and wider."""

    backbone_name: ClassVar = "efficientnet_b4.ra2_in1k"
    spec: ClassVar = NetworkSpec(
        id="efficientnet-b4",
        title="EfficientNet-B4",
        paper="Tan & Le, ICML 2019; Bonettini et al., ICPR 2020",
        family="spatial",
        input_px=380,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="one logit; no stochastic depth, no ensemble",
    )
