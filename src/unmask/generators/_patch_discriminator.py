"""A discriminator that judges patches, and the game that is played with mixed pictures."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unmask.generators._swap_losses import least_squares_loss


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


def mixing_share() -> Tensor:
    """How much of the real picture a mixed one holds: from Beta(0.2, 0.2), mostly near 0 or 1."""
    return torch.distributions.Beta(0.2, 0.2).sample()


def mixed_loss(
    discriminator: nn.Module, real: Tensor, forged: Tensor, share: Tensor, *, fooling: bool
) -> Tensor:
    """Least-squares loss on a mixture of a real and a forged picture.

    The discriminator is to say how much of it is real; the generator is paid when it says the
    opposite.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, section 5.
    """
    judged = discriminator(share * real + (1 - share) * forged)
    return least_squares_loss(judged, 1 - share if fooling else share)


def feature_distance(discriminator: PatchDiscriminator, real: Tensor, forged: Tensor) -> Tensor:
    """Mean absolute difference of what the discriminator sees in two pictures, at all scales.

    Source: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
    Conditional GANs", CVPR 2018, eq. 4.
    """
    with torch.no_grad():
        wanted = discriminator.features(real)
    seen = discriminator.features(forged)
    gaps = [(a.float() - b.float()).abs().mean() for a, b in zip(seen, wanted, strict=True)]
    return torch.stack(gaps).mean()
