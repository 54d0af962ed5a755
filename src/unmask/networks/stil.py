"""STIL: inconsistency in space, inconsistency in time, and what the second tells the first.

Source: Gu et al., "Spatiotemporal Inconsistency Learning for DeepFake Video Detection", ACM MM
2021, sections 3.2 to 3.5. What differs: written from the description; a plain ResNet bottleneck
carries the block; the temporal attention uses depthwise kernels throughout; where a map is
smaller than the pooling window of the spatial module, the window shrinks with it; random initial
weights, and width and depth can be chosen.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks._clip_network import ClipNetwork, clip_shape, fold_frames
from unmask.networks.base import NETWORKS, NetworkOutput, NetworkSpec

_EXPANSION = 4
_REDUCTION = 16
_SHIFTED_SHARE = 8


class SpatialInconsistency(nn.Module):
    """SIM: context from a coarser map, gathered along rows and columns, gates a 3x3 response."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.along_rows = nn.Conv2d(width, width, (1, 3), padding=(0, 1), bias=False)
        self.along_columns = nn.Conv2d(width, width, (3, 1), padding=(1, 0), bias=False)
        self.context_norm = nn.BatchNorm2d(width)
        self.response = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.response_norm = nn.BatchNorm2d(width)
        self.out = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.out_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B T, C, H, W) -> (B T, C, H / stride, W / stride)."""
        size = (x.shape[2], x.shape[3])
        coarse = nnf.avg_pool2d(x, min(4, *size))
        context = self.context_norm(self.along_rows(coarse) + self.along_columns(coarse))
        gate = torch.sigmoid(x + nnf.interpolate(context, size=size, mode="nearest"))
        return nnf.relu(self.out_norm(self.out(self.response_norm(self.response(x)) * gate)))


class _DifferenceAttention(nn.Module):
    """Attention from the difference of neighbouring frames, seen along one direction."""

    def __init__(self, narrow: int, width: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)

        def depthwise() -> nn.Module:
            return nn.Conv2d(narrow, narrow, kernel, padding=padding, groups=narrow, bias=False)

        self.neighbour, self.fine, self.coarse = depthwise(), depthwise(), depthwise()
        self.expand = nn.Conv2d(narrow, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Both (B T, narrow, H, W); -> (B T, width, H, W) in -0.5..0.5."""
        size = (x.shape[2], x.shape[3])
        gap = self.neighbour(other) - x
        wide = self.coarse(nnf.avg_pool2d(gap, min(2, *size)))
        wide = nnf.interpolate(wide, size=size, mode="nearest")
        mixed = (gap + self.fine(gap) + wide) / 3
        return torch.sigmoid(self.norm(self.expand(mixed))) - 0.5


class TemporalInconsistency(nn.Module):
    """TIM: differences to the frames before and after, by rows and by columns, as attention."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(2, width // _REDUCTION)
        self.reduce = nn.Conv2d(width, narrow, 1, bias=False)
        self.reduce_norm = nn.BatchNorm2d(narrow)
        self.by_rows = _DifferenceAttention(narrow, width, (1, 3))
        self.by_columns = _DifferenceAttention(narrow, width, (3, 1))
        # One filter of three frames for each channel, the same at every pixel.
        self.over_time = nn.Parameter(_shift_filter(width))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(B T, C, H, W) -> the same."""
        small = nnf.relu(self.reduce_norm(self.reduce(x)))
        after, before = _neighbours(small, frames)
        attention = (
            self.by_rows(small, after)
            + self.by_rows(small, before)
            + self.by_columns(small, after)
            + self.by_columns(small, before)
        ) / 4
        x = x + x * attention
        after, before = _neighbours(x, frames)
        weights = self.over_time[:, None, :, None, None]
        return before * weights[0] + x * weights[1] + after * weights[2]


def _shift_filter(width: int) -> Tensor:
    """(3, width): an eighth of the channels looks back, an eighth ahead, the others stay."""
    weights = torch.zeros(3, width)
    fold = max(1, width // _SHIFTED_SHARE)
    weights[0, :fold] = 1
    weights[2, fold : 2 * fold] = 1
    weights[1, 2 * fold :] = 1
    return weights


def _neighbours(x: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """The frames after and before each frame; the first and last have themselves there."""
    clip = x.reshape(-1, frames, *x.shape[1:])
    after = torch.cat([clip[:, 1:], clip[:, -1:]], 1)
    before = torch.cat([clip[:, :1], clip[:, :-1]], 1)
    return after.flatten(0, 1), before.flatten(0, 1)


class InformationSupplement(nn.Module):
    """ISM: which channels of the temporal stream the spatial stream should hear of."""

    def __init__(self) -> None:
        super().__init__()
        self.across = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B T, C, H, W) -> the same, each channel weighted by 0..1."""
        means = x.mean((2, 3))[:, None]
        weights = torch.sigmoid(self.across(means))[:, 0]
        return x * weights[:, :, None, None]


class _Bottleneck(nn.Module):
    """A ResNet bottleneck with the STIL block in place of its 3x3 convolution."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        half, out = width // 2, width * _EXPANSION
        self.split_at, self.stride = half, stride
        self.enter = nn.Conv2d(width_in, width, 1, bias=False)
        self.enter_norm = nn.BatchNorm2d(width)
        self.temporal = TemporalInconsistency(half)
        self.supplement = InformationSupplement()
        self.spatial = SpatialInconsistency(half, stride)
        self.leave = nn.Conv2d(width, out, 1, bias=False)
        self.leave_norm = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or width_in != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width_in, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(B T, C, H, W) -> (B T, 4 width, H / stride, W / stride)."""
        y = nnf.relu(self.enter_norm(self.enter(x)))
        in_time = self.temporal(y[:, self.split_at :], frames)
        in_space = self.spatial(y[:, : self.split_at] + self.supplement(in_time))
        if self.stride > 1:
            in_time = nnf.max_pool2d(in_time, 3, self.stride, 1)
        both = self.leave_norm(self.leave(torch.cat([in_space, in_time], 1)))
        return nnf.relu(both + self.shortcut(x))


@NETWORKS.register
class Stil(ClipNetwork):
    """A ResNet-50 of STIL bottlenecks; the clip's logit is the mean over its frames.

    ``extra["frame_logits"]``: what each frame contributes; it has seen its neighbours.

    Args:
        input_px: Side of the crops.
        pretrained: There are no such weights; refused.
        width: Channels of the first stage's bottlenecks; 64 in the paper.
        depth: Bottlenecks of the four stages; (3, 4, 6, 3) in the paper.
    """

    spec: ClassVar = NetworkSpec(
        id="stil",
        title="STIL (spatio-temporal inconsistency)",
        paper="Gu et al., Spatiotemporal Inconsistency Learning, ACM MM 2021",
        family="temporal",
        modality="clip",
        input_px=224,
        clip_frames=8,
        differs="depthwise kernels in the temporal attention; random initial weights",
    )
    small: ClassVar = {"width": 16, "depth": (1, 1, 1, 1)}

    def __init__(
        self,
        *,
        input_px: int | None = None,
        pretrained: bool = False,
        width: int = 64,
        depth: tuple[int, int, int, int] = (3, 4, 6, 3),
    ) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        blocks: list[_Bottleneck] = []
        width_in = width
        for stage, count in enumerate(depth):
            for number in range(count):
                stride = 2 if stage and number == 0 else 1
                blocks.append(_Bottleneck(width_in, width * 2**stage, stride))
                width_in = width * 2**stage * _EXPANSION
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(width_in, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, T, 3, S, S) -> logits (B,), features (B, 32 width), frame_logits (B, T)."""
        _, frames = clip_shape(pixels)
        x = self.stem(fold_frames(pixels))
        for block in self.blocks:
            x = block(x, frames)
        by_frame = x.mean((2, 3)).reshape(-1, frames, x.shape[1])
        logits = self.classifier(self.dropout(by_frame)).squeeze(2)
        extra = {"frame_logits": logits}
        return NetworkOutput(logits.mean(1), by_frame.mean(1), extra=extra)
