"""``unmask models``: which models and networks there are, where they lie, what a file holds."""

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
from unmask.detectors.network_cards import network_cards
from unmask.errors import ModelUnavailable, UnknownEntry
from unmask.faces import assets

if TYPE_CHECKING:
    from rich.table import Table

    from unmask.detectors import PackagedDetector


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model as it is listed.

    Attributes:
        id: Name by which ``models path`` knows it.
        kind: ``face model`` (fetched once), ``detector`` (ships with its package) or ``network``
            (to be trained; its weights are a file of your own).
        state: ``ready``, ``absent`` or ``altered`` (the SHA-256 is not the expected one);
            ``to train`` for a network.
        size_bytes: Size of the file; None while a detector's file is absent, and for networks.
        licence: SPDX id, or the terms in a few words; of a network, those of its code.
        sha256: Digest that the file must have; empty for a network.
        path: Where the file lies or would lie; empty for a network.
        family: Of a network: ``spatial``, ``frequency``, ``temporal`` or ``generalising``.
        paper: Of a network or detector: what it is built from.
    """

    id: str
    kind: str
    state: str
    size_bytes: int | None
    licence: str
    sha256: str
    path: str
    family: str = ""
    paper: str = ""


class _Models(click.Group):
    """Lets ``unmask models FILE.onnx`` (or a detector's id) stand for ``models show`` of it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; the name of a file or of a detector means ``show``."""
        is_file = args[0].lower().endswith(".onnx") or Path(args[0]).is_file()
        if args[0] not in self.commands and (is_file or _bundled(args[0]) is not None):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group(
    name="models",
    cls=_Models,
    invoke_without_command=True,
    help="List, fetch, locate and look into models; without a command: list them.",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Group of the subcommands; alone it lists."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_, as_json=False)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def list_(as_json: bool) -> None:
    """List every model with its state, size, licence and digest, and every network with its paper.

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


@command.command("show")
@click.argument("what", metavar="DETECTOR|FILE.onnx")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of lines.")
def show(what: str, as_json: bool) -> None:
    """Print the model card of a bundled detector, or say what a weights file is.

    The card says how the detector was made, what it reaches and what it cannot see. Of a file:
    network, crops, training sets, licence, digest.

    Also without the word: 'unmask models DETECTOR' or 'unmask models FILE.onnx'.
    """
    detector = _bundled(what)
    file = Path(what) if detector is None else _weights_file(detector)
    card = file.with_suffix(".md")
    # Detectors of other packages may come without a card: then what the file says must do.
    if detector is not None and not as_json and card.is_file():
        click.echo(card.read_text(encoding="utf-8").rstrip())
        return
    facts = _facts(file)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        click.echo(f"{name:{width}}  {printable(words)}")


def _bundled(name: str) -> type[PackagedDetector] | None:
    """The detector of this id that comes with a package; None where there is none."""
    return next((one for one in DETECTORS if one.spec.id == name), None)


def _facts(file: Path) -> dict[str, object]:
    """What a weights file says of itself, with its digest; only what is known.

    Raises:
        ModelUnavailable: The file is absent, no ONNX model, or says nothing of itself.
    """
    import msgspec

    from unmask.detectors.weights_file import read_facts

    facts = read_facts(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if facts is not None:
        known = {name: value for name, value in msgspec.to_builtins(facts).items() if value}
        known["views"] = [
            f"{margin:g} x the face{', mirrored' if mirrored else ''}"
            for margin, mirrored in facts.views
        ]
    else:
        spec = next((one.spec for one in DETECTORS if one.spec.weights_sha256 == digest), None)
        if spec is None:
            raise ModelUnavailable(
                f"{file.name} does not say which network it is.",
                hint="Only files made by 'unmask export' do.",
            )
        known = {"id": spec.id, "title": spec.title, "paper": spec.paper}
        known |= {"weights_licence": spec.weights_licence}
        known |= {"training_sets": list(spec.training_sets)}
    return known | {"bytes": file.stat().st_size, "sha256": digest}


@command.command("path")
@click.argument("model_id", required=False, metavar="[ID]")
def path(model_id: str | None) -> None:
    """Print the folder of the face models, or the file of the model ID.

    The path is printed whether or not the file is there; 'models list' shows its state.
    """
    if model_id is None:
        click.echo(settings.models_dir())
        return
    known = {row.id: row for row in _rows() if row.path}
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
            paper=spec.paper,
        )
    for card in network_cards():
        yield ModelRow(
            id=card.id,
            kind="network",
            state="to train",
            size_bytes=None,
            licence=card.code_licence,
            sha256="",
            path="",
            family=f"{card.family}, {card.modality}" if card.family else "",
            paper=card.paper,
        )


def _weights_file(detector: type[PackagedDetector]) -> Path:
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
    for row in (row for row in rows if row.kind != "network"):
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
    console.print(_networks_table(rows))
    console.print("Networks are trained with 'unmask train'.", style="dim", markup=False)
    console.print(f"Face models are kept in {settings.models_dir()}", style="dim", markup=False)


def _networks_table(rows: list[ModelRow]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("network", "family", "paper"):
        table.add_column(title, overflow="fold")
    for row in (row for row in rows if row.kind == "network"):
        table.add_row(row.id, row.family, row.paper)
    return table


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
