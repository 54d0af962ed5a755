"""``unmask forge train``: from faces to a trained generator."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli._errors import EXIT_INTERRUPTED, printable
from unmask.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unmask.forge.recipe import ForgeRecipe
    from unmask.forge.training import GeneratorRun, Schedule
    from unmask.generators.material import Material

_LEFT_OUT_SHOWN = 3


@click.command(short_help="Train a generator; resumable, with a preview sheet.")
@click.argument("what", metavar="METHOD|RECIPE.toml")
@click.option("--faces", multiple=True, metavar="PATH",
              help="Film, pictures, or a folder of forge extract; may be repeated.")  # fmt: skip
@click.option("--other", multiple=True, metavar="PATH",
              help="The same for the second person, where the method wants two.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of a recipe's paths.  [default: ../shared/data]")  # fmt: skip
@click.option("--run", "folder", type=click.Path(path_type=Path), metavar="DIR",
              help="Where the run lives.  [default: runs/forge-METHOD]")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Length of the run.")
@click.option("--size", "size_px", type=click.IntRange(16), help="Side of the face in pixels.")
@click.option("--seed", type=int, help="Seed of weights and batches.")
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch.  [default: all]")
@click.option("--consent", metavar="TEXT",
              help="Who agreed to what; swaps, animation and lip-sync need it.")  # fmt: skip
@click.option("--resume/--fresh", "resume", default=True, show_default=True,
              help="Go on from the run's checkpoint, or start again.")  # fmt: skip
def command(  # noqa: PLR0913 - one parameter an option
    what: str,
    faces: tuple[str, ...],
    other: tuple[str, ...],
    data: Path | None,
    folder: Path | None,
    *,
    steps: int | None,
    size_px: int | None,
    seed: int | None,
    threads: int | None,
    consent: str | None,
    resume: bool,
) -> int:
    """Train the generator METHOD, or what a recipe says.

    A preview sheet is written while it trains, with its labels. Ctrl-C saves; the same call goes
    on from there. The weights that do best on held-out faces are kept.
    """
    try:
        from unmask.forge.run_record import checked_consent, record_of
        from unmask.forge.training import GeneratorRun, Schedule, use_threads
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", f"Forging (it uses {error.name})") from error
    recipe, root = _recipe(what, faces, other, data)
    recipe = replace(
        recipe,
        steps=recipe.steps if steps is None else steps,
        seed=recipe.seed if seed is None else seed,
    )
    if size_px is not None:
        recipe = replace(recipe, config={**recipe.config, "size_px": size_px})
    checked_consent(recipe.generator().spec, consent)  # before any work is done
    if threads is not None:
        use_threads(threads)
    material = _gathered(recipe, root)
    config = recipe.generator_config()
    record = record_of(recipe.generator().spec, config, material, seed=recipe.seed, consent=consent)
    folder = folder or Path("runs") / f"forge-{recipe.method}"
    run = GeneratorRun(record, config, material, folder, fresh=not resume)
    schedule = Schedule(
        recipe.steps,
        evaluate_every=recipe.evaluate_every,
        preview_every=recipe.preview_every,
        rate_falls_over=recipe.rate_falls_over,
    )
    finished = _train(run, schedule)
    if run.preview_problem:
        click.echo(f"The last preview was not written. {run.preview_problem}", err=True)
    spec = run.generator.spec
    best = run.best.get(spec.selected_by)
    figure = f"; best held-out {spec.selected_by} {best:.4g}" if best is not None else ""
    if not finished:
        click.echo(f"Stopped after step {run.step}{figure}. The same call goes on.", err=True)
        return EXIT_INTERRUPTED
    click.echo(f"{folder}: {run.step} steps{figure}; look at {folder / 'preview.jpg'}", err=True)
    click.echo(str(folder))
    return 0


def _recipe(
    what: str, faces: tuple[str, ...], other: tuple[str, ...], data: Path | None
) -> tuple[ForgeRecipe, Path]:
    from unmask.forge.recipe import ForgeRecipe, MaterialRecipe, read_recipe

    if what.endswith(".toml"):
        recipe, root = read_recipe(Path(what)), data or Path("../shared/data")
        if not faces and not other:
            return recipe, root
        material = replace(recipe.material, faces=faces or recipe.material.faces,
                           other=other or recipe.material.other)  # fmt: skip
        return replace(recipe, material=material), data or Path()
    recipe = ForgeRecipe(method=what, material=MaterialRecipe(faces, other))
    recipe.generator()
    if not faces:
        raise UsageError(
            "No faces to train on came.",
            hint="Give them with --faces (and --other), or name a recipe.",
        )
    return recipe, data or Path()


def _gathered(recipe: ForgeRecipe, root: Path) -> Material:
    from unmask.cli.scan import download_bar
    from unmask.cli.train import bar_on_stderr
    from unmask.faces import assets
    from unmask.forge.recipe import gather

    with download_bar(quiet=False) as progress:
        assets.ensure(progress=progress)
    with bar_on_stderr("reading faces", 0) as (bar, task):
        read = itertools.count(1)

        def on_source(name: str) -> None:
            # How many there will be is not known before a folder was walked through.
            bar.update(task, total=None, note=f"{next(read)}: {printable(name)}")

        left_out: list[str] = []

        def on_left_out(name: str, reason: str) -> None:
            left_out.append(f"{name}: {reason}")

        material = gather(recipe, root, on_source=on_source, on_left_out=on_left_out)
    for line in left_out[:_LEFT_OUT_SHOWN]:
        click.echo(printable(f"left out: {line}"), err=True)
    if len(left_out) > _LEFT_OUT_SHOWN:
        click.echo(f"left out: {len(left_out) - _LEFT_OUT_SHOWN} more", err=True)
    return material


def _train(run: GeneratorRun, schedule: Schedule) -> bool:
    from unmask.cli.train import training_bar

    with training_bar(schedule.steps, run.step) as on_progress:
        return run.train(schedule, on_progress)
