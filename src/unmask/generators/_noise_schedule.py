"""How much noise lies on a picture at each time, and the way back.

Source: Nichol & Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021, eq. 17
(cosine schedule); Song, Meng & Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, eq. 12
(with no noise of its own); Salimans & Ho, "Progressive Distillation for Fast Sampling of Diffusion
Models", ICLR 2022, section 4 and appendix D (velocity).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_OFFSET = 0.008
_LARGEST_BETA = 0.999


class NoiseSchedule:
    """The cosine schedule over ``times`` steps.

    Attributes:
        kept: (times,) share of the picture's variance that is left at each time (alpha bar).
    """

    def __init__(self, times: int = 1000) -> None:
        def level(time: int) -> float:
            return math.cos((time / times + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2

        betas = [min(1 - level(time + 1) / level(time), _LARGEST_BETA) for time in range(times)]
        self.kept = (1 - torch.tensor(betas, dtype=torch.float64)).cumprod(0).float()

    def noised(self, picture: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """(B, C, H, W) pictures with the noise of times (B,) laid on."""
        signal, noisy = self._amounts(time)
        return signal * picture + noisy * noise

    def velocity(self, picture: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """What a network that predicts velocity is to say."""
        signal, noisy = self._amounts(time)
        return signal * noise - noisy * picture

    def picture_of(self, noised: Tensor, velocity: Tensor, time: Tensor) -> Tensor:
        """The picture that a velocity means."""
        signal, noisy = self._amounts(time)
        return signal * noised - noisy * velocity

    def velocity_from_noise(self, noised: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """The velocity that a predicted noise means."""
        signal, noisy = self._amounts(time)
        return (noise - noisy * noised) / signal

    def way_back(
        self, start: Tensor, steps: int, velocity_at: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """From noise to a picture in ``steps`` implicit steps, clipped to -1..1.

        Args:
            start: (B, C, H, W) Gaussian noise.
            steps: Evenly spread over the times.
            velocity_at: The network: noised pictures and (B,) times -> velocities.
        """
        times = torch.linspace(len(self.kept) - 1, 0, steps).round().long()
        x = start
        for number, time in enumerate(times.tolist()):
            now = torch.full((len(x),), time)
            velocity = velocity_at(x, now)
            picture = self.picture_of(x, velocity, now).clamp(-1, 1)
            if number + 1 == len(times):
                return picture
            signal, noisy = self._amounts(now)
            noise = (x - signal * picture) / noisy
            x = self.noised(picture, noise, torch.full((len(x),), int(times[number + 1])))
        return x

    def _amounts(self, time: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept[time][:, None, None, None]
        return kept.sqrt(), (1 - kept).sqrt()
