"""Training the small face autoencoders that the forgery ``reconstruction`` runs.

Fully convolutional, 16-fold reduction, at most 32 channels in the middle. While it trains, only a
random number of those channels is kept (nested dropout), so that one network holds a whole row of
generators, from one that paints a blur with eyes to one that keeps almost every pore.

How a generator enlarges and what it was judged by is what its traces are made of, so there are
several: ``--up`` shuffles pixels, transposes convolutions or repeats pixels, and ``--adversarial``
adds a discriminator of patches for the second half of the run.

Source: the plain autoencoder of face-swap programs (strided convolutions down, pixel shuffle up, L1
and DSSIM) with nested dropout in its middle (Rippel et al., "Learning Ordered Representations with
Nested Dropout", ICML 2014); the discriminator and its least squares after Isola et al. (CVPR 2017)
and Mao et al. (ICCV 2017).

    python -m unmask.train.face_autoencoder --cache DIR --steps 1400 --out FILE.onnx
        --sets congress london london_smile
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kornia.losses import ssim_loss
from torch import Tensor, nn

from unmask.faces.alignment import align_region
from unmask.faces.mesh import Region, upright_region
from unmask.train.facecache import FaceCache

CODE = 32
REDUCTION = 16
_WIDTHS = (24, 48, 72, 96)
_SIZE_PX = 128
_BATCH = 24
UPS = ("shuffle", "transposed", "nearest")


class FaceAutoencoder(nn.Module):
    """(B, 3, H, W) in 0..1, H and W multiples of 16, and (B, 32, 1, 1) weights of the code.

    Args:
        up: How it enlarges, one of :data:`UPS`.
    """

    def __init__(self, up: str = "shuffle") -> None:
        super().__init__()
        down: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            down += [nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.1)]
            channels = width
        self.down = nn.Sequential(*down, nn.Conv2d(channels, CODE, 1))
        layers: list[nn.Module] = [nn.Conv2d(CODE, channels, 3, padding=1), nn.LeakyReLU(0.1)]
        for width in (*reversed(_WIDTHS[:-1]), 24):
            layers += _doubling(up, channels, width)
            channels = width
        self.up = nn.Sequential(*layers, nn.Conv2d(channels, 3, 3, padding=1))

    def forward(self, pixels: Tensor, keep: Tensor) -> Tensor:
        """The same faces as this network would paint them, (B, 3, H, W) in 0..1."""
        painted: Tensor = self.up(self.down(pixels) * keep)
        return painted.sigmoid()


def _doubling(up: str, before: int, after: int) -> list[nn.Module]:
    """Layers that double the sides of a feature map."""
    if up == "shuffle":
        wide = nn.Conv2d(before, 4 * after, 3, padding=1)
        return [wide, nn.LeakyReLU(0.1), nn.PixelShuffle(2)]
    if up == "transposed":
        return [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.LeakyReLU(0.1)]
    convolution = nn.Conv2d(before, after, 3, padding=1)
    return [nn.Upsample(scale_factor=2, mode="nearest"), convolution, nn.LeakyReLU(0.1)]


class PatchJudge(nn.Module):
    """(B, 3, S, S) in 0..1 -> (B, 1, S / 8, S / 8): how real each patch looks."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in (32, 64, 96):
            layers += [
                nn.utils.parametrizations.spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)),
                nn.LeakyReLU(0.2),
            ]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        """See the class."""
        said: Tensor = self.layers(pixels * 2 - 1)
        return said


class _Game:
    """The judge, its optimiser, and what it asks of the autoencoder."""

    def __init__(self) -> None:
        self.judge = PatchJudge()
        self.optimiser = torch.optim.Adam(self.judge.parameters(), 4e-4, betas=(0.5, 0.9))

    def learn(self, real: Tensor, painted: Tensor) -> None:
        """One step of the judge, by least squares."""
        with torch.autocast("cpu", torch.bfloat16):
            said = self.judge(torch.cat([real, painted.detach()])).float()
        loss = (said[: len(real)] - 1).square().mean() + said[len(real) :].square().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def asked(self, painted: Tensor) -> Tensor:
        """Loss of the autoencoder."""
        self.judge.requires_grad_(requires_grad=False)
        with torch.autocast("cpu", torch.bfloat16):
            said = self.judge(painted).float()
        self.judge.requires_grad_(requires_grad=True)
        loss: Tensor = (said - 1).square().mean()
        return loss


def nested_keep(counts: Tensor) -> Tensor:
    """(B,) numbers of channels -> (B, 32, 1, 1) of ones, then zeros."""
    return (torch.arange(CODE)[None] < counts[:, None]).float()[..., None, None]


def _batch(cache: FaceCache, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
    crops = []
    for row in rng.choice(rows, _BATCH):
        face = cache.face(int(row))
        region = upright_region(face.landmarks, float(rng.uniform(1.0, 1.6)))
        shift = rng.uniform(-0.08, 0.08, 2) * region.side_px
        centre = (region.centre[0] + float(shift[0]), region.centre[1] + float(shift[1]))
        tilted = Region(centre, region.side_px, region.roll_rad + float(rng.normal(0, 0.1)))
        crop = align_region(face.image, tilted, _SIZE_PX).image
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        light = rng.uniform(0.7, 1.2) * rng.uniform(0.9, 1.1, 3)
        crops.append(np.clip(crop * light, 0, 255))
    return torch.from_numpy(np.stack(crops)).float().permute(0, 3, 1, 2).div(255).contiguous()


def train(
    cache: FaceCache,
    rows: np.ndarray,
    *,
    steps: int,
    seed: int = 1,
    up: str = "shuffle",
    adversarial: float = 0.0,
) -> FaceAutoencoder:
    """Train on cached real faces; prints the losses.

    Args:
        cache: The faces.
        rows: Which of them.
        steps: Batches of 24.
        seed: Seed of everything.
        up: How it enlarges, one of :data:`UPS`.
        adversarial: Weight of a discriminator of patches, from the middle of the run on.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = FaceAutoencoder(up)
    game = _Game() if adversarial else None
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    started = time.monotonic()
    for step in range(1, steps + 1):
        pixels = _batch(cache, rows, rng).contiguous(memory_format=torch.channels_last)
        keep = nested_keep(torch.randint(3, CODE + 1, (len(pixels),)))
        with torch.autocast("cpu", torch.bfloat16):
            painted = network(pixels, keep)
        painted = painted.float()
        distance = (painted - pixels).abs().mean()
        structure = ssim_loss(painted, pixels, 11)
        loss = 3 * distance + structure
        if game is not None and step > steps // 2:
            game.learn(pixels, painted)
            loss = loss + adversarial * game.asked(painted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            speed = step * _BATCH / (time.monotonic() - started)
            print(f"{step} l1 {distance:.4f} dssim {structure:.4f} {speed:.0f} img/s", flush=True)
    network.eval()
    return network


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--up", choices=UPS, default="shuffle")
    parser.add_argument("--adversarial", type=float, default=0.0)
    given = parser.parse_args()
    cache = FaceCache(given.cache)
    rows = np.nonzero((cache.label == 0) & np.isin(cache.source, given.sets))[0]
    network = train(
        cache, rows, steps=given.steps, seed=given.seed, up=given.up,
        adversarial=given.adversarial,
    )  # fmt: skip
    given.out.write_bytes(onnx_bytes(network))


def onnx_bytes(network: FaceAutoencoder) -> bytes:
    """The network as an ONNX file for any number of faces of any size divisible by 16."""
    rows, columns = (torch.export.Dim(name, min=2, max=64) for name in ("rows", "columns"))
    batch = torch.export.Dim("batch")
    example = (torch.rand(2, 3, _SIZE_PX, _SIZE_PX + 32), torch.ones(2, CODE, 1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter trips over deprecations of its own
        program: Any = torch.onnx.export(
            network,
            example,
            input_names=["pixels", "keep"],
            output_names=["painted"],
            dynamic_shapes=(
                {0: batch, 2: REDUCTION * rows, 3: REDUCTION * columns},
                {0: batch},
            ),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    from unmask.export.onnx_file import strip

    proto = program.model_proto
    strip(proto)
    return bytes(proto.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
