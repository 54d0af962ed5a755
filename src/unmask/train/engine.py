"""The training engine: any network, resumable, seeded, on one device or several.

A step draws a batch, computes it in pieces (accumulation, devices), and moves the weights once.
Samples depend on (seed, step, place) and random numbers inside the network on (seed, step,
piece), so a checkpoint that holds weights, optimiser and step is enough to go on bit for bit, on
the same machine with the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import EnvironmentProblem
from unmask.train.averaging import WeightAverage
from unmask.train.pieces import Pieces
from unmask.train.sharpness_aware import at_the_worst_point_nearby
from unmask.train.step import Piece, TrainingStep

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from unmask.train.network_recipe import NetworkRecipe, Optimiser

_LAST_SHARE = 0.01  # of the peak rate, at the end of a cosine


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did.

    Attributes:
        step: Steps done, from 1.
        images_per_s: Rate over the last steps, over all devices.
        losses: Value of each loss by name, mean over pieces and devices.
        rate: Learning rate.
        is_last: Training ends after this step, because it was asked to.
    """

    step: int
    images_per_s: float
    losses: dict[str, float]
    rate: float
    is_last: bool = False


@dataclass(slots=True)
class _Clock:
    """Images a second, smoothed."""

    rate: float = 0.0
    before: float = field(default_factory=time.monotonic)

    def tick(self, images: int) -> float:
        now = time.monotonic()
        speed = images / max(now - self.before, 1e-6)
        self.rate = speed if self.rate == 0 else 0.95 * self.rate + 0.05 * speed
        self.before = now
        return self.rate

    def pause(self) -> None:
        self.before = time.monotonic()


class Engine:
    """Moves the weights of a network as a recipe says.

    Args:
        recipe: What to do.
        steps: Steps of the whole run.
        trained: Network and losses.
        pieces: Makes this device's pieces of batches.
        fabric: Device, precision and the other devices; launched.

    Attributes:
        step: Steps done.
        average: Running average of the network's weights, or None.
    """

    def __init__(
        self,
        recipe: NetworkRecipe,
        steps: int,
        trained: TrainingStep,
        pieces: Pieces,
        fabric: Fabric,
    ) -> None:
        self.recipe, self.steps, self.fabric, self._pieces = recipe, steps, fabric, pieces
        self.step = 0
        self._stop_asked = False
        self.trained = trained
        if all(parameter.ndim < 5 for parameter in trained.parameters()):
            trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = _optimiser(trained, recipe.optimiser)
        self._module, self.optimiser = fabric.setup(trained, optimiser)
        decay = recipe.optimiser.average_decay
        self.average = WeightAverage(trained.network, decay) if decay else None

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "trained": self.trained.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state if self.average else {},
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned.

        Raises:
            RuntimeError, KeyError, ValueError, TypeError: It is not the state of such a run.
        """
        self.trained.load_state_dict(state["trained"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            own = self.average.state
            if own.keys() != state["average"].keys():
                raise KeyError("the averaged weights are those of another network")
            for name, value in state["average"].items():
                own[name].copy_(value)
        self.step = int(state["step"])

    def stop(self) -> None:
        """End :meth:`run` after the step it is in. For signal handlers."""
        self._stop_asked = True

    def run(self, *, workers: int) -> Iterator[StepReport]:
        """Train to the end (or until :meth:`stop`), step by step.

        Args:
            workers: Loader processes of each device.

        Raises:
            EnvironmentProblem: The loss is not a number; the weights of before are spoilt.
        """
        self._stop_asked = False
        pin = self.fabric.device.type == "cuda"
        stream = self._pieces.ahead(self.step, self.steps, workers=workers, pin=pin)
        clock = _Clock()
        while self.step < self.steps:
            batch = [next(stream) for _ in range(self._pieces.accumulate)]
            losses, stopped = self._agreed(self._one_step(batch))
            self.step += 1
            rate = clock.tick(self.recipe.batch)
            learning = float(self.optimiser.param_groups[0]["lr"])
            yield StepReport(self.step, rate, losses, learning, stopped)
            clock.pause()
            if stopped:
                return

    def _one_step(self, batch: list[Piece]) -> dict[str, float]:
        self.trained.train()
        settings = self.recipe.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate * rate_factor(self.step, self.steps, settings)
        batch = [piece.to(self.fabric.device) for piece in batch]
        self.optimiser.zero_grad(set_to_none=True)
        losses = self._backward(batch)
        if settings.sam_rho:
            with at_the_worst_point_nearby(self.trained, settings.sam_rho):
                self._backward(batch)
        longest = settings.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.trained.parameters(), longest)
        self._require_finite(norm, losses)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.trained.network, self.step + 1)
        return losses

    def _backward(self, batch: list[Piece]) -> dict[str, float]:
        """Add up the gradients of a batch's pieces; returns the mean losses."""
        sums: dict[str, float] = {}
        progress = self.step / self.steps
        for number, piece in enumerate(batch):
            self._seed(number)
            last = number == len(batch) - 1
            with self.fabric.no_backward_sync(self._module, enabled=not last):
                losses: dict[str, Tensor] = self._module(piece, progress)
                total = torch.stack(list(losses.values())).sum() / len(batch)
                self.fabric.backward(total)
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / len(batch)
        return sums

    def _seed(self, piece: int) -> None:
        """Dropout and the like depend on where a run stands, not on how it came there."""
        where = (self.recipe.seed, self.step, piece, self.fabric.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(where).generate_state(1, np.uint64)[0]))

    def _require_finite(self, norm: Tensor, losses: dict[str, float]) -> None:
        # Gradients are those of all devices, so all devices come to the same answer.
        if not torch.isfinite(norm):
            said = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
            raise EnvironmentProblem(
                f"The gradient became {float(norm)} at step {self.step + 1} (losses: {said}).",
                hint="Lower optimiser.rate, or set compute.precision to 32-true; the last "
                "checkpoint is kept.",
            )

    def _agreed(self, losses: dict[str, float]) -> tuple[dict[str, float], bool]:
        """Mean losses over the devices, and whether any of them was asked to stop."""
        if self.fabric.world_size == 1:
            return losses, self._stop_asked
        mine = torch.tensor([*losses.values(), float(self._stop_asked)], device=self.fabric.device)
        reduced: Any = self.fabric.all_reduce(mine, reduce_op="mean")
        mean = reduced.tolist()
        return dict(zip(losses, mean[:-1], strict=True)), mean[-1] > 0


def rate_factor(step: int, steps: int, optimiser: Optimiser) -> float:
    """Share of the peak rate at step ``step`` (from 0): linear rise, then the schedule."""
    warm = min(optimiser.warm_up_steps, steps)
    if step < warm:
        return (step + 1) / warm
    if optimiser.schedule == "constant":
        return 1.0
    progress = (step - warm) / max(1, steps - warm)
    return _LAST_SHARE + (1 - _LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def _optimiser(module: nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in module.parameters():
        if parameter.requires_grad:
            (matrices if parameter.ndim > 1 else others).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        # Biases and scales of norms: shrinking them only shifts what others must undo.
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, lr=settings.rate, momentum=settings.momentum)
    return torch.optim.AdamW(groups, lr=settings.rate)


def plain_failure(error: Exception, recipe: NetworkRecipe, size: int) -> Exception:
    """The error a user can act on, where a foreign one has a plain cause; else the same."""
    said = str(error)
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in said for words in ("can't allocate memory", "not enough memory"))
    )
    if out_of_memory:
        return EnvironmentProblem(
            f"The memory was not enough for {recipe.batch} crops of {size} px a step in "
            f"{recipe.compute.accumulate * recipe.compute.devices} pieces.",
            hint="Raise compute.accumulate (same result, less memory), or lower batch or "
            "input_px; the last checkpoint is kept.",
        )
    if isinstance(error, RuntimeError) and "DataLoader worker" in said and "killed" in said:
        return EnvironmentProblem(
            "A process that makes batches was killed, most often because memory ran out.",
            hint="Use fewer --workers; the last checkpoint is kept.",
        )
    return error
