"""3D ResNet-18: a residual network whose kernels reach over time as well.

Source: Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
CVPR 2018, table 1 and section 3.2 (basic blocks, shortcuts of type A). What differs: pixels in
-1..1; no weights from Kinetics; the width of the first stage can be chosen.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, time_second
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_BLOCKS = 2
_STAGES = 4


class _Block(nn.Module):
    """Two 3x3x3 convolutions and a shortcut without parameters."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, width - width_in
        self.first = nn.Conv3d(width_in, width, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm3d(width)
        self.second = nn.Conv3d(width, width, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, width, T / stride, H / stride, W / stride), rounded up."""
        y = nnf.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        # Shortcut A of He et al.: every stride-th value, and zeros for the new channels.
        kept = x[:, :, :: self.stride, :: self.stride, :: self.stride]
        return nnf.relu(y + nnf.pad(kept, (0, 0, 0, 0, 0, 0, 0, self.new_channels)))


@NETWORKS.register
class ResNet3D(ClipNetwork):
    """Stem, four stages of two blocks, mean over space and time, one linear layer.

    Args:
        input_px: Side of the crops.
        pretrained: There are no such weights; refused.
        width: Channels of the first stage; 64 in the paper.
    """

    spec: ClassVar = NetworkSpec(
        id="resnet-3d-18",
        title="3D ResNet-18",
        paper="Hara et al., Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs, CVPR 2018",
        family="temporal",
        modality="clip",
        input_px=112,
        clip_frames=16,
        differs="pixels in -1..1; starts from random weights instead of Kinetics",
    )
    small: ClassVar = {"width": 16}

    def __init__(
        self, *, input_px: int | None = None, pretrained: bool = False, width: int = 64
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.stem = nn.Conv3d(3, width, 7, (1, 2, 2), 3, bias=False)
        self.stem_norm = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d(3, 2, 1)
        blocks: list[nn.Module] = []
        width_in = width
        for stage in range(_STAGES):
            for number in range(_BLOCKS):
                stride = 2 if stage and number == 0 else 1
                blocks.append(_Block(width_in, width * 2**stage, stride))
                width_in = width * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(width_in, 1)
        self.apply(_initialise)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, 8 width); no logits of frames."""
        x = nnf.relu(self.stem_norm(self.stem(time_second(pixels))))
        features = self.blocks(self.pool(x)).mean((2, 3, 4))
        return NetworkOutput(self.classifier(features).squeeze(1), features)


def _initialise(module: nn.Module) -> None:
    weight: Any = getattr(module, "weight", None)
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
