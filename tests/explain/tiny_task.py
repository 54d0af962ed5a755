"""A tiny task with a known answer: somewhere on a smooth crop lies a patch of fine checks."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.networks import DetectorNetwork, NetworkOutput, NetworkSpec

SIDE, PATCH = 32, 8


def faces(count: int, seed: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Pixels (N, 3, 32, 32), y_true (N,), and masks (N, 32, 32) of where fakes were changed."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator) * 1.6 - 0.8
    pixels = nnf.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
    pixels += 0.03 * torch.randn(pixels.shape, generator=generator)
    y_true = (torch.arange(count) % 2).float()
    masks = np.zeros((count, SIDE, SIDE), bool)
    checks = (torch.arange(PATCH)[:, None] + torch.arange(PATCH)) % 2 * 1.0 - 0.5
    for i in range(1, count, 2):
        top, left = torch.randint(0, SIDE - PATCH + 1, (2,), generator=generator).tolist()
        pixels[i, :, top : top + PATCH, left : left + PATCH] += checks
        masks[i, top : top + PATCH, left : left + PATCH] = True
    return pixels, y_true, masks


class TinyConvolutional(DetectorNetwork):
    """Three convolutions, a mean over places, one linear logit."""

    spec: ClassVar = NetworkSpec("tiny-mean", "Tiny", "none", "spatial", input_px=SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(16, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        features = self.stages(pixels).mean((2, 3))
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    def activation_map(self, pixels: Tensor) -> Tensor:
        weighted = torch.einsum("bchw,c->bhw", self.stages(pixels), self.classifier.weight[0])
        return weighted + self.classifier.bias


class TinyMapped(TinyConvolutional):
    """The same with a map of its own, and a decoder behind it that the logit does not rest on."""

    spec: ClassVar = NetworkSpec("tiny-mapped", "Tiny", "none", "spatial", input_px=SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.to_map = nn.Conv2d(16, 1, 1)
        self.decoder = nn.Conv2d(16, 3, 1)

    def forward(self, pixels: Tensor) -> NetworkOutput:
        places = self.stages(pixels)
        maps = self.to_map(places).squeeze(1)
        picture = self.decoder(places)
        features = places.mean((2, 3))
        logits = self.classifier(features).squeeze(1) + maps.mean((1, 2))
        return NetworkOutput(logits, features, maps, {"picture": picture})


def trained(make: type[DetectorNetwork], seed: int, steps: int = 200) -> DetectorNetwork:
    """Learn to tell checks from none; a map learns where they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for step in range(steps):
        pixels, y_true, masks = faces(16, 1000 + step)
        output = network.train()(pixels)
        loss = nnf.binary_cross_entropy_with_logits(output.logits, y_true)
        if output.maps is not None:
            share = nnf.adaptive_avg_pool2d(torch.from_numpy(masks).float(), output.maps.shape[1:])
            loss = loss + nnf.binary_cross_entropy_with_logits(output.maps, share)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()
