"""``unmask export``: from a training run to the ONNX file that scanning runs."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import MissingExtra, NotFound


@click.command(short_help="Turn a trained checkpoint into the ONNX file that scan runs.")
@click.option("--run", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of the run, or a checkpoint file in it.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="ONNX file to write.")  # fmt: skip
def command(run: Path, out: Path) -> int:
    """Export the averaged weights of a run, and compare file and network.

    Prints the SHA-256 of the file. Fails if OpenVINO (or ONNX Runtime, where it is installed)
    does not give what PyTorch gives, within 1e-4.
    """
    try:
        from unmask.export.onnx_file import export_onnx, network_from
        from unmask.export.parity import check_parity
        from unmask.train.loop import CHECKPOINT, read_checkpoint
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Exporting (it uses {error.name})") from error
    path = run / CHECKPOINT if run.is_dir() else run
    if not path.is_file():
        raise NotFound(
            f"There is no checkpoint at {path}.", hint="Give the folder that 'unmask train' wrote."
        )
    state = read_checkpoint(path)
    network = network_from(state["average"])
    digest = export_onnx(network, out)
    for one in check_parity(network, out):
        click.echo(
            f"{one.engine}: logits within {one.logits:.1e}, maps within {one.maps:.1e} of PyTorch",
            err=True,
        )
    click.echo(f"step {state['step']}, {out.stat().st_size:,} bytes: {out}", err=True)
    click.echo(digest)
    return 0
