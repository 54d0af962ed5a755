"""Face-warping artefacts (Li & Lyu): the seam in sharpness between a pasted face and its frame.

A generator draws faces at one small size; bringing them back onto the frame leaves them softer than
what surrounds them. ResNet-50 sees regions that always hold the face and some of its surroundings,
drawn anew in training and averaged in analysis. It is meant to be trained on real faces and their
:mod:`~unmask.forgeries.face_warping` negatives.

Source: Li & Lyu, "Exposing DeepFake Videos By Detecting Face Warping Artifacts", CVPR Workshops
2019 (arXiv 2018), section 3. What differs: crops are 1.4 times the face and the regions inside them
are drawn by the network, up to a fifth smaller and shifted, instead of around each side by itself;
analysis averages three fixed regions instead of ten random ones.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor

from unmask.networks._timm_backbone import IMAGENET_MEAN, IMAGENET_STD, TimmNetwork
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_SMALLEST = 0.8  # share of the crop that the smallest region covers
_ANALYSED = (0.8, 0.9, 1.0)


@NETWORKS.register
class FaceWarping(TimmNetwork):
    """ResNet-50 over regions of the crop."""

    backbone_name: ClassVar = "resnet50.a1_in1k"
    spec: ClassVar = NetworkSpec(
        id="face-warping",
        title="Face-warping artefacts (FWA)",
        paper="Li & Lyu, Exposing DeepFake Videos By Detecting Face Warping Artifacts, CVPRW 2019",
        family="spatial",
        crop_margin=1.4,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        differs="square regions inside one crop; three fixed regions averaged instead of ten drawn",
    )

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 2048).

        In training each crop gives one random region; in analysis three concentric ones, whose mean
        features are what the linear classifier sees (so the logit is the mean of their logits).
        """
        if self.training:
            features = self.features(_random_regions(pixels))
        else:
            views = [self.features(_central_region(pixels, share)) for share in _ANALYSED]
            features = torch.stack(views).mean(0)
        return NetworkOutput(self.classifier(features).squeeze(1), features)


def _random_regions(pixels: Tensor) -> Tensor:
    theta = pixels.new_zeros(len(pixels), 2, 3)
    share = _SMALLEST + (1 - _SMALLEST) * torch.rand_like(theta[:, 0, 0])
    theta[:, 0, 0] = theta[:, 1, 1] = share
    theta[:, :, 2] = (2 * torch.rand_like(theta[:, :, 2]) - 1) * (1 - share)[:, None]
    grid = nnf.affine_grid(theta, list(pixels.shape), align_corners=False)
    return nnf.grid_sample(pixels, grid, align_corners=False, padding_mode="border")


def _central_region(pixels: Tensor, share: float) -> Tensor:
    side = pixels.shape[-1]
    cut = round(side * (1 - share) / 2)
    if cut == 0:
        return pixels
    inside = pixels[..., cut : side - cut, cut : side - cut]
    return nnf.interpolate(inside, size=(side, side), mode="bilinear", align_corners=False)
