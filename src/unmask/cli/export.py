"""``unmask export``: from a training run to the ONNX file that scanning runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.errors import MissingExtra, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.export.parity import Parity


@click.command(short_help="Turn a trained run into the ONNX file that scan runs.")
@click.option("--run", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of the run, or a checkpoint file in it.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="ONNX file to write.")  # fmt: skip
@click.option("--licence", metavar="TEXT",
              help="Terms of the weights, written into the file.  [default: those of the data "
              "sets they have seen]")  # fmt: skip
def command(run: Path, out: Path, licence: str | None) -> int:
    """Export the weights of a run, and compare file and network.

    Any image network can be exported. The file says which network it is and how its crops are
    cut, so that 'unmask scan --weights FILE' needs nothing else.

    Prints the SHA-256 of the file. Fails if OpenVINO (or ONNX Runtime, where it is installed)
    does not give what PyTorch gives, within 1e-4.
    """
    try:
        from unmask.export.from_run import is_network_run
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Exporting (it uses {error.name})") from error
    digest = _network(run, out, licence) if is_network_run(run) else _unmask_base(run, out)
    click.echo(digest)
    return 0


def _network(run: Path, out: Path, licence: str | None) -> str:
    from unmask.export.from_run import deployed_run
    from unmask.export.network_file import export_network
    from unmask.export.parity import check_network_parity

    deployed, origin = deployed_run(run, licence)
    digest = export_network(deployed, out, origin)
    _tell(check_network_parity(deployed, out), with_maps=deployed.kind != "none")
    maps = {
        "manipulated_pixels": "its own map",
        "class_activation": "a class activation map",
        "none": "no map",
    }[deployed.kind]
    click.echo(
        f"{deployed.network.spec.id}, step {origin.steps}, with {maps}, "
        f"{out.stat().st_size:,} bytes: {out}",
        err=True,
    )
    return digest


def _unmask_base(run: Path, out: Path) -> str:
    from unmask.export.onnx_file import export_onnx, network_from
    from unmask.export.parity import check_parity
    from unmask.train.loop import CHECKPOINT, read_checkpoint

    path = run / CHECKPOINT if run.is_dir() else run
    if not path.is_file():
        raise NotFound(
            f"There is no checkpoint at {path}.", hint="Give the folder that 'unmask train' wrote."
        )
    state = read_checkpoint(path)
    network = network_from(state["average"])
    digest = export_onnx(network, out)
    _tell(check_parity(network, out), with_maps=True)
    click.echo(f"step {state['step']}, {out.stat().st_size:,} bytes: {out}", err=True)
    return digest


def _tell(found: Sequence[Parity], *, with_maps: bool) -> None:
    for one in found:
        maps = f", maps within {one.maps:.1e}" if with_maps else ""
        click.echo(f"{one.engine}: logits within {one.logits:.1e}{maps} of PyTorch", err=True)
