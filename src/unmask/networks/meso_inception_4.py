"""MesoInception-4: MesoNet-4 whose first two convolutions see several scales at once.

Source: Afchar et al., "MesoNet: a Compact Facial Video Forgery Detection Network", WIFS 2018,
section III.B and figures 5 and 6: inception blocks of dilated 3x3 convolutions. What differs: a
single logit and cross-entropy instead of a sigmoid and squared error; crop sizes other than 256
work.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec
from unmask.networks.mesonet_4 import MesoHead


class _Inception(nn.Module):
    """1x1, and three times 1x1 before 3x3 with dilation 1, 2 and 3; side by side."""

    def __init__(self, width_in: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.plain = nn.Sequential(nn.Conv2d(width_in, widths[0], 1), nn.ReLU(inplace=True))
        self.dilated = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width_in, width, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
            )
            for dilation, width in enumerate(widths[1:], 1)
        )

    def forward(self, planes: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, sum of widths, H, W)."""
        return torch.cat([self.plain(planes), *(branch(planes) for branch in self.dilated)], 1)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)  # Keras' defaults, as published


@NETWORKS.register
class MesoInception4(DetectorNetwork):
    """Two inception blocks, two convolutions, one hidden layer of sixteen."""

    spec: ClassVar = NetworkSpec(
        id="meso-inception-4",
        title="MesoInception-4",
        paper="Afchar et al., MesoNet, WIFS 2018",
        family="spatial",
        input_px=256,
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        differs="cross-entropy instead of squared error; sizes other than 256 work",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.convolutions = nn.Sequential(
            *(_Inception(3, (1, 4, 4, 2)), _norm(11), nn.MaxPool2d(2)),
            *(_Inception(11, (2, 4, 4, 2)), _norm(12), nn.MaxPool2d(2)),
            *(nn.Conv2d(12, 16, 5, padding=2), nn.ReLU(inplace=True), _norm(16), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 16, 5, padding=2), nn.ReLU(inplace=True), _norm(16), nn.MaxPool2d(4)),
        )
        self.head = MesoHead(16, self.input_px)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 16)."""
        output: NetworkOutput = self.head(self.convolutions(pixels))
        return output
