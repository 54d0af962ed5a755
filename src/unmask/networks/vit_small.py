"""ViT-S/16: attention over patches of sixteen pixels.

Sources: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; Steiner et al., "How to
train your ViT?", TMLR 2022 (size S and its weights). What differs: one logit on the class token;
position embeddings are resampled for other crop sizes.
"""

from __future__ import annotations

from typing import ClassVar

from unmask.networks._timm_backbone import TimmNetwork
from unmask.networks.base import NETWORKS, NetworkSpec


@NETWORKS.register
class VitSmall(TimmNetwork):
    """Twelve layers of attention, class token."""

    backbone_name: ClassVar = "vit_small_patch16_224.augreg_in21k_ft_in1k"
    sized: ClassVar = True
    multiple_px: ClassVar = 16
    spec: ClassVar = NetworkSpec(
        id="vit-small",
        title="ViT-S/16",
        paper="Dosovitskiy et al., ICLR 2021; Steiner et al., TMLR 2022",
        family="spatial",
        differs="one logit; positions are resampled for other sizes",
    )
