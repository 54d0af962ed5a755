"""MesoNet-4: a very small network for the middle scale between noise and meaning.

Source: Afchar et al., "MesoNet: a Compact Facial Video Forgery Detection Network", WIFS 2018,
section III.A and figure 4. What differs: dropout 0.5 and leaky ReLU as there; a single logit
instead of a sigmoid; the last pooling adapts to the crop size, so that sizes other than 256 work.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec

_WIDTHS_AND_KERNELS = ((8, 3), (8, 5), (16, 5), (16, 5))
_HIDDEN = 16


@NETWORKS.register
class MesoNet4(DetectorNetwork):
    """Four convolutions, one hidden layer of sixteen."""

    spec: ClassVar = NetworkSpec(
        id="mesonet-4",
        title="MesoNet-4",
        paper="Afchar et al., MesoNet, WIFS 2018",
        family="spatial",
        input_px=256,
        differs="the last pooling adapts to the crop size; pixels in -1..1 instead of 0..1",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        layers: list[nn.Module] = []
        width_in = 3
        for width, kernel in _WIDTHS_AND_KERNELS:
            layers += [
                nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
            width_in = width
        layers[-1] = nn.MaxPool2d(4)
        self.convolutions = nn.Sequential(*layers)
        cells = (self.input_px // 32) ** 2
        self.hidden = nn.Linear(width_in * cells, _HIDDEN)
        self.classifier = nn.Linear(_HIDDEN, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 16)."""
        flat = self.dropout(self.convolutions(pixels).flatten(1))
        features = nnf.leaky_relu(self.hidden(flat), 0.1)
        logits = self.classifier(self.dropout(features)).squeeze(1)
        return NetworkOutput(logits, features)
