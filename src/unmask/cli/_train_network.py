"""``unmask train`` for recipes that name a network."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._errors import EXIT_INTERRUPTED
from unmask.errors import MissingExtra, OutputRefused, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmask.train.network_recipe import NetworkRecipe
    from unmask.train.run import Progress
    from unmask.train.runs import RunResult

    Bar = Callable[[int, int], AbstractContextManager[Callable[[Progress], None]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """What the command line said.

    Attributes:
        recipe: The recipe.
        data: Folder that ``init`` is relative to.
        shards: Folder that the stores' paths are relative to.
        folder: Where the run lives.
        workers: Loader processes of each device.
        threads: Threads of PyTorch, or None.
        devices: Devices, or None: as the recipe says.
        resume: Go on from a checkpoint.
    """

    recipe: Path
    data: Path
    shards: Path
    folder: Path
    workers: int
    threads: int | None
    devices: int | None
    resume: bool


def run(call: Call, bar: Bar) -> int:
    """Train as the call says; returns the exit code.

    Raises:
        UnmaskError: The recipe, the stores, the run's folder or the machine do not allow it.
    """
    try:
        from unmask.train.network_recipe import read_network_recipe
        from unmask.train.runs import train_network
        from unmask.train.selection import open_stores
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Training (it uses {error.name})") from error
    plan = read_network_recipe(call.recipe)
    if call.devices is not None:
        compute = dataclasses.replace(plan.compute, devices=call.devices)
        plan = dataclasses.replace(plan, compute=compute)
    stores = open_stores([*plan.data.stores, *plan.adaptation.target], call.shards)
    # Fabric starts this same command once more for each further device; one process speaks.
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        with _lazily(bar) if first else nullcontext() as on_progress:
            result = train_network(
                plan, call.folder, stores=stores, on_progress=on_progress,
                data_root=call.data, workers=call.workers, threads=call.threads,
                fresh=not call.resume,
            )  # fmt: skip
    except OSError as error:
        raise OutputRefused(
            f"The run {call.folder} cannot be written: {error.strerror or error}.",
            hint="Free some space, then give the same call again.",
        ) from error
    if first:
        _say(call, plan, result)
    return 0 if result.finished else EXIT_INTERRUPTED


@contextmanager
def _lazily(bar: Bar) -> Iterator[Callable[[Progress], None]]:
    """A bar that is drawn from the first step on: only the run knows how many there are."""
    drawn: list[Any] = []

    def on_progress(now: Progress) -> None:
        if not drawn:
            drawn.append(bar(now.steps, now.step - 1))
            drawn.append(drawn[0].__enter__())
        drawn[1](now)

    try:
        yield on_progress
    finally:
        if drawn:
            drawn[0].__exit__(None, None, None)


def _say(call: Call, plan: NetworkRecipe, result: RunResult) -> None:
    if not result.finished:
        again = f"unmask train {call.recipe} --shards {call.shards} --run {call.folder}"
        click.echo(
            f"Stopped after step {result.step} of {result.steps}; saved in {result.folder}. "
            f"To go on:\n  {again}",
            err=True,
        )
        return
    early = f" (early, after step {result.step})" if result.stopped_early else ""
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in result.figures.items())
    click.echo(
        f"Done{early}. {plan.network}, weights of step {result.best_step}: "
        f"{numbers or 'nothing to validate with'}.",
        err=True,
    )


def refuse_preparing() -> UsageError:
    """The error for ``--prepare-only`` with such a recipe."""
    return UsageError(
        "--prepare-only was given with the recipe of a network, whose stores are ready made.",
        hint="Make them with 'unmask data prepare'.",
    )
