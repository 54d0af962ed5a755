"""``unmask data``: which data sets are known, whether one is whole, and making faces of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._errors import printable
from unmask.errors import UsageError

if TYPE_CHECKING:
    from unmask.datasets.compress import Made
    from unmask.datasets.faces_of import Loss
    from unmask.datasets.prepare import OpenSet, Prepared, Progress

_SOMETHING_WRONG = 3
_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text",
                       show_default=True, help="Text for people, or JSON.")  # fmt: skip
_OPTION = click.option("--option", "options", multiple=True, metavar="NAME=VALUE",
                       help="An option of the set itself, such as compression=c40.")  # fmt: skip
_WORKERS = click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True,
                        help="Processes that share the work.")  # fmt: skip
_ROOT = click.argument("root", type=click.Path(path_type=Path), metavar="ROOT")


@click.group(name="data", help="List, check and prepare data sets; make compressed copies.")
def command() -> None:
    """Group of the five subcommands."""


@command.command("list")
@_FORMAT
def list_(form: str) -> None:
    """List the data sets whose official layout can be read.

    A table for people; tab-separated lines when the output goes into a pipe.
    """
    from unmask.datasets import DATASETS

    specs = [data_set.spec for data_set in DATASETS]
    if form == "json":
        rows = [{**asdict(spec), "counts": dict(spec.counts)} for spec in specs]
        click.echo(json.dumps(rows, indent=2))
        return
    _print_rows(
        ("id", "media", "splits", "licence", "title"),
        [(s.id, s.media, " ".join(s.splits) or "-", s.licence, s.title) for s in specs],
    )


@command.command("check")
@click.argument("set_id", metavar="SET")
@_ROOT
@_OPTION
@_FORMAT
def check_(set_id: str, root: Path, options: Sequence[str], form: str) -> int:
    """Compare the data set SET, unpacked at ROOT, with its own lists and published counts.

    Nothing is decoded. The exit code is 3 where something is wrong or differs.
    """
    from unmask.datasets.check import check

    findings = check(_opened(set_id, root, options).reader)
    if form == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(printable(str(finding)))
    wrong = sum(finding.severity != "note" for finding in findings)
    click.echo(f"{set_id}: {wrong} things to look at." if wrong else f"{set_id}: whole.", err=True)
    return _SOMETHING_WRONG if wrong else 0


@command.command("prepare")
@click.argument("set_id", metavar="SET")
@_ROOT
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              metavar="DIR", help="Folder for the shards and their manifest.")  # fmt: skip
@click.option("--split", "splits", multiple=True, metavar="NAME",
              help="Take this official split only; may be given several times.")  # fmt: skip
@click.option("--frames", type=int, default=32, show_default=True,
              help="Frames of a film, spread evenly.")  # fmt: skip
@click.option("--burst", type=int, default=1, show_default=True,
              help="Take them in runs of so many consecutive frames, for clips.")  # fmt: skip
@click.option("--people", type=int, default=1, show_default=True,
              help="People of a film that are kept.")  # fmt: skip
@click.option("--margin", type=float, default=1.8, show_default=True,
              help="Side of the stored square over that of the face.")  # fmt: skip
@click.option("--max-side", type=int, default=320, show_default=True, metavar="PX",
              help="Larger squares are reduced to this side.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N",
              help="At most N films and pictures, with everything made from one original kept "
              "together. A larger limit goes on from there.")  # fmt: skip
@_OPTION
@_WORKERS
@click.option("-q", "--quiet", is_flag=True, help="No progress bar; only what is left out.")
def prepare_(set_id: str, root: Path, folder: Path, *, options: Sequence[str], **given: Any) -> int:
    """Find the faces of the data set SET at ROOT once, and store them in shards.

    The shards are plain WebDataset tars of lossless PNGs with masks, landmarks and facts; the
    manifest beside them is a Parquet table. After a stop or a kill the same call goes on. What
    cannot be used is named, listed in left_out.csv, and makes the exit code 3.
    """
    from unmask.cli.scan import download_bar
    from unmask.datasets.prepare import prepare
    from unmask.datasets.preprocessing import Preprocessing
    from unmask.faces import assets

    how = Preprocessing(
        frames=given["frames"],
        burst=given["burst"],
        margin=given["margin"],
        max_side_px=given["max_side"],
        people=given["people"],
    )
    data_set = _opened(set_id, root, options)
    with download_bar(quiet=given["quiet"]) as progress:
        assets.ensure(progress=progress)
    with _faces_bar(quiet=given["quiet"]) as on_progress:
        made = prepare(
            data_set,
            folder,
            how,
            splits=given["splits"],
            limit=given["limit"],
            workers=given["workers"],
            on_progress=on_progress,
        )
    click.echo(_summary(made), err=True)
    click.echo(str(folder))
    return _SOMETHING_WRONG if any(map(_is_wrong, made.losses)) else 0


@command.command("show")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@_FORMAT
def show(folder: Path, form: str) -> None:
    """Say what a folder of shards holds: how it was made, and how many faces of what."""
    from unmask.datasets.shards_summary import summarise

    summary = summarise(folder)
    if form == "json":
        click.echo(json.dumps(summary, indent=2))
        return
    for name in ("data_set", "options", "splits", "preprocessing_hash", "tool", "items",
                 "left_out", "faces", "shards", "bytes"):  # fmt: skip
        click.echo(f"{name.replace('_', ' ')}: {printable(_shown(summary[name]))}")
    click.echo("", err=True)
    names = ("split", "label", "method", "compression", "faces", "videos", "sources")
    _print_rows(names, [tuple(row[name] for name in names) for row in summary["counts"]])


@command.command("compress")
@_ROOT
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              metavar="DIR", help="Folder for the compressed films.")  # fmt: skip
@click.option("--crf", "crfs", type=click.IntRange(1, 51), multiple=True, default=(23,),
              show_default=True, help="x264's rate factor: 23 makes c23, 40 makes c40; may be "
              "given several times.")  # fmt: skip
@_WORKERS
@click.option("-q", "--quiet", is_flag=True, help="No progress bar; only what failed.")
def compress_(root: Path, folder: Path, crfs: Sequence[int], workers: int, *, quiet: bool) -> int:
    """Make compressed copies (c23, c40) of the raw films below ROOT.

    Folders called raw or c0 become c23, as FaceForensics++ has them; else everything goes below
    a folder c23. Sound is left out. Films that are there already are not made again.
    """
    from unmask.datasets.compress import compress, jobs_of

    jobs = jobs_of(root, folder, crfs)
    with _bar("compressing", quiet=quiet) as (say, update):

        def on_progress(done: int, total: int, made: Made | None) -> None:
            if made and made.error:
                say(f"failed: {made.job.name}: {made.error.message}")
            update(done, total, "")

        made = compress(jobs, folder, workers=workers, on_progress=on_progress)
    failed = sum(one.error is not None for one in made)
    before, after = (sum(getattr(m, n) for m in made) for n in ("source_bytes", "target_bytes"))
    click.echo(
        f"{len(made) - failed} films made ({before / 1e6:.0f} MB became {after / 1e6:.0f} MB), "
        f"{len(jobs) - len(made)} were there, {failed} failed.",
        err=True,
    )
    click.echo(str(folder))
    return _SOMETHING_WRONG if failed else 0


def _opened(set_id: str, root: Path, options: Sequence[str]) -> OpenSet:
    """The set at ``root``, with the options of the call.

    Raises:
        UsageError: An option is not of the form NAME=VALUE, or unknown to the set.
        UnknownEntry: There is no such set.
        NotFound: A file that the layout needs is not there.
    """
    from unmask.datasets import DATASETS
    from unmask.datasets.prepare import OpenSet

    given: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise UsageError(
                f"--option {option!r} is not of the form NAME=VALUE.",
                hint="For example: --option compression=c23",
            )
        given[name] = value
    reader = DATASETS.get(set_id)(root, **given)
    # A reader that knows its defaults tells them, so that naming one changes nothing.
    return OpenSet(reader, root, getattr(reader, "options", given))


def _is_wrong(loss: Loss) -> bool:
    return loss.whole or loss.code == "not_found"


def _summary(made: Prepared) -> str:
    whole = sum(loss.whole for loss in made.losses)
    parts = [f"{made.faces:,} faces of {made.items - whole:,} films and pictures."]
    if made.losses:
        parts.append(
            f"Left out: {whole:,} wholly, {len(made.losses) - whole:,} in part (left_out.csv)."
        )
    if not made.shards_made:
        parts.append("Everything was there already.")
    return " ".join(parts)


@contextmanager
def _faces_bar(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    from time import monotonic

    began = monotonic()
    with _bar("finding faces", quiet=quiet) as (say, update):

        def on_progress(now: Progress) -> None:
            for loss in filter(_is_wrong, now.losses):
                what = "left out" if loss.whole else f"no {loss.lost} for"
                say(f"{what}: {loss.path}: {loss.reason}")
            speed = now.new_faces / max(monotonic() - began, 1e-3)
            update(now.items, now.total, f"{now.faces:,} faces, {speed:.1f}/s")

        yield on_progress


@contextmanager
def _bar(
    title: str, *, quiet: bool
) -> Iterator[tuple[Callable[[str], None], Callable[[int, int, str], None]]]:
    """Two functions: one says a line, one moves the bar (plain lines where nobody watches)."""
    if quiet:
        yield (lambda line: click.echo(printable(line), err=True)), (lambda *_: None)
        return
    from unmask.cli.train import bar_on_stderr

    with bar_on_stderr(title, 1) as (bar, task):

        def say(line: str) -> None:
            bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

        def update(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)
            if not bar.console.is_terminal:
                say(f"{title}: {done:,} of {total:,}{': ' if note else ''}{note}")

        yield say, update


def _print_rows(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        for row in (titles, *rows):
            click.echo("\t".join(printable(str(cell)) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title)
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    Console().print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "all"
    return f"{value:,}" if isinstance(value, int) else str(value)
