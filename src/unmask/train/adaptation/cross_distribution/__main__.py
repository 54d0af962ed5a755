"""``python -m unmask.train.adaptation.cross_distribution RECIPE``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import cv2
import torch

from unmask.errors import UnmaskError
from unmask.train.adaptation.cross_distribution.recipe import read_study
from unmask.train.adaptation.cross_distribution.results import as_markdown
from unmask.train.adaptation.cross_distribution.study import run_study


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared"),
              show_default=True, help="Folder that 'init' is relative to.")  # fmt: skip
@click.option("--shards", type=click.Path(path_type=Path), default=Path("shards"),
              show_default=True, help="Folder that the stores are relative to.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path),
              default=Path("cross-distribution"), show_default=True,
              help="Where tables, features and what was computed before lie.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True,
              help="Threads of PyTorch.")  # fmt: skip
def main(recipe: Path, data: Path, shards: Path, output: Path, threads: int) -> None:
    """Compare a preliminary network with the same network, adapted, as RECIPE says."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        study = read_study(recipe)
        rows = run_study(
            study, output, data=data, shards=shards,
            on_progress=lambda said: click.echo(said, err=True),
        )  # fmt: skip
    except UnmaskError as error:
        click.echo(f"Error: {error.message}\n{error.hint}", err=True)
        sys.exit(2)
    click.echo(as_markdown(rows, study.few))


if __name__ == "__main__":
    main()
