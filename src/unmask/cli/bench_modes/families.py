"""``unmask bench families``: which families of forgeries a detector sees."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli._errors import printable
from unmask.errors import MissingExtra


@click.command(short_help="Score a detector on every family of forgeries.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")
@click.option("--shards", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of the face stores.  [default: runs/shards]")  # fmt: skip
@click.option("--run", "runs", multiple=True, metavar="DIR",
              help="A trained generator as a family of its own; may be repeated.")  # fmt: skip
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
    runs: tuple[str, ...],
    data: Path | None,
    folder: Path | None,
    *,
    threads: int | None,
    quiet: bool,
) -> None:
    """Forge real faces by every family that RECIPE names and score the detector on each.

    With a table left_out it also trains a small network with all families and without each of
    them. What is finished is not done again.
    """
    try:
        from unmask.bench.comparison.study_runs import Stores
        from unmask.bench.families.outputs import summary, write_families
        from unmask.bench.families.recipe import read_families
        from unmask.bench.families.study import run_families
        from unmask.bench.workplace import Workplace
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Comparing detectors (it uses {error.name})") from error
    plan = read_families(recipe).with_runs(runs)
    out = folder or Path("runs") / recipe.stem
    place = Workplace(
        out=out,
        stores=Stores(shards or Path("runs") / "shards"),
        data=data or Path("../shared"),
        threads=threads,
        say=lambda line: None if quiet else click.echo(printable(line), err=True),
    )
    found = run_families(plan, place)
    write_families(found, plan, out)
    if not quiet:
        for line in summary(found).splitlines():
            click.echo(printable(line))
        click.echo(f"Written to {out}", err=True)
