"""ResNet-50: the plain baseline.

Sources: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Wang et al.,
"CNN-generated images are surprisingly easy to spot... for now", CVPR 2020 (as detector). What
differs: one logit; face crops instead of whole pictures.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class ResNet50(TimmNetwork):
    """Fifty layers with shortcuts."""

    backbone_name: ClassVar = "resnet50.a1_in1k"
    spec: ClassVar = NetworkSpec(
        id="resnet-50",
        title="ResNet-50",
        paper="He et al., CVPR 2016; Wang et al., CNN-generated images, CVPR 2020",
        family="spatial",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="one logit; faces instead of whole pictures",
    )
