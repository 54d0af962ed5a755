"""Networks of the first-order motion model: keypoints, dense motion, and the generator."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.generators.first_order_motion._geometry import (
    Keypoints,
    gaussians,
    soft_argmax,
    sparse_motions,
    warp,
)

_TEMPERATURE = 0.1
_VARIANCE = 0.01


def _block(into: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


class Hourglass(nn.Module):
    """U-Net: each of ``depth`` levels halves the picture, then doubles it beside its equal.

    Args:
        channels: Of the input.
        width: Channels of the first level over two; each level doubles them up to ``widest``.
        depth: Levels.
        widest: No level has more channels.

    Attributes:
        out: Channels that come out, the input's among them.
    """

    def __init__(self, channels: int, width: int, depth: int, widest: int) -> None:
        super().__init__()
        widths = [channels, *(min(widest, width * 2 ** (n + 1)) for n in range(depth))]
        self.down = nn.ModuleList(_block(into, out) for into, out in pairwise(widths))
        up, into = [], widths[-1]
        for level in reversed(range(depth)):
            out = min(widest, width * 2**level)
            up.append(_block(into, out))
            into = out + widths[level]
        self.up = nn.ModuleList(up)
        self.out = into

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, out, H, W)."""
        levels = [pixels]
        for block in self.down:
            levels.append(functional.avg_pool2d(block(levels[-1]), 2))
        x = levels.pop()
        for block in self.up:
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = torch.cat([block(x), levels.pop()], 1)
        return x


class KeypointDetector(nn.Module):
    """K points by soft-argmax of heat maps, with a 2 x 2 Jacobian each.

    Args:
        points: K.
        width: Of the hourglass.
        depth: Of the hourglass.
        shrink: The picture is reduced by this factor first.
        widest: Of the hourglass.
    """

    def __init__(self, points: int, width: int, depth: int, shrink: int, widest: int) -> None:
        super().__init__()
        self.shrink = shrink
        self.body = Hourglass(3, width, depth, widest)
        self.heat = nn.Conv2d(self.body.out, points, 7, padding=3)
        self.slopes = nn.Conv2d(self.body.out, 4 * points, 7, padding=3)
        # Every point starts with the identity as its Jacobian.
        nn.init.zeros_(self.slopes.weight)
        self.slopes.bias = nn.Parameter(torch.tensor([1.0, 0, 0, 1]).repeat(points))

    def forward(self, pixels: Tensor) -> Keypoints:
        """Points of (B, 3, S, S) pictures, 0..1."""
        x = self.body(functional.avg_pool2d(pixels, self.shrink))
        heat = self.heat(x)
        batch, count, height, width = heat.shape
        heat = (heat.flatten(2) / _TEMPERATURE).softmax(2).reshape(heat.shape)
        slopes = self.slopes(x).reshape(batch, count, 4, height, width)
        jacobian = (slopes * heat[:, :, None]).sum((3, 4)).reshape(batch, count, 2, 2)
        return Keypoints(soft_argmax(heat), jacobian)


class DenseMotion(nn.Module):
    """From K + 1 local motions to one for every pixel, and what it leaves uncovered.

    Args:
        points: K.
        width: Of the hourglass.
        depth: Of the hourglass.
        shrink: The motion is found at the picture's size over this.
        widest: Of the hourglass.
    """

    def __init__(self, points: int, width: int, depth: int, shrink: int, widest: int) -> None:
        super().__init__()
        self.shrink = shrink
        self.body = Hourglass((points + 1) * 4, width, depth, widest)
        self.mask = nn.Conv2d(self.body.out, points + 1, 7, padding=3)
        self.occlusion = nn.Conv2d(self.body.out, 1, 7, padding=3)

    def forward(self, source: Tensor, at: Keypoints, driving: Keypoints) -> tuple[Tensor, Tensor]:
        """Find the motion from the driving picture back to the source.

        Args:
            source: (B, 3, S, S) picture, 0..1.
            at: Its points.
            driving: The driving picture's points.

        Returns:
            (B, h, w, 2) places in the source, and (B, 1, h, w) how far they may be used, 0..1.
        """
        small = functional.avg_pool2d(source, self.shrink)
        batch, _, height, width = small.shape
        motions = sparse_motions(at, driving, height, width)
        count = motions.shape[1]
        bumps = gaussians(driving.value, height, width, _VARIANCE)
        bumps = bumps - gaussians(at.value, height, width, _VARIANCE)
        bumps = torch.cat([torch.zeros_like(bumps[:, :1]), bumps], 1)
        repeated = small[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)
        moved = warp(repeated, motions.flatten(0, 1)).reshape(batch, count, 3, height, width)
        x = self.body(torch.cat([bumps[:, :, None], moved], 2).flatten(1, 2))
        shares = self.mask(x).softmax(1)
        places = (shares[..., None] * motions).sum(1)
        return places, self.occlusion(x).sigmoid()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.body(x)
        return x + change


class MotionGenerator(nn.Module):
    """Moves the source's features along the dense motion and paints what was hidden.

    Args:
        points: K.
        width: Channels at full size.
        downs: How often the features are halved before they are moved.
        residuals: Residual blocks behind that.
        motion_width: Of the dense motion's hourglass.
        depth: Likewise.
        shrink: Likewise.
        widest: No layer has more channels.
    """

    def __init__(
        self,
        *,
        points: int,
        width: int,
        downs: int,
        residuals: int,
        motion_width: int,
        depth: int,
        shrink: int,
        widest: int,
    ) -> None:
        super().__init__()
        self.motion = DenseMotion(points, motion_width, depth, shrink, widest)
        widths = [min(widest, width * 2**level) for level in range(downs + 1)]
        self.first = _block(3, width, 7)
        self.down = nn.ModuleList(_block(into, out, stride=2) for into, out in pairwise(widths))
        self.between = nn.Sequential(*(_Residual(widths[-1]) for _ in range(residuals)))
        self.up = nn.ModuleList(_block(out, into) for into, out in reversed(list(pairwise(widths))))
        self.last = nn.Conv2d(width, 3, 7, padding=3)

    def forward(self, source: Tensor, at: Keypoints, driving: Keypoints) -> Tensor:
        """(B, 3, S, S) picture, 0..1: the source in the driving picture's pose."""
        places, visible = self.motion(source, at, driving)
        levels = [self.first(source)]
        for block in self.down:
            levels.append(block(levels[-1]))
        x = self.between(_moved(levels.pop(), places, visible))
        for block in self.up:
            x = block(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
            # At full size the picture itself is moved, below: warping features costs most there.
            if len(levels) > 1:
                x = _moved(levels.pop(), places, visible, instead=x)
        painted = self.last(x).sigmoid()
        return _moved(source, places, visible, instead=painted)


def _moved(x: Tensor, places: Tensor, visible: Tensor, instead: Tensor | None = None) -> Tensor:
    """What ``places`` show of ``x`` where it is visible, and ``instead`` where it is not."""
    share = functional.interpolate(visible, x.shape[2:], mode="bilinear", align_corners=False)
    kept = warp(x, places, beyond="border") * share
    return kept if instead is None else kept + instead * (1 - share)
