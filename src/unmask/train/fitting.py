"""Networks whose classifier is fitted at once: features are collected, then ``fit`` is called."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unmask.train import run_files
from unmask.train.run import Progress
from unmask.train.run_files import CHECKPOINT
from unmask.train.scoring import normalised

if TYPE_CHECKING:
    from unmask.networks.base import DetectorNetwork
    from unmask.train.pieces import Pieces

_SAVE_EVERY_S = 30.0


def collect_and_fit(
    network: DetectorNetwork,
    pieces: Pieces,
    folder: Path,
    *,
    steps: int,
    digest: str,
    workers: int,
    device: torch.device,
    on_progress: Callable[[Progress], None],
) -> None:
    """Collect features of ``steps`` batches and fit the classifier to them.

    What was collected is kept twice a minute, so that a run that was killed goes on there.

    Args:
        network: What is fitted; in evaluation mode afterwards.
        pieces: Makes batches.
        folder: The run's folder.
        steps: Batches to collect.
        digest: Of the recipe and the faces; features of others are not taken up.
        workers: Loader processes.
        device: Where features are computed.
        on_progress: Called after every batch.

    Raises:
        CorruptMedia: What was collected before is damaged, or belongs to another recipe.
        UsageError: The network refuses the features (one class only, not finite).
    """
    path = folder / CHECKPOINT
    features, labels, step = _collected_before(path, digest)
    network.to(device).eval()
    saved = time.monotonic()
    stream = pieces.ahead(step, steps, workers=workers, pin=device.type == "cuda")
    for number, piece in enumerate(stream, start=step * pieces.accumulate + 1):
        began = time.monotonic()
        with torch.inference_mode():
            pixels = normalised(piece.images.to(device), network.spec)
            features.append(network(pixels).features.float().cpu())
        labels.append(piece.y_true.clone())
        if number % pieces.accumulate:
            continue
        step = number // pieces.accumulate
        rate = len(piece.images) / max(time.monotonic() - began, 1e-6)
        if step == steps or time.monotonic() - saved > _SAVE_EVERY_S:
            _keep(path, features, labels, step, digest)
            saved = time.monotonic()
        on_progress(Progress(step, steps, rate, {}))
    network.cpu().fit(torch.cat(features).clone(), torch.cat(labels))


def _collected_before(path: Path, digest: str) -> tuple[list[Tensor], list[Tensor], int]:
    if not path.is_file():
        return [], [], 0
    state = run_files.load(path, {"features", "y_true", "step", "digest"})
    if state["digest"] != digest:
        raise run_files.cannot_use(path, "it was made by another recipe, or from other faces")
    return [state["features"]], [state["y_true"]], int(state["step"])


def _keep(path: Path, features: list[Tensor], labels: list[Tensor], step: int, digest: str) -> None:
    state = {
        "features": torch.cat(features),
        "y_true": torch.cat(labels),
        "step": step,
        "digest": digest,
    }
    run_files.save(path, state)
