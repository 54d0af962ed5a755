"""Spatial-phase shallow learning: what the phase spectrum adds to the colours.

Up-sampling repeats the spectrum, and the phase shows it more evenly than the amplitude, most of
which is content. The picture is rebuilt from its phase alone and stands beside the colours as a
fourth channel; the network is cut short, so that it sees texture rather than faces.

Source: Liu et al., "Spatial-Phase Shallow Learning: Rethinking Face Forgery Detection in Frequency
Domain", CVPR 2021, sections 3.2 (phase spectrum) and 3.3 (shallow network: no blocks 4 to 11).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from unmask.networks._frequency import ROUNDING_POWER, Dft2d, Levels, YCbCr, full_precision
from unmask.networks._xception_stages import WIDTH, xception_stages
from unmask.networks.base import NETWORKS, DetectorNetwork, NetworkOutput, NetworkSpec

_KEPT_BLOCKS = (1, 2, 3, 12)


class PhaseImage(nn.Module):
    """A picture rebuilt from the phase of its spectrum, every amplitude set to 1.

    Frequencies with no more power than rounding to whole levels have no phase to speak of and
    fade out; without that floor, a smooth picture would give noise that no two machines share.

    Args:
        size: Side of the squares.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.transform = Dft2d(size)

    def forward(self, squares: Tensor) -> Tensor:
        """(..., S, S) in levels -> (..., S, S) float32 with a root mean square of at most 1."""
        with full_precision(squares.device.type):
            real, imaginary = self.transform(squares)
            shrink = (real**2 + imaginary**2 + ROUNDING_POWER).rsqrt()
            return self.transform.inverse(real * shrink, imaginary * shrink)


@NETWORKS.register
class Spsl(DetectorNetwork):
    """Xception without its middle, on RGB and the phase image."""

    has_pretrained: ClassVar = True
    spec: ClassVar = NetworkSpec(
        id="spsl",
        title="SPSL",
        paper="Liu et al., Spatial-Phase Shallow Learning, CVPR 2021",
        family="frequency",
        input_px=299,
        differs="phases of frequencies below the power of 8-bit rounding fade out",
    )

    def __init__(self, *, input_px: int | None = None, pretrained: bool = False) -> None:
        super().__init__(input_px=input_px, pretrained=pretrained)
        self.levels = Levels(self.spec)
        self.colour = YCbCr()
        self.phase = PhaseImage(self.input_px)
        stages = xception_stages(4, pretrained=pretrained)
        kept = (stages.blocks[number - 1] for number in _KEPT_BLOCKS)
        self.backbone = nn.Sequential(stages.entry, *kept, stages.exit)
        self.classifier = nn.Linear(WIDTH, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, 3, S, S) -> logits (B,), features (B, 2048)."""
        features = self._cells(pixels).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, h, w) logits of places; see the base class."""
        weighted = torch.einsum("bchw,c->bhw", self._cells(pixels), self.classifier.weight[0])
        return weighted + self.classifier.bias

    def _cells(self, pixels: Tensor) -> Tensor:
        luma = self.colour(self.levels(pixels))[:, :1]
        cells: Tensor = self.backbone(torch.cat([pixels, self.phase(luma).to(pixels.dtype)], 1))
        return cells
