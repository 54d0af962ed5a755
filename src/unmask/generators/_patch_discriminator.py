"""The discriminator of swaps, which judges patches."""

from __future__ import annotations

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of a picture: about 0 forged, about 1 real.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR
    2017, appendix 6.1.2; with instance normalisation (Ulyanov et al., CVPR 2017) in place of batch
    normalisation. Spectral normalisation, which other games use, was tried: with least squares it
    leaves so small a judge no room between 0 and 1.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for number, out in enumerate((width, 2 * width, 4 * width)):
            norm = nn.InstanceNorm2d(out) if number else nn.Identity()
            convolution = nn.Conv2d(channels, out, 4, 2, 1)
            stages.append(nn.Sequential(convolution, norm, nn.LeakyReLU(0.2)))
            channels = out
        self.stages = nn.ModuleList(stages)
        self.judge = nn.Conv2d(channels, 1, 3, padding=1)

    def features(self, pixels: Tensor) -> list[Tensor]:
        """What it sees in (B, C, S, S) at a half, a quarter and an eighth of the side."""
        seen = []
        for stage in self.stages:
            pixels = stage(pixels)
            seen.append(pixels)
        return seen

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 1, S / 8, S / 8) judgements."""
        judged: Tensor = self.judge(self.features(pixels)[-1])
        return judged.float()
