"""Augmentation of what a discriminator sees, as strong as its overfitting asks for.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020
(ADA), sections 2 and 3.1 (the heuristic r_t). What differs: mirroring, shift, scaling, turning by a
few degrees, brightness, contrast and saturation only; faces here are always upright, and right
angles never occur.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_SHIFT, _SCALE, _TURN_RAD = 0.125, 0.2, math.radians(10)
_BRIGHT, _CONTRAST, _SATURATION = 0.2, 0.5, 1.0
_MOST = 0.8


class AdaptiveAugmentation(nn.Module):
    """Differentiable augmentation whose probability follows the discriminator's certainty.

    Args:
        target: Mean sign of the logits of real pictures that is aimed at.
        per_images: Real pictures over which the probability may go from 0 to 1.
    """

    probability: Tensor
    certainty: Tensor

    def __init__(self, target: float = 0.6, per_images: int = 20_000) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("certainty", torch.zeros(()))
        self.target, self.per_images = target, per_images

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) in -1..1 -> the same, augmented; random by PyTorch's generator."""
        return self._recoloured(self._moved(pixels))

    @torch.no_grad()
    def adapt(self, real_logits: Tensor) -> None:
        """Raise or lower the probability after a step on real pictures."""
        self.certainty.lerp_(real_logits.sign().mean(), 0.05)
        step = math.copysign(
            len(real_logits) / self.per_images, float(self.certainty) - self.target
        )
        self.probability.add_(step).clamp_(0, _MOST)

    def _chosen(self, count: int) -> Tensor:
        return (torch.rand(count) < self.probability).float()

    def _moved(self, pixels: Tensor) -> Tensor:
        count = len(pixels)
        mirror = 1 - 2 * (torch.rand(count) < 0.5).float()
        scale = torch.exp2(torch.randn(count) * _SCALE * self._chosen(count))
        angle = (torch.rand(count) * 2 - 1) * _TURN_RAD * self._chosen(count)
        shift = (torch.rand(count, 2) * 2 - 1) * 2 * _SHIFT * self._chosen(count)[:, None]
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        first = torch.stack([cos * mirror, -sin, shift[:, 0]], 1)
        second = torch.stack([sin * mirror, cos, shift[:, 1]], 1)
        grid = functional.affine_grid(
            torch.stack([first, second], 1), list(pixels.shape), align_corners=False
        )
        return functional.grid_sample(
            pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )

    def _recoloured(self, pixels: Tensor) -> Tensor:
        count = len(pixels)

        def amount(spread: float) -> Tensor:
            return (torch.randn(count) * spread * self._chosen(count))[:, None, None, None]

        pixels = pixels + amount(_BRIGHT)
        pixels = pixels * torch.exp2(amount(_CONTRAST))
        grey = pixels.mean(1, keepdim=True)
        return grey + (pixels - grey) * torch.exp2(amount(_SATURATION))
