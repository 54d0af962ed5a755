"""FTCN: a residual network that can see change over time and nothing else.

Every kernel is one pixel wide, so no pattern in space can be learnt; a transformer then looks
over the whole clip.

Source: Zheng et al., "Exploring Temporal Coherence for More General Video Face Forgery
Detection", ICCV 2021, sections 3.2 and 3.3. What differs: basic blocks of temporal kernels 3
instead of the bottlenecks of a 3D ResNet-50; maxima over 2x2 pixels, after the first layer and
between stages, instead of strided one-pixel kernels, which would skip pixels; 16 frames instead
of 32; tokens of 256 instead of 1024 channels; random initial weights.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, clip_shape, require_frames, time_second
from unmask.networks._transformer import EncoderLayer, small_start
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_MOST_FRAMES = 64
_SPACE = (1, 2, 2)


class _Block(nn.Module):
    """Two temporal convolutions and a shortcut."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.first = _over_time(width_in, width, 3)
        self.first_norm = nn.BatchNorm3d(width)
        self.second = _over_time(width, width, 3)
        self.second_norm = nn.BatchNorm3d(width)
        self.shortcut = nn.Sequential() if width == width_in else _over_time(width_in, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, width, T, H, W)."""
        y = nnf.relu(self.first_norm(self.first(x)))
        return nnf.relu(self.second_norm(self.second(y)) + self.shortcut(x))


def _over_time(width_in: int, width: int, kernel: int) -> nn.Module:
    return nn.Conv3d(width_in, width, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False)


@NETWORKS.register
class Ftcn(ClipNetwork):
    """Temporal convolutions, mean over space, then a temporal transformer.

    No frame is judged by itself: ``extra`` is None.

    Args:
        input_px: Side of the crops.
        pretrained: There are no such weights; refused.
        width: Channels of the first stage; 64 in the paper.
        depth: Blocks of the four stages.
        tokens: Channels of the transformer; 1024 in the paper.
    """

    spec: ClassVar = NetworkSpec(
        id="ftcn",
        title="FTCN-TT (temporal convolutions only)",
        paper="Zheng et al., Exploring Temporal Coherence, ICCV 2021",
        family="temporal",
        modality="clip",
        input_px=224,
        clip_frames=16,
        differs="basic blocks; maxima over 2x2 pixels instead of strides; 16 frames; random "
        "initial weights",
    )
    small: ClassVar = {"width": 16, "depth": (1, 1, 1, 1), "tokens": 64}

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        width: int = 64,
        depth: tuple[int, int, int, int] = (2, 2, 2, 2),
        tokens: int = 256,
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        layers: list[nn.Module] = [
            _over_time(3, width, 5),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool3d(_SPACE),
            nn.MaxPool3d(_SPACE),
        ]
        width_in = width
        for stage, count in enumerate(depth):
            if stage:
                layers.append(nn.MaxPool3d(_SPACE, ceil_mode=False))
            for _ in range(count):
                layers.append(_Block(width_in, width * 2**stage))
                width_in = width * 2**stage
        self.layers = nn.Sequential(*layers)
        self.to_tokens = nn.Linear(width_in, tokens)
        self.positions = nn.Parameter(torch.empty(1, _MOST_FRAMES + 1, tokens))
        self.whole = nn.Parameter(torch.empty(1, 1, tokens))
        nn.init.trunc_normal_(self.positions, std=0.02)
        nn.init.trunc_normal_(self.whole, std=0.02)
        self.transformer = EncoderLayer(tokens, max(1, tokens // 64), dropout=0.1)
        self.norm = nn.LayerNorm(tokens)
        self.classifier = nn.Linear(tokens, 1)
        small_start(self.classifier)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S), S at least 32, T at most 64 -> logits (B,), features (B, tokens)."""
        _, frames = clip_shape(pixels)
        require_frames(frames, _MOST_FRAMES, self.spec.id)
        by_frame = self.layers(time_second(pixels)).mean((3, 4)).transpose(1, 2)
        tokens = self.to_tokens(by_frame)
        tokens = torch.cat([self.whole.expand(tokens.shape[0], -1, -1), tokens], 1)
        tokens = self.transformer(tokens + self.positions[:, : frames + 1])
        features = self.norm(tokens[:, 0])
        return NetworkOutput(self.classifier(features).squeeze(1), features)
