"""The network of ``unmask-base`` in PyTorch: for training and export only.

    pixels ── residual stem ──┐
      └───── MobileNetV2 ─────┴── stride 4, 8, 16, 32 ── feature pyramid ── maps (mask, seam)
                                        │                      │              │
                                        └──── mean, deviation ─┴── top values ┘── logit

Sources: Sandler et al., MobileNetV2, CVPR 2018 (backbone); Nguyen et al., LAA-Net, CVPR 2024
(feature pyramid and the seam map 4 M (1 - M)); Zhou et al., Two-stream, CVPR 2018 (a stream that
sees noise only). What differs: the mask itself is predicted beside its seam; the noise stream is
a two-layer stem that joins the backbone at stride 4, so it costs little; the class sees means and
deviations of every depth, because the traces are texture more than shape.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

# (expansion, channels, repeats, stride): table 2 of the MobileNetV2 paper.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
           (6, 160, 3, 2), (6, 320, 1, 1))  # fmt: skip
_PYRAMID = 64
_TAPS = {3: 24, 6: 32, 10: 64, 13: 96, 18: 1280}  # block -> channels
_TOP_SHARE = 0.05


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand, filter per channel, project; with a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(_convolution(inputs, hidden, 1, 1, 1))
        layers.append(_convolution(hidden, hidden, 3, stride, hidden))
        project = (nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs, eps=1e-3))
        layers.append(nn.Sequential(*project))
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.shortcut else out


def _backbone() -> nn.ModuleList:
    blocks: list[nn.Module] = [_convolution(3, 32, 3, 2, 1)]
    channels = 32
    for expansion, outputs, repeats, stride in _STAGES:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            blocks.append(InvertedResidual(channels, outputs, step, expansion))
            channels = outputs
    blocks.append(_convolution(channels, 1280, 1, 1, 1))
    return nn.ModuleList(blocks)


class ResidualStem(nn.Module):
    """Two convolutions that cannot see flat colour: noise, seams and resampling traces.

    The kernels of the first sum to zero in every colour channel (Bayar & Stamm, IH&MMSec 2016,
    constrain theirs in the same spirit).
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(outputs, 3, 5, 5))
        nn.init.kaiming_normal_(self.kernel)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm.weight)  # starts as if it were not there

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, outputs, H / 4, W / 4)."""
        kernel = self.kernel - self.kernel.mean((2, 3), keepdim=True)
        fine = nnf.relu(self.first_norm(nnf.conv2d(pixels, kernel, stride=2, padding=2)))
        out: Tensor = self.norm(self.second(fine))
        return out


class UnmaskBaseNetwork(nn.Module):
    """See the module's docstring.

    Args:
        frozen_blocks: The first blocks of the backbone keep their weights and statistics.
        dropout: Share of class features dropped while training.
    """

    def __init__(self, *, frozen_blocks: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.features = _backbone()
        self.stem = ResidualStem(_TAPS[3])
        self.lateral = nn.ModuleDict(
            {str(tap): nn.Conv2d(_TAPS[tap], _PYRAMID, 1) for tap in (6, 13, 18)}
        )
        self.smooth = nn.Sequential(
            nn.Conv2d(_PYRAMID, _PYRAMID, 3, padding=1, bias=False),
            nn.BatchNorm2d(_PYRAMID),
            nn.ReLU(inplace=True),
        )
        self.to_maps = nn.Conv2d(_PYRAMID, 2, 1)
        evidence = 2 * sum(_TAPS[tap] for tap in (3, 6, 10, 13)) + 1280 + 2 * _PYRAMID + 2
        self.norm = nn.BatchNorm1d(evidence)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(evidence, 1)
        nn.init.zeros_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)
        if self.to_maps.bias is not None:  # always: said for the type checker
            nn.init.constant_(self.to_maps.bias, -2.0)  # most pixels are untouched
        self.frozen_blocks = frozen_blocks
        self.freeze(frozen_blocks)

    def freeze(self, blocks: int) -> None:
        """Keep the first ``blocks`` blocks of the backbone fixed from now on."""
        self.frozen_blocks = blocks
        for i, block in enumerate(self.features):
            block.requires_grad_(i >= blocks)
        # A list hides the fused copy from the module: it is derived, not state.
        self._fused: list[nn.ModuleList | None] = [None]
        self.train(self.training)

    def train(self, mode: bool = True) -> UnmaskBaseNetwork:
        """Training mode, except for the statistics of the frozen blocks."""
        super().train(mode)
        for block in self.features[: self.frozen_blocks]:
            block.eval()
        return self

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Score a batch.

        Args:
            pixels: (B, 3, S, S), S a multiple of 32, RGB scaled to -1..1.

        Returns:
            logits (B,) and map logits (B, 2, S / 8, S / 8): share of foreign pixels, and seam.
        """
        taps = dict(self._taps(pixels))
        tall = self.lateral["18"](taps[18])
        for tap in (13, 6):
            side = taps[tap].shape[-2:]
            tall = nnf.interpolate(tall, size=side, mode="nearest") + self.lateral[str(tap)](
                taps[tap]
            )
        pyramid = self.smooth(tall)
        maps = self.to_maps(pyramid)
        logits = self.classify(self.dropout(self.norm(self._evidence(taps, pyramid, maps))))
        return logits.flatten(), maps

    def _taps(self, pixels: Tensor) -> Iterator[tuple[int, Tensor]]:
        x = pixels
        fused = self._frozen() if self.training else ()
        for i, block in enumerate(self.features):
            if i < len(fused):
                with torch.no_grad():
                    x = fused[i](x)
            else:
                x = block(x)
            if i == 3:
                x = x + self.stem(pixels)
            if i in _TAPS:
                yield i, x

    def _frozen(self) -> nn.ModuleList:
        """The frozen blocks with their normalisation folded into the convolutions."""
        fused = self._fused[0]
        if fused is None:
            fused = copy.deepcopy(self.features[: self.frozen_blocks]).eval()
            for module in fused.modules():
                if not isinstance(module, nn.Sequential) or len(module) < 2:
                    continue
                convolution, norm = module[0], module[1]
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[0] = fuse_conv_bn_eval(convolution, norm)
                    module[1] = nn.Identity()
            self._fused[0] = fused
        return fused

    def _evidence(self, taps: Mapping[int, Tensor], pyramid: Tensor, maps: Tensor) -> Tensor:
        parts = []
        for x in (*(taps[tap] for tap in (3, 6, 10, 13)), pyramid):
            mean = x.mean((2, 3))
            spread = (x - mean[..., None, None]).square().mean((2, 3))
            parts += [mean, (spread + 1e-5).sqrt()]
        parts.append(taps[18].mean((2, 3)))
        flat = maps.flatten(2)
        count = max(1, int(flat.shape[-1] * _TOP_SHARE))
        parts.append(flat.topk(count, dim=-1).values.mean(-1))
        return torch.cat([part.float() for part in parts], 1)

    def load_imagenet(self, weights: Mapping[str, np.ndarray]) -> int:
        """Start the backbone from ImageNet weights.

        Args:
            weights: Arrays by ``features.N...`` key; other keys are ignored.

        Returns:
            How many arrays were used.

        Raises:
            KeyError: An array that the backbone needs is absent.
        """
        state = self.features.state_dict()
        wanted = [key for key in state if not key.endswith("num_batches_tracked")]
        for key in wanted:
            state[key] = torch.from_numpy(np_array(weights[f"features.{key}"])).reshape(
                state[key].shape
            )
        self.features.load_state_dict(state)
        self._fused[0] = None
        return len(wanted)


def np_array(array: np.ndarray) -> np.ndarray:
    """A writable float32 copy (PyTorch does not take read-only memory)."""
    return array.astype("float32", copy=True)
