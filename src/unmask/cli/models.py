"""``unmask models``: which models there are, where they lie, and how to fetch them."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask import settings
from unmask.cli._errors import printable
from unmask.detectors import DETECTORS
from unmask.errors import UnknownEntry
from unmask.faces import assets

if TYPE_CHECKING:
    from unmask.detectors import Detector


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model as it is listed.

    Attributes:
        id: Name by which ``models path`` knows it.
        kind: ``face model`` (fetched once) or ``detector`` (ships with its package).
        state: ``ready``, ``absent`` or ``altered`` (the SHA-256 is not the expected one).
        size_bytes: Size of the file; None while a detector's file is absent.
        licence: SPDX id, or the terms in a few words.
        sha256: Digest that the file must have.
        path: Where the file lies or would lie.
    """

    id: str
    kind: str
    state: str
    size_bytes: int | None
    licence: str
    sha256: str
    path: str


@click.group(name="models", help="List, fetch and locate the models.")
def command() -> None:
    """Group of the three subcommands."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List every model with its state, size, licence and digest.

    A table for people; tab-separated lines when the output goes into a pipe.
    """
    rows = list(_rows())
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        click.echo("\t".join(ModelRow.__dataclass_fields__))
        for row in rows:
            values = asdict(row).values()
            click.echo("\t".join("" if v is None else printable(str(v)) for v in values))


@command.command("pull")
@click.option("--offline", is_flag=True, help="Never touch the network; say what is missing.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no closing line.")
def pull(offline: bool, quiet: bool) -> None:
    """Fetch the face models once and check their SHA-256.

    Detectors ship with the package and need no fetching.
    """
    absent = assets.missing()
    with _progress(quiet) as progress:
        folder = assets.ensure(offline=offline or settings.offline(), progress=progress)
    if not quiet:
        done = f"{len(absent)} fetched" if absent else "already there"
        click.echo(f"Face models: {done}, checked, in {printable(str(folder))}", err=True)


@command.command("path")
@click.argument("model_id", required=False, metavar="[ID]")
def path(model_id: str | None) -> None:
    """Print the folder of the face models, or the file of the model ID.

    The path is printed whether or not the file is there; 'models list' shows its state.
    """
    if model_id is None:
        click.echo(settings.models_dir())
        return
    known = {row.id: row for row in _rows()}
    if model_id not in known:
        near = difflib.get_close_matches(model_id, known, n=2, cutoff=0.4)
        raise UnknownEntry(
            f"There is no model called {model_id!r}.",
            hint=f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}.",
        )
    click.echo(known[model_id].path)


def _rows() -> Iterator[ModelRow]:
    folder = settings.models_dir()
    for asset in assets.ASSETS:
        file = folder / asset.filename
        yield ModelRow(
            id=asset.id,
            kind="face model",
            state=_state(file, asset.sha256),
            size_bytes=asset.size_bytes,
            licence=asset.licence,
            sha256=asset.sha256,
            path=str(file),
        )
    for detector in DETECTORS:
        spec = detector.spec
        file = _weights_file(detector)
        yield ModelRow(
            id=spec.id,
            kind="detector",
            state=_state(file, spec.weights_sha256),
            size_bytes=file.stat().st_size if file.is_file() else None,
            licence=spec.weights_licence,
            sha256=spec.weights_sha256,
            path=str(file),
        )


def _weights_file(detector: type[Detector]) -> Path:
    """Find the weights below the folder of the detector's own module."""
    origin = importlib.import_module(detector.__module__).__file__
    folder = Path(origin or ".").parent
    name = detector.spec.weights
    return next(folder.rglob(name), folder / name)


def _state(file: Path, sha256: str) -> str:
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return "absent"
    return "ready" if digest == sha256 else "altered"


def _print_table(rows: list[ModelRow]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ready": "green", "absent": "yellow", "altered": "red"}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "kind", "state", "size", "licence", "sha256"):
        table.add_column(title, justify="right" if title == "size" else "left")
    for row in rows:
        table.add_row(
            row.id,
            row.kind,
            Text(row.state, style=colours[row.state]),
            "" if row.size_bytes is None else f"{row.size_bytes / 1e6:.1f} MB",
            row.licence,
            row.sha256[:12],
        )
    console = Console()
    console.print(table)
    console.print(f"Face models are kept in {settings.models_dir()}", style="dim", markup=False)


@contextmanager
def _progress(quiet: bool) -> Iterator[assets.Progress | None]:
    """A bar on stderr while fetching; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("models", total=None)

        def show(name: str, done_bytes: int, total_bytes: int) -> None:
            bar.update(task, description=name, completed=done_bytes, total=total_bytes)

        yield show
