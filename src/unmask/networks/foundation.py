"""GenD: a foundation model of which only the layer normalisations are trained.

What was learnt from hundreds of millions of pictures stays as it is; a few tens of thousands of
numbers adapt it. Features lie on a sphere: those of one class are drawn together (alignment) and
all are pushed apart (uniformity), so that the classes use the room there is. Meant for pairs of a
real face and its forgery in each batch, and for pretrained weights: without those it learns little.

Sources: Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks" (GenD), WACV 2026
(layer normalisation only, L2-normalised class token, uniformity 0.5 and alignment 0.1 beside the
class loss); Wang & Isola, ICML 2020 (the two terms). What differs: CLIP ViT-B/16 and DINOv2
ViT-S/14 instead of CLIP ViT-L/14, so that two processor cores can train them; one logit.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec, TrainingBatch

_UNIFORMITY, _ALIGNMENT = 0.5, 0.1
_SHARPNESS = 2.0  # t of Wang & Isola


class LayerNormTuned(TimmNetwork):
    """A transformer whose layer normalisations and linear classifier are all that is trained."""

    sized: ClassVar = True

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.backbone.requires_grad_(requires_grad=False)
        for module in self.backbone.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(requires_grad=True)
        if not pretrained:
            self._open_layer_scales()

    @torch.no_grad()
    def _open_layer_scales(self) -> None:
        """DINOv2's are 1e-5 at first: fixed there, no picture reaches the class token."""
        for name, parameter in self.backbone.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(1.0)

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, D) of length 1."""
        return nnf.normalize(super().features(pixels).float(), dim=1)

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Class, uniformity of all features, alignment within each class."""
        terms = super().loss_terms(output, batch)
        distances = _pair_distances(output.features)
        if distances.numel():
            terms["uniformity"] = _UNIFORMITY * (-_SHARPNESS * distances).exp().mean().log()
        same = _same_class(batch.y_true)
        if bool(same.any()):
            terms["alignment"] = _ALIGNMENT * distances[same].mean()
        return terms


def _pair_distances(features: Tensor) -> Tensor:
    """Squared distances of all B (B - 1) / 2 pairs of (B, D) vectors of length 1."""
    first, second = torch.triu_indices(len(features), len(features), 1, device=features.device)
    return (2 - 2 * (features[first] * features[second]).sum(1)).clamp_min(0)


def _same_class(y_true: Tensor) -> Tensor:
    first, second = torch.triu_indices(len(y_true), len(y_true), 1, device=y_true.device)
    return y_true[first] == y_true[second]


@NETWORKS.register
class FoundationClip(LayerNormTuned):
    """CLIP's picture encoder, ViT-B/16."""

    backbone_name: ClassVar = "vit_base_patch16_clip_quickgelu_224.openai"
    multiple_px: ClassVar = 16
    spec: ClassVar = NetworkSpec(
        id="foundation-clip",
        title="CLIP ViT-B/16, layer normalisation tuned (GenD)",
        paper="Yermakov et al., GenD, WACV 2026; Radford et al., CLIP, ICML 2021",
        family="spatial",
        mean=(122.7709, 116.7460, 104.0937),
        std=(68.5005, 66.6322, 70.3232),
        differs="ViT-B/16 instead of ViT-L/14; one logit",
    )


@NETWORKS.register
class FoundationDino(LayerNormTuned):
    """DINOv2's small encoder, ViT-S/14."""

    backbone_name: ClassVar = "vit_small_patch14_dinov2.lvd142m"
    multiple_px: ClassVar = 14
    spec: ClassVar = NetworkSpec(
        id="foundation-dino",
        title="DINOv2 ViT-S/14, layer normalisation tuned (GenD)",
        paper="Yermakov et al., GenD, WACV 2026; Oquab et al., DINOv2, TMLR 2024",
        family="spatial",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="DINOv2 ViT-S/14 instead of CLIP or DINOv3 ViT-L; one logit",
    )
