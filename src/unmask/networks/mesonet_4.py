"""MesoNet-4: a very small network for the middle scale between noise and meaning.

Source: Afchar et al., "MesoNet: a Compact Facial Video Forgery Detection Network", WIFS 2018,
section III.A and figure 4. What differs: a single logit and cross-entropy instead of a sigmoid and
squared error; the hidden layer takes as many inputs as the crop size leaves, so that sizes other
than 256 work.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec

_WIDTHS_AND_KERNELS = ((8, 3), (8, 5), (16, 5), (16, 5))
_HIDDEN = 16
_SHRINK = 32  # three poolings by 2 and one by 4


class MesoHead(nn.Module):
    """Hidden layer and logit that both MesoNets end in.

    Args:
        width_in: Channels of the last convolution.
        input_px: Side of the crop.
    """

    def __init__(self, width_in: int, input_px: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width_in * (input_px // _SHRINK) ** 2, _HIDDEN)
        self.classifier = nn.Linear(_HIDDEN, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, planes: Tensor) -> NetworkOutput:
        """(B, C, S / 32, S / 32) -> logits (B,), features (B, 16)."""
        features = nnf.leaky_relu(self.hidden(self.dropout(planes.flatten(1))), 0.1)
        return NetworkOutput(self.classifier(self.dropout(features)).squeeze(1), features)


@NETWORKS.register
class MesoNet4(DetectorNetwork):
    """Four convolutions, one hidden layer of sixteen."""

    spec: ClassVar = NetworkSpec(
        id="mesonet-4",
        title="MesoNet-4",
        paper="Afchar et al., MesoNet, WIFS 2018",
        family="spatial",
        input_px=256,
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        differs="cross-entropy instead of squared error; sizes other than 256 work",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        layers: list[nn.Module] = []
        width_in = 3
        for width, kernel in _WIDTHS_AND_KERNELS:
            layers += [
                nn.Conv2d(width_in, width, kernel, padding=kernel // 2),
                nn.ReLU(inplace=True),
                nn.BatchNorm2d(width, eps=1e-3, momentum=0.01),  # Keras' defaults, as published
                nn.MaxPool2d(2),
            ]
            width_in = width
        layers[-1] = nn.MaxPool2d(4)
        self.convolutions = nn.Sequential(*layers)
        self.head = MesoHead(width_in, self.input_px)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 16)."""
        output: NetworkOutput = self.head(self.convolutions(pixels))
        return output
