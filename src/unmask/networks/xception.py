"""Xception: the field's standard baseline since FaceForensics++.

Sources: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017
(network); Roessler et al., "FaceForensics++", ICCV 2019, section 5 (as detector of forged faces,
crops of 1.3 times the face). What differs: one logit instead of two classes; the last layer is not
trained alone first.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class Xception(TimmNetwork):
    """Depthwise separable convolutions with shortcuts."""

    backbone_name: ClassVar = "legacy_xception.tf_in1k"
    spec: ClassVar = NetworkSpec(
        id="xception",
        title="Xception",
        paper="Chollet, Xception, CVPR 2017; Roessler et al., FaceForensics++, ICCV 2019",
        family="spatial",
        input_px=299,
        differs="one logit; all layers are trained from the first step on",
    )
