"""I3D: the first Inception with every square kernel made a cube.

Source: Carreira & Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", CVPR 2017, section 2.4 and figure 3 (the stream of pictures). What differs: no stream of
optical flow; no weights inflated from ImageNet; 16 frames instead of 64; the mean over space
adapts to the crop; the width can be scaled.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, clip_shape, scaled, time_second
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

# Channels of the four branches: 1x1 | 1x1 -> 3x3 | 1x1 -> 3x3 | pool -> 1x1.
_INCEPTION = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


class _Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, width_in: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(width_in, width, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm3d(width, eps=1e-3),
            nn.ReLU(inplace=True),
        )


class _Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, width_in: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, narrow_3, wide_3, narrow_5, wide_5, pooled = widths
        self.one = _Convolution(width_in, one, 1)
        self.three = nn.Sequential(
            _Convolution(width_in, narrow_3, 1), _Convolution(narrow_3, wide_3, 3)
        )
        self.five = nn.Sequential(
            _Convolution(width_in, narrow_5, 1), _Convolution(narrow_5, wide_5, 3)
        )
        self.pooled = nn.Sequential(nn.MaxPool3d(3, 1, 1), _Convolution(width_in, pooled, 1))
        self.width = one + wide_3 + wide_5 + pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, width, T, H, W)."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class _HalvingPool(nn.Module):
    """2x2x2 maximum that rounds odd sizes up, like the "same" padding of the paper."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) of values that are not negative -> half of each, rounded up."""
        time, height, width = x.shape[2:]
        # Zeros cannot win a maximum after a ReLU.
        return nnf.max_pool3d(nnf.pad(x, (0, width % 2, 0, height % 2, 0, time % 2)), 2)


@NETWORKS.register
class I3D(ClipNetwork):
    """Inception-v1 over space and time; its logits are taken at each step of time and averaged.

    ``extra["frame_logits"]``: the coarse steps (one to eight frames), repeated for their frames.

    Args:
        input_px: Side of the crops.
        pretrained: There are no such weights; refused.
        width: Factor on all channels; 1 in the paper.
    """

    spec: ClassVar = NetworkSpec(
        id="i3d",
        title="I3D (inflated Inception)",
        paper="Carreira & Zisserman, Quo Vadis, Action Recognition?, CVPR 2017",
        family="temporal",
        modality="clip",
        input_px=224,
        clip_frames=16,
        differs="pictures only, no optical flow; 16 frames instead of 64; starts from random "
        "weights instead of inflated ones",
    )
    small: ClassVar = {"width": 0.25}

    def __init__(
        self, *, input_px: int | None = None, pretrained: bool = False, width: float = 1.0
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        stem, middle = scaled(64, width), scaled(192, width)
        layers: list[nn.Module] = [
            _Convolution(3, stem, 7, 2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            _Convolution(stem, stem, 1),
            _Convolution(stem, middle, 3),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        ]
        width_in = middle
        for name, widths in _INCEPTION.items():
            if name == "4b":
                layers.append(nn.MaxPool3d(3, 2, 1))
            if name == "5b":
                layers.append(_HalvingPool())
            block = _Inception(width_in, tuple(scaled(w, width) for w in widths))
            layers.append(block)
            width_in = block.width
        self.layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(width_in, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, 1024 width), frame_logits (B, T)."""
        _, frames = clip_shape(pixels)
        steps = self.layers(time_second(pixels)).mean((3, 4)).transpose(1, 2)  # (B, T', C)
        by_step = self.classifier(self.dropout(steps)).squeeze(2)
        step_of = torch.arange(frames, device=pixels.device) * steps.shape[1] // frames
        extra = {"frame_logits": by_step[:, step_of]}
        return NetworkOutput(by_step.mean(1), steps.mean(1), extra=extra)
