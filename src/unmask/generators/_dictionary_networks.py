"""Encoder and decoder of dictionary face restoration.

Source: Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries", ECCV 2020
(DFDNet), section 3.4; spatial feature transform: Wang et al., SFT-GAN, CVPR 2018.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class FeatureEncoder(nn.Module):
    """(B, 3, S, S) -> features at a half, a quarter and an eighth."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2), _Residual(after))
            for before, after in zip((3, *widths), widths, strict=False)
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Encode, finest first."""
        x, found = pixels, []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class DictionaryDecoder(nn.Module):
    """Features with their parts replaced -> a picture; they scale and shift what is painted.

    The features at half size come in as they are: no part is taken from a dictionary there.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.start = _Residual(coarse)
        self.transform_coarse = _SpatialTransform(coarse)
        self.to_middle = nn.Conv2d(coarse, middle, 3, 1, 1)
        self.transform_middle = _SpatialTransform(middle)
        self.to_fine = nn.Sequential(_Residual(middle), nn.Conv2d(middle, fine, 3, 1, 1))
        self.transform_fine = _SpatialTransform(fine)
        self.paint = nn.Sequential(
            _Residual(fine), nn.Conv2d(fine, 2 * fine, 3, 1, 1), nn.PixelShuffle(2),
            nn.LeakyReLU(0.2), nn.Conv2d(fine // 2, 3, 3, 1, 1),
        )  # fmt: skip

    def forward(self, own: list[Tensor], better: list[Tensor]) -> Tensor:
        """``own`` features of the degraded face, ``better`` ones at a quarter and an eighth."""
        x = self.transform_coarse(self.start(own[2]), better[1])
        x = self.to_middle(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.transform_middle(functional.leaky_relu(x, 0.2), better[0])
        x = self.to_fine(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.transform_fine(functional.leaky_relu(x, 0.2), own[0])
        painted: Tensor = self.paint(x)
        return painted.float()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(functional.leaky_relu(self.first(x), 0.2))
        return x + out


class _SpatialTransform(nn.Module):
    """x * (1 + scale) + shift, both read from guiding features at every place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, 1, 1),
        )

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        scale, shift = self.read(guide).chunk(2, 1)
        modulated: Tensor = x * (1 + scale) + shift
        return modulated
