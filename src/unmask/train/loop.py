"""The training loop: resumable, seeded, logged.

What a step does: one batch of pairs -> class loss + ranking inside each pair + maps -> AdamW
under bfloat16 autocast -> running average of the weights. A checkpoint holds everything that the
next step depends on, and batches depend on (seed, step) only, so a resumed run is the same run:
bit for bit, on the same machine with the same number of threads.
"""

from __future__ import annotations

import hashlib
import math
import pickle
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from unmask.detectors._unmask_base_network import UnmaskBaseNetwork
from unmask.errors import CorruptMedia, EnvironmentProblem
from unmask.train.facecache import FaceCache
from unmask.train.pairs import Batch, PairSampler
from unmask.train.recipe import Recipe

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did, for logs and progress bars.

    Attributes:
        step: Steps done, from 1.
        images_per_s: Rate over the last steps.
        losses: Value of each loss by name.
        rate: Learning rate of the backbone.
    """

    step: int
    images_per_s: float
    losses: dict[str, float]
    rate: float


class _Batches(Dataset[Batch]):
    """Batch number -> batch; any process can make any batch."""

    def __init__(self, sampler: PairSampler, recipe: Recipe) -> None:
        self._sampler, self._recipe = sampler, recipe

    def __len__(self) -> int:
        return self._recipe.steps

    def __getitem__(self, number: int) -> Batch:
        cv2.setNumThreads(0)
        return self._sampler.batch(number, self._recipe.phase_at(number).size)


class Trainer:
    """One run in one folder.

    Args:
        recipe: What to do.
        cache: The faces.
        rows: Rows of the cache that may be trained on.
        run: Folder for checkpoints.
        imagenet: ImageNet arrays for the backbone, or None.
        workers: Loader processes.
        half: Compute in bfloat16.
    """

    def __init__(
        self,
        recipe: Recipe,
        cache: FaceCache,
        rows: np.ndarray,
        run: Path,
        *,
        imagenet: dict[str, np.ndarray] | None = None,
        workers: int = 1,
        half: bool = True,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.run, self.half, self._workers = recipe, run, half, workers
        self.network = UnmaskBaseNetwork(frozen_blocks=recipe.phases[0].frozen_blocks)
        if imagenet is not None:
            self.network.load_imagenet(imagenet)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(_parameter_groups(self.network, recipe))
        self.step = 0
        self._stop_asked = False
        self._batches = _Batches(PairSampler(cache, rows, recipe.mixture, recipe.seed), recipe)
        run.mkdir(parents=True, exist_ok=True)

    def start_from(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take all weights from another run; the running average starts there, too.

        Raises:
            CorruptMedia: They are not those of this network.
        """
        state = {name: torch.from_numpy(array) for name, array in weights.items()}
        try:
            self.network.load_state_dict(state)
        except RuntimeError as error:
            raise CorruptMedia(
                f"The weights to start from do not fit the network: {str(error).splitlines()[0]}",
                hint="Give the file that belongs to this detector, or leave 'start' empty.",
            ) from error
        self.network.freeze(self.recipe.phases[0].frozen_blocks)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}

    def resume(self) -> bool:
        """Continue from the run's checkpoint; False when there is none.

        Raises:
            CorruptMedia: The checkpoint cannot be read or belongs to another recipe.
        """
        path = self.run / CHECKPOINT
        if not path.is_file():
            return False
        state = read_checkpoint(path)
        if state.get("recipe", self._recipe_digest()) != self._recipe_digest():
            raise _cannot_continue(path, "it was made by another recipe")
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _cannot_continue(path, error) from error
        self.average, self.step = state["average"], int(state["step"])
        # Also forgets the fused copy of the frozen blocks, which holds the weights of before.
        self.network.freeze(self.recipe.phase_at(max(0, self.step - 1)).frozen_blocks)
        torch.set_rng_state(state["rng"])
        return True

    def stop(self) -> None:
        """End :meth:`train` after the step it is in, with a checkpoint. For signal handlers."""
        self._stop_asked = True

    def save(self) -> None:
        """Write the checkpoint; a kill while writing leaves the last one whole."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "rng": torch.get_rng_state(),
            "recipe": self._recipe_digest(),
        }
        partial = self.run / f".{CHECKPOINT}"
        torch.save(state, partial)
        partial.replace(self.run / CHECKPOINT)

    def averaged_network(self) -> UnmaskBaseNetwork:
        """A copy of the network with the averaged weights, in evaluation mode."""
        with torch.random.fork_rng(devices=[]):  # looking must not change the run
            network = UnmaskBaseNetwork(frozen_blocks=0)
        network.load_state_dict(self.average)
        return network.eval()

    def train(
        self,
        *,
        on_step: Callable[[StepReport], None] | None = None,
        save_every: int = 200,
        stop_at: int | None = None,
    ) -> None:
        """Run to the end of the recipe (or to step ``stop_at``, or until :meth:`stop`).

        Args:
            on_step: Called after every step.
            save_every: Steps between checkpoints.
            stop_at: Step to end at; None: the end of the recipe.

        Raises:
            EnvironmentProblem: The loss is not a number; the last checkpoint is kept.
        """
        end = self.recipe.steps if stop_at is None else min(stop_at, self.recipe.steps)
        self._stop_asked = False
        clock = time.monotonic()
        rate = 0.0
        for batch in self._loader(end):
            phase = self.recipe.phase_at(self.step)
            if phase.frozen_blocks != self.network.frozen_blocks:
                self.network.freeze(phase.frozen_blocks)
            losses = self._one_step(batch)
            self.step += 1
            now = time.monotonic()
            speed = len(batch.images) / max(now - clock, 1e-6)
            rate = speed if rate == 0 else 0.95 * rate + 0.05 * speed
            clock = now
            if on_step is not None:
                learning = float(self.optimiser.param_groups[0]["lr"])
                on_step(StepReport(self.step, rate, losses, learning))
            if self.step % save_every == 0 or self.step == end or self._stop_asked:
                self.save()
            if self._stop_asked:
                return

    def _loader(self, end: int) -> Iterator[Batch]:
        numbers = range(self.step, end)
        loader = DataLoader(
            self._batches,
            batch_size=None,
            sampler=numbers,
            num_workers=self._workers,
            prefetch_factor=4 if self._workers else None,
            collate_fn=_as_is,
            worker_init_fn=_ignore_interrupts,
            # Not forked: OpenVINO's threads, which some forgeries need, do not survive a fork.
            multiprocessing_context="spawn" if self._workers else None,
            # Its own generator: a loader draws one number when it is started, and from the global
            # one a resumed run would get other dropout than an unbroken run.
            generator=torch.Generator().manual_seed(self.recipe.seed),
        )
        return iter(loader)

    def _one_step(self, batch: Batch) -> dict[str, float]:
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * learning_rate_factor(self.step, self.recipe)
        pixels = to_pixels(batch.images)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            logits, maps = self.network(pixels)
        losses = pair_losses(logits.float(), maps.float(), batch)
        weights = self.recipe.optimiser
        total = (
            losses["class"]
            + weights.rank_weight * losses["rank"]
            + weights.map_weight * (losses["mask"] + losses["seam"])
        )
        self._require_finite(total, "loss")
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self._require_finite(
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0), "norm of the gradient"
        )
        self.optimiser.step()
        self._update_average()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _require_finite(self, value: Tensor, name: str) -> None:
        if not torch.isfinite(value):
            raise EnvironmentProblem(
                f"The {name} became {float(value.detach())} at step {self.step}.",
                hint="Lower the learning rates; the last checkpoint is kept.",
            )

    def _recipe_digest(self) -> str:
        return hashlib.sha256(repr(self.recipe).encode()).hexdigest()

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.recipe.optimiser.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)


def pair_losses(logits: Tensor, maps: Tensor, batch: Batch) -> dict[str, Tensor]:
    """The four losses of a batch of pairs (even rows real, odd rows forged).

    Args:
        logits: (2 P,) class logits.
        maps: (2 P, 2, h, w) logits of mask and seam.
        batch: The batch they belong to.

    Returns:
        ``class``: binary cross-entropy; ``rank``: softplus of original minus forgery;
        ``mask``, ``seam``: binary cross-entropy of the maps (seam only where it is known).
    """
    target = torch.tensor([0.0, 1.0]).repeat(len(logits) // 2)
    mask = torch.from_numpy(batch.maps)
    known = torch.from_numpy(batch.seam_known).float()
    seam = nnf.binary_cross_entropy_with_logits(maps[:, 1], 4 * mask * (1 - mask), reduction="none")
    return {
        "class": nnf.binary_cross_entropy_with_logits(logits, target),
        "rank": nnf.softplus(logits[0::2] - logits[1::2]).mean(),
        "mask": nnf.binary_cross_entropy_with_logits(maps[:, 0], mask),
        "seam": (seam.mean((1, 2)) * known).sum() / known.sum().clamp(min=1),
    }


def to_pixels(images: np.ndarray) -> Tensor:
    """(B, S, S, 3) uint8 -> (B, 3, S, S) float32 in -1..1, channels last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Linear rise, then half a cosine down to 1 %."""
    warm = recipe.optimiser.warm_up_steps
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, recipe.steps - warm)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _parameter_groups(network: UnmaskBaseNetwork, recipe: Recipe) -> list[dict[str, Any]]:
    rates = recipe.optimiser
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        groups.setdefault((name.startswith("features."), parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": 0.0,
            "peak": rates.backbone_rate if is_backbone else rates.head_rate,
            "weight_decay": rates.weight_decay if is_matrix else 0.0,
        }
        for (is_backbone, is_matrix), parameters in groups.items()
    ]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint written by :meth:`Trainer.save`.

    Raises:
        CorruptMedia: It is not one, or cut short.
    """
    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise _cannot_continue(path, error) from error
    needed = {"network", "average", "optimiser", "step", "rng"}
    if not isinstance(state, dict) or not needed <= state.keys():
        raise _cannot_continue(path, "it is not a checkpoint of unmask train")
    return state


def _cannot_continue(path: Path, why: Exception | str) -> CorruptMedia:
    # PyTorch's explanations run over many lines, and that of an empty file is empty.
    reason = (str(why) or type(why).__name__).splitlines()[0].rstrip(".")
    return CorruptMedia(
        f"The checkpoint {path} cannot be used: {reason}.",
        hint="Use another --run folder, or --fresh to start again.",
    )


def _as_is(batch: Any) -> Any:
    return batch


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; only the parent must answer it."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
