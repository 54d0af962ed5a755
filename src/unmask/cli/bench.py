"""``unmask bench``: measure accuracy, speed and memory, and write the page of measurements."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.errors import MissingExtra

if TYPE_CHECKING:
    from unmask.bench.samples import Sample

_DATA = Path("../shared/data")
_PAGE = Path("docs/benchmarks.md")


@click.command(short_help="Measure accuracy, speed and memory.")
@click.option("--data", type=click.Path(path_type=Path), default=_DATA, show_default=True,
              metavar="DIR", help="Folder of the data sets.")  # fmt: skip
@click.option("--only", type=click.Choice(["accuracy", "speed"]),
              help="Measure one of the two; the other stays on the page as it was.")  # fmt: skip
@click.option("--unseen", is_flag=True,
              help="Also look at clips/unseen_dev (seldom: never tune by it).")  # fmt: skip
@click.option("--portraits", type=click.Path(path_type=Path), metavar="LIST",
              help="Also count false alarms on the portraits that this file lists.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), default=_PAGE, show_default=True,
              metavar="PAGE", help="Markdown page; tables and figure go beside it.")  # fmt: skip
@click.option("--json", type=click.Path(path_type=Path), metavar="FILE",
              help="Also write all results as JSON.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("-q", "--quiet", is_flag=True, help="No messages and no progress bars.")
def command(**asked: Any) -> int:
    """Measure what is promised, through the whole of scan, and write it down.

    Accuracy needs the study data; speed makes its own films. A full run takes some ten minutes
    on two cores: let nothing else run beside it.
    """
    _need("matplotlib", "skimage")
    from unmask.bench.processes import unmask_program
    from unmask.bench.run import Options, run_bench
    from unmask.cli.scan import download_bar
    from unmask.scanning.scanner import Scanner

    options = Options(
        data=asked["data"],
        page=asked["output"],
        only=asked["only"],
        unseen=asked["unseen"],
        portraits=asked["portraits"],
        json=asked["json"],
        command=_call(asked),
    )
    options.data_sets()  # a call that contradicts itself is refused before models are loaded
    program = unmask_program() if options.only != "accuracy" else []
    with download_bar(quiet=asked["quiet"]) as progress:
        scanner = Scanner(offline=True if asked["offline"] else None, progress=progress)
    quiet = asked["quiet"]
    results = run_bench(
        options,
        scanner,
        program,
        track=_silent if quiet or not sys.stderr.isatty() else _bar,
        say=lambda line: None if quiet else click.echo(f"measuring: {line}", err=True),
    )
    if not quiet:
        _tell(results.sections, options.page)
    return 0


def _tell(sections: Any, page: Path) -> None:
    from unmask.bench.goals import GOALS, measured
    from unmask.bench.page import printed

    words = {True: "yes", False: "NO", None: "-"}
    for goal in GOALS:
        row = measured(goal, sections)
        if row is not None:
            click.echo(f"{words[goal.reached(row)]:>3}  {goal.text}: {printed(row)}")
    click.echo(f"Written to {page}", err=True)


def _call(asked: dict[str, Any]) -> str:
    """The call as it goes onto the page: folders of this machine are nobody's business."""
    words = ["unmask", "bench"]
    if asked["data"] != _DATA:
        words += ["--data", "DIR"]
    if asked["only"]:
        words += ["--only", asked["only"]]
    if asked["unseen"]:
        words.append("--unseen")
    if asked["portraits"] is not None:
        words += ["--portraits", asked["portraits"].name]
    return " ".join(words)


def _need(*modules: str) -> None:
    if any(importlib.util.find_spec(name) is None for name in modules):
        raise MissingExtra.named("demo", "The bench")


def _silent(_: str, samples: Sequence[Sample]) -> Iterable[Sample]:
    return samples


def _bar(title: str, samples: Sequence[Sample]) -> Iterator[Sample]:
    from rich.console import Console
    from rich.progress import track

    yield from track(samples, title.partition(":")[0], console=Console(stderr=True), transient=True)
