"""``unmask bench rounds``: train a detector where it is weakest, round after round."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli._errors import EXIT_INTERRUPTED, printable
from unmask.errors import MissingExtra


@click.command(short_help="Harden a detector on the forgeries that it misses.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")
@click.option("--shards", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of the face stores.  [default: runs/shards]")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder that 'init' is relative to.  [default: ../shared]")  # fmt: skip
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), metavar="DIR",
              help="Where everything goes.  [default: runs/NAME-OF-RECIPE]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), metavar="N",
              help="Threads of PyTorch.  [default: all]")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No messages.")
def command(
    recipe: Path,
    shards: Path | None,
    data: Path | None,
    folder: Path | None,
    *,
    threads: int | None,
    quiet: bool,
) -> int:
    """Search the settings of the forge for what the detector of RECIPE misses, and train on it.

    The search only reads scores; no gradient reaches a forgery and no picture is written. Each
    round is measured on families that were held out and on real faces. What is finished is not
    done again.
    """
    try:
        from unmask.bench.comparison.study_runs import Stores
        from unmask.bench.rounds.outputs import summary, write_rounds
        from unmask.bench.rounds.recipe import read_rounds
        from unmask.bench.rounds.study import run_rounds
        from unmask.bench.workplace import Workplace
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Hardening (it uses {error.name})") from error
    plan = read_rounds(recipe)
    out = folder or Path("runs") / recipe.stem
    place = Workplace(
        out=out,
        stores=Stores(shards or Path("runs") / "shards"),
        data=data or Path("../shared"),
        threads=threads,
        say=lambda line: None if quiet else click.echo(printable(line), err=True),
    )
    found = run_rounds(plan, place)
    write_rounds(found, plan, out)
    if not found.finished:
        click.echo("Stopped; the same call goes on.", err=True)
        return EXIT_INTERRUPTED
    if not quiet:
        for line in summary(found).splitlines():
            click.echo(printable(line))
        click.echo(f"Written to {out}", err=True)
    return 0
