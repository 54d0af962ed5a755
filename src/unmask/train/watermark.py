"""Training the invisible watermark's embedder and reader together, against real attacks.

A step: pictures, a pattern for a random payload each, the embedder's change at a fixed strength,
an attack on the marked 8-bit pictures, a slight zoom and shift as a reader that searches for the
scale will meet them, the reader's evidence, and the likeness of that evidence, folded onto one
tile, to what was embedded: the very number that detection rests on.

    python -m unmask.train.watermark --cache DIR --out DIR
        --sets congress london london_smile --steps 700

A second call with the same folder goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import math
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.errors import UsageError
from unmask.provenance import _error_correction, _watermark_tile, watermark
from unmask.train import run_files
from unmask.train.facecache import FaceCache
from unmask.train.interrupts import signals_call
from unmask.train.tracking import csv_table
from unmask.train.watermark_attacks import random_attack
from unmask.train.watermark_networks import Embedder, Reader
from unmask.train.watermark_pictures import Pictures, sample_photographs

CANONICAL_PX = 128
CHECKPOINT, LOG = "checkpoint.pt", "log.csv"
EMBEDDER, READER = "watermark-embedder.onnx", "watermark-reader.onnx"
OPEN_SETS = ("congress", "london", "london_smile")
_LOG_EVERY, _SAVE_EVERY, _AVERAGE = 25, 100, 0.995
_STATE = {"embedder", "reader", "average_embedder", "average_reader", "optimiser", "step"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made of.

    Attributes:
        steps: Batches in all, as the learning rate is planned for.
        until: Batches after which the run ends; 0: all.
        batch: Pictures in a batch.
        rate: Highest learning rate.
        seed: Seed of everything.
    """

    steps: int = 700
    until: int = 0
    batch: int = 8
    rate: float = 2e-3
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures as they are, at canonical size, and what they shall carry."""

    images: list[np.ndarray]  # (n, n, 3) uint8 each
    pixels: Tensor  # (B, 3, 128, 128) in 0..1
    patterns: Tensor  # (B, 1, 128, 128)
    vectors: Tensor  # (B, D) unit length


def draw_batch(pictures: Pictures, count: int, rng: np.random.Generator) -> Batch:
    """Pictures and random payloads."""
    images = [pictures.draw(rng) for _ in range(count)]
    coded = np.stack([_error_correction.encode(rng.bytes(4)) for _ in images])
    vectors = _watermark_tile.direction(coded)
    tiles = [_watermark_tile.tile_of(vector) for vector in vectors]
    laid = [_watermark_tile.laid(tile, CANONICAL_PX, CANONICAL_PX) for tile in tiles]
    return Batch(
        images,
        torch.from_numpy(np.stack([_canonical(image) for image in images])),
        torch.from_numpy(np.stack(laid)[:, None]),
        torch.from_numpy(vectors),
    )


def _canonical(image: np.ndarray) -> np.ndarray:
    if image.shape[0] != CANONICAL_PX:
        image = cv2.resize(image, (CANONICAL_PX, CANONICAL_PX), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / np.float32(255)


def attacked(batch: Batch, change: Tensor, rng: np.random.Generator) -> Tensor:
    """The marked pictures after what they met; the gradient passes straight through."""
    marked = batch.pixels + change
    arrived = []
    for image, own in zip(batch.images, change.detach().numpy(), strict=True):
        wide = cv2.resize(own.transpose(1, 2, 0), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        whole = np.clip(np.rint(image + 255 * wide), 0, 255).astype(np.uint8)
        arrived.append(_canonical(random_attack(whole, rng)))
    return marked + (torch.from_numpy(np.stack(arrived)) - marked).detach()


@dataclass(frozen=True, slots=True)
class Views:
    """How the reader meets each picture: slightly zoomed and shifted, and a part of it only."""

    there: Tensor  # (B, 2, 3) affine matrices for sampling the picture
    back: Tensor  # (B, 2, 3) and for sampling the evidence
    kept: Tensor  # (B, 1, 128, 128): 1 where the picture was not cut away


def draw_views(count: int, rng: np.random.Generator) -> Views:
    """Half of the pictures as they are, the rest zoomed by up to 12 % and cut by up to 25 %."""
    there = np.tile(np.eye(2, 3, dtype=np.float32), (count, 1, 1))
    back = there.copy()
    kept = np.zeros((count, 1, CANONICAL_PX, CANONICAL_PX), np.float32)
    for one in range(count):
        zoom, shift, removed = 1.0, np.zeros(2), 0.0
        if rng.random() < 0.5:
            zoom, shift = math.exp(rng.uniform(-0.12, 0.12)), rng.uniform(-4, 4, 2) / 64
            removed = rng.uniform(0, 0.25)
        there[one] = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
        back[one] = np.array([[zoom, 0, -zoom * shift[0]], [0, zoom, -zoom * shift[1]]])
        across = (1 - removed) ** rng.uniform(0, 1)
        wide, high = round(CANONICAL_PX * across), round(CANONICAL_PX * (1 - removed) / across)
        top, left = rng.integers(CANONICAL_PX - high + 1), rng.integers(CANONICAL_PX - wide + 1)
        kept[one, 0, top : top + high, left : left + wide] = 1
    return Views(torch.from_numpy(there), torch.from_numpy(back), torch.from_numpy(kept))


def likeness(reader: Reader, pixels: Tensor, views: Views, vectors: Tensor) -> Tensor:
    """(B,) cosine between folded evidence and what was embedded, -1..1."""
    shape = list(pixels.shape)
    grid = functional.affine_grid(views.there, shape, align_corners=False)
    seen = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    evidence = reader(seen).float()
    grid = functional.affine_grid(views.back, list(evidence.shape), align_corners=False)
    evidence = functional.grid_sample(evidence, grid, align_corners=False) * views.kept
    return functional.cosine_similarity(_band(evidence), vectors)


def _band(evidence: Tensor) -> Tensor:
    side = _watermark_tile.SIDE_PX
    tiles = evidence.reshape(len(evidence), CANONICAL_PX // side, side, CANONICAL_PX // side, side)
    rows, columns = (torch.from_numpy(index) for index in _watermark_tile.waves())
    spectrum = torch.fft.rfft2(tiles.sum((1, 3)))[:, rows, columns]
    return torch.cat([spectrum.real, spectrum.imag], 1)


class Training:
    """A run: networks, their running averages, the optimiser and how far it got."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.embedder, self.reader = Embedder(), Reader()
        for network in (self.embedder, self.reader):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average_embedder, self.average_reader = Embedder(), Reader()
        self._average(0.0)
        parameters = [*self.embedder.parameters(), *self.reader.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, settings.rate, weight_decay=1e-4)
        self.step = 0

    def advance(self, pictures: Pictures) -> dict[str, float]:
        """One step; returns its figures."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, self.step])
        batch = draw_batch(pictures, settings.batch, rng)
        views = draw_views(settings.batch, rng)
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(self.step, settings)
        sides = np.array([image.shape[0] for image in batch.images])
        levels = watermark.strength(sides) * _lead(self.step, settings)
        strength = torch.from_numpy(levels.astype(np.float32)).reshape(-1, 1, 1, 1) / 255
        with torch.autocast("cpu", torch.bfloat16):
            change = self.embedder(batch.pixels, batch.patterns)
        change = strength * change
        arrived = attacked(batch, change, rng)
        with torch.autocast("cpu", torch.bfloat16):
            rho = likeness(self.reader, arrived, views, batch.vectors)
        # The weakest count double: it is the worst pictures that lose their payload.
        weak = functional.relu(0.8 - rho).mean()
        loss = (1 - rho).mean() + weak
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self.embedder.parameters(), *self.reader.parameters()], 1.0)
        self.optimiser.step()
        self.step += 1
        self._average(min(_AVERAGE, self.step / (self.step + 20)))
        readable = (rho > 0.5).float().mean()
        return {
            "likeness": rho.mean().item(),
            "readable": readable.item(),
            "psnr_db": -10 * change.detach().square().mean().log10().item(),
        }

    def _average(self, keep: float) -> None:
        pairs = ((self.average_embedder, self.embedder), (self.average_reader, self.reader))
        with torch.no_grad():
            for average, network in pairs:
                for old, new in zip(average.parameters(), network.parameters(), strict=True):
                    old.lerp_(new, 1 - keep)

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        names = _STATE - {"step"}
        state = {name: getattr(self, name).state_dict() for name in names}
        run_files.save(path, {**state, "step": self.step})

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = run_files.load(path, _STATE)
        try:
            for name in _STATE - {"step"}:
                getattr(self, name).load_state_dict(state[name])
        except (RuntimeError, ValueError, KeyError) as error:
            raise run_files.cannot_use(path, error) from error
        self.step = int(state["step"])


def _rate(step: int, settings: Settings) -> float:
    warm = min(1.0, (step + 1) / 50)
    return settings.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / settings.steps)) + 1e-6


def _lead(step: int, settings: Settings) -> float:
    """From three times the strength to the real one in the first fifth of the run."""
    return 3 - 2 * min(1.0, 5 * step / settings.steps)


def export(training: Training, folder: Path) -> None:
    """Write both averaged networks as ONNX files with any even height and width."""
    pixels = torch.rand(1, 3, CANONICAL_PX, 2 * CANONICAL_PX)
    axes = {0: "batch", 2: "height", 3: "width"}
    calls: tuple[tuple[str, nn.Module, dict[str, Tensor], str], ...] = (
        (
            EMBEDDER,
            training.average_embedder,
            {"pixels": pixels, "pattern": pixels[:, :1]},
            "change",
        ),
        (READER, training.average_reader, {"pixels": pixels}, "evidence"),
    )
    for name, network, inputs, output in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(),
                tuple(inputs.values()),
                folder / name,
                input_names=list(inputs),
                output_names=[output],
                dynamic_axes=dict.fromkeys([*inputs, output], axes),
                dynamo=False,
            )


def train(pictures: Pictures, folder: Path, settings: Settings) -> Training:
    """Start or go on, log, save and export; Ctrl-C saves and ends it.

    Args:
        pictures: What to train on.
        folder: Holds checkpoint, log and, at each save, both ONNX files.
        settings: What the run is made of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    training = Training(settings)
    if (folder / CHECKPOINT).is_file():
        training.load(folder / CHECKPOINT)
    means: dict[str, float] = {}
    started, first = time.monotonic(), training.step
    last = min(settings.until or settings.steps, settings.steps)
    stopping = threading.Event()
    with signals_call(stopping.set), csv_table(folder / LOG, training.step) as log:
        while training.step < last and not stopping.is_set():
            for name, value in training.advance(pictures).items():
                means[name] = means.get(name, 0.0) + value / _LOG_EVERY
            if training.step % _LOG_EVERY == 0:
                pace = (training.step - first) / (time.monotonic() - started)
                figures = {**means, "steps_per_s": pace}
                log.add(training.step, figures)
                told = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
                print(f"step {training.step} {told}", flush=True)
                means = {}
            ends = training.step == last or stopping.is_set()
            if training.step % _SAVE_EVERY == 0 or ends:
                training.save(folder / CHECKPOINT)
                export(training, folder)
    return training


def main() -> None:
    """Train from the command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m unmask.train.watermark")
    parser.add_argument("--cache", type=Path, required=True, help="a face cache")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--sets", nargs="+", default=list(OPEN_SETS))
    for name, default in (("steps", 700), ("until", 0), ("batch", 8), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rate", type=float, default=2e-3)
    given = vars(parser.parse_args())
    cache = FaceCache(given.pop("cache"))
    folder, sets = given.pop("out"), given.pop("sets")
    rows = np.flatnonzero(np.isin(cache.source, sets))
    if not len(rows):
        raise UsageError(f"The cache holds no faces of {', '.join(sets)}.", hint="See --sets.")
    torch.set_num_threads(1)
    train(Pictures(cache, rows, sample_photographs()), folder, Settings(**given))


if __name__ == "__main__":
    main()
