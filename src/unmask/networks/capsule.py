"""Capsule-Forensics: ten small groups of features that must agree on real or fake.

The first third of VGG-19 feeds ten primary capsules; dynamic routing sends their votes to two
output capsules, and the softmax between those, averaged over their four dimensions, is the score.

Sources: Nguyen, Yamagishi & Echizen, "Capsule-forensics: Using Capsule Networks to Detect Forged
Images and Videos", ICASSP 2019; the same, "Use of a Capsule Network to Detect Fake Images and
Videos", 2019 (ten capsules, 300 px: the variant here). What differs: VGG-19 is fixed only where
its ImageNet weights are loaded, and trained along with the rest otherwise; ``features`` are the
squashed primary capsules, because no linear classifier follows.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, pretrained_state
from unmask.networks.base import (
    NETWORKS,
    DetectorNetwork,
    NetworkOutput,
    NetworkSpec,
    TrainingBatch,
)

# Up to the third pooling of VGG-19; None: pooling.
_VGG = (64, 64, None, 128, 128, None, 256, 256, 256, 256, None)
_CAPSULES, _INSIDE, _OUTSIDE = 10, 8, 4  # how many, and their dimensions before and after routing
_ROUNDS = 2
_NOISE, _DROPOUT = 0.01, 0.05


class _PrimaryCapsule(nn.Module):
    """Two convolutions, mean and deviation of each plane, two convolutions along those."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = nn.Sequential(
            *(nn.Conv2d(256, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(inplace=True)),
            *(nn.Conv2d(64, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
        )
        self.statistics = nn.Sequential(
            *(nn.Conv1d(2, 8, 5, stride=2, padding=2), nn.BatchNorm1d(8)),
            *(nn.Conv1d(8, 1, 3, padding=1), nn.BatchNorm1d(1)),
        )

    def forward(self, planes: Tensor) -> Tensor:
        """(B, 256, H, W) -> (B, 8)."""
        flat = self.planes(planes).flatten(2).float()
        mean = flat.mean(2)
        # Not torch.std: its gradient is infinite on a plane that is all zero.
        spread = ((flat - mean[..., None]).square().mean(2) + 1e-6).sqrt()
        out: Tensor = self.statistics(torch.stack([mean, spread], 1))
        return out.squeeze(1)


def _squash(vectors: Tensor) -> Tensor:
    """Keep the direction; take lengths to 0..1."""
    squared = vectors.square().sum(-1, keepdim=True)
    return vectors * squared / ((1 + squared) * (squared + 1e-8).sqrt())


class _Routing(nn.Module):
    """Dynamic routing by agreement (Sabour et al., NeurIPS 2017) to two capsules."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(2, _CAPSULES, _OUTSIDE, _INSIDE))

    def forward(self, capsules: Tensor) -> Tensor:
        """(B, 10, 8) squashed -> (B, 2, 4): real, fake."""
        weight: Tensor = self.weight
        if self.training:  # the paper's regularisation: noise on weights, dropout on votes
            weight = weight + _NOISE * torch.randn_like(weight)
        votes = torch.einsum("ocde,bce->bocd", weight, capsules)
        votes = nnf.dropout(votes, _DROPOUT, self.training)
        agreement = torch.zeros_like(votes)
        for last in (*(False,) * (_ROUNDS - 1), True):
            out = _squash((agreement.softmax(2) * votes).sum(2))  # over the primary capsules
            if not last:
                agreement = agreement + votes * out[:, :, None]
        return out


@NETWORKS.register
class Capsule(DetectorNetwork):
    """VGG-19's beginning, ten primary capsules, two output capsules."""

    has_pretrained: ClassVar = True
    spec: ClassVar = NetworkSpec(
        id="capsule",
        title="Capsule-Forensics",
        paper="Nguyen et al., Capsule-forensics, ICASSP 2019; Use of a Capsule Network, 2019",
        family="spatial",
        input_px=300,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="VGG-19 is fixed only with its ImageNet weights, and trained along otherwise",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.vgg = _vgg()
        if pretrained:
            state = pretrained_state("vgg19.tv_in1k")
            own = self.vgg.state_dict()
            self.vgg.load_state_dict({key: state[f"features.{key}"] for key in own})
            self.vgg.requires_grad_(requires_grad=False)
        self.capsules = nn.ModuleList(_PrimaryCapsule() for _ in range(_CAPSULES))
        self.routing = _Routing()

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 80); extra ``votes`` (B, 4)."""
        planes = self.vgg(pixels)
        capsules = _squash(torch.stack([capsule(planes) for capsule in self.capsules], 1))
        real, fake = self.routing(capsules).unbind(1)
        votes = fake - real  # softmax over two is the sigmoid of their difference
        logits = torch.logit(votes.sigmoid().mean(1))
        return NetworkOutput(logits, capsules.flatten(1), extra={"votes": votes})

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Cross-entropy in every dimension of the output capsules, summed."""
        votes = (output.extra or {})["votes"]
        y_true = batch.y_true[:, None].expand_as(votes)
        each = nnf.binary_cross_entropy_with_logits(votes, y_true)
        return {"class": each * votes.shape[1]}


def _vgg() -> nn.Sequential:
    layers: list[nn.Module] = []
    width_in = 3
    for width in _VGG:
        if width is None:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(width_in, width, 3, padding=1), nn.ReLU(inplace=True)]
            nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")  # type: ignore[arg-type]
            width_in = width
    return nn.Sequential(*layers)
