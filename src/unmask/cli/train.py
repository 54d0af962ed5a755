"""``unmask train``: from a recipe to trained weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli import _train_network
from unmask.cli._errors import EXIT_INTERRUPTED, printable
from unmask.errors import MissingExtra, OutputRefused

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from unmask.train.facecache import FaceCache
    from unmask.train.recipe import Recipe
    from unmask.train.run import Progress, Run

DEFAULT_CACHE = Path("runs") / "cache"
DEFAULT_SHARDS = Path("runs") / "shards"
_LINE_EVERY = 100  # steps between lines where there is no terminal to draw a bar on


@click.command(short_help="Train a detector from a recipe.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared"),
              show_default=True, metavar="DIR",
              help="Folder that the recipe's paths are relative to.")  # fmt: skip
@click.option("--run", "folder", type=click.Path(path_type=Path), metavar="DIR",
              help="Where the run lives.  [default: runs/NAME-OF-RECIPE]")  # fmt: skip
@click.option("--cache", type=click.Path(path_type=Path), default=DEFAULT_CACHE,
              show_default=True, metavar="DIR",
              help="Where the faces are kept, once they were found.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True,
              help="Processes that find faces and make batches.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch.  [default: all]")
@click.option("--resume/--fresh", "resume", default=True, show_default=True,
              help="Go on from the run's checkpoint, or start again.")  # fmt: skip
@click.option("--prepare-only", is_flag=True, help="Make the face cache and stop.")
@click.option("--shards", type=click.Path(path_type=Path), default=DEFAULT_SHARDS,
              show_default=True, metavar="DIR",
              help="Networks: folder that holds the stores of the recipe.")  # fmt: skip
@click.option("--devices", type=click.IntRange(1), metavar="N",
              help="Networks: devices for each batch.  [default: the recipe's]")  # fmt: skip
def command(  # noqa: PLR0913 - one parameter an option
    recipe: Path,
    data: Path,
    folder: Path | None,
    cache: Path,
    workers: int,
    *,
    threads: int | None,
    resume: bool,
    prepare_only: bool,
    shards: Path,
    devices: int | None,
) -> int:
    """Train a detector as the TOML file RECIPE says.

    A recipe with the key 'detector' names data sets: their faces are found once and kept. One with
    the key 'network' names stores that 'unmask data prepare' made. Either way it trains, evaluates
    on originals that were held out, and saves a checkpoint every 200 steps. Ctrl-C saves one, too;
    the same call goes on from there.
    """
    from unmask.train.network_recipe import is_network_recipe
    from unmask.train.recipe import read_recipe

    folder = folder or Path("runs") / recipe.stem
    if is_network_recipe(recipe):
        if prepare_only:
            raise _train_network.refuse_preparing()
        call = _train_network.Call(
            recipe, data, shards, folder, workers, threads, devices, resume=resume
        )
        return _train_network.run(call, training_bar)
    plan = read_recipe(recipe)
    faces = prepared(plan, data, cache, workers)
    if prepare_only:
        click.echo(str(cache))
        return 0
    start = recipe.parent / plan.start if plan.start else None
    run = _start(
        plan, faces, folder, data=data, start=start, workers=workers, threads=threads, resume=resume
    )
    trained, held = run.counts
    where = f"from step {run.trainer.step}" if run.resumed else "from the start"
    click.echo(f"{trained} faces to train on, {held} held out; {where}.", err=True)
    try:
        with training_bar(plan.steps, run.trainer.step) as on_progress:
            finished = run.train(on_progress)
    except OSError as error:
        raise OutputRefused(
            f"The run {folder} cannot be written: {error.strerror or error}.",
            hint="Free some space, then give the same call again.",
        ) from error
    if not finished:
        click.echo(
            f"Stopped after step {run.trainer.step}; saved in {folder}. To go on:\n"
            f"  unmask train {recipe} --data {data} --run {folder} --cache {cache}",
            err=True,
        )
        return EXIT_INTERRUPTED
    click.echo(
        f"Done. Next: unmask export --run {folder} --out {folder / 'unmask-base.onnx'}", err=True
    )
    return 0


def prepared(plan: Recipe, data: Path, cache: Path, workers: int) -> FaceCache:
    """The face cache of a recipe, made with a progress bar where it is not there yet."""
    from unmask.cli.scan import download_bar
    from unmask.faces import assets
    from unmask.train.prepare import items_of, prepare

    items = items_of(plan.data, data)
    with download_bar(quiet=False) as progress:
        assets.ensure(progress=progress)
    with bar_on_stderr("finding faces", len(items)) as (bar, task):

        def on_progress(done: int, total: int, complaints: Sequence[str]) -> None:
            for complaint in complaints:
                bar.console.print(printable(f"left out: {complaint}"), markup=False)
            speed = bar.tasks[task].finished_speed or bar.tasks[task].speed or 0.0
            bar.update(task, completed=done, total=total, note=f"{speed:.0f} pictures/s")

        return prepare(items, cache, workers=max(1, workers), on_progress=on_progress)


def _start(
    plan: Recipe, faces: FaceCache, folder: Path, *, data: Path, resume: bool, **options: Any
) -> Run:
    try:
        from unmask.train.run import Run, keep_freed_memory
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Training (it uses {error.name})") from error
    keep_freed_memory()
    imagenet = data / plan.imagenet if plan.imagenet else None
    try:
        return Run(plan, faces, folder, imagenet=imagenet, fresh=not resume, **options)
    except OSError as error:
        raise OutputRefused(
            f"The run {folder} cannot be written: {error.strerror or error}.",
            hint="Choose another folder with --run.",
        ) from error


@contextmanager
def training_bar(steps: int, done: int) -> Iterator[Callable[[Progress], None]]:
    """A progress bar of steps with the losses beside it, on stderr."""
    with bar_on_stderr("training", steps, done) as (bar, task):

        def on_progress(now: Progress) -> None:
            losses = " ".join(f"{name} {value:.3f}" for name, value in now.losses.items())
            rate = f"{now.images_per_s:.1f} images/s  " if now.images_per_s else ""
            note = f"{rate}{losses}"
            bar.update(task, completed=now.step, note=note)
            if not bar.console.is_terminal and now.step % _LINE_EVERY == 0:
                left = bar.tasks[task].time_remaining or 0.0
                line = f"step {now.step} of {now.steps}: {note}, {left / 60:.0f} min left"
                bar.console.print(line, markup=False, soft_wrap=True)
            if now.evaluation:
                numbers = ", ".join(f"{k} {v:.4f}" for k, v in now.evaluation.items())
                bar.console.print(
                    f"step {now.step}: held out: {numbers}", markup=False, soft_wrap=True
                )

        yield on_progress


@contextmanager
def bar_on_stderr(title: str, total: int, done: int = 0) -> Iterator[tuple[Bar, Any]]:
    """A progress bar with the time left, on stderr; its tasks have a field ``note``."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        # Without an estimate over minutes a slow evaluation throws the time left about.
        speed_estimate_period=300,
    )
    with bar:
        yield bar, bar.add_task(title, total=total, completed=done, note="")
