"""``unmask provenance verify``: whether a file's content credentials hold."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli._inputs import read_pem
from unmask.cli.provenance_commands._options import (
    FILE,
    anchors_option,
    echo_json,
    echo_rows,
    json_option,
)


@click.command(short_help="Check a file's content credentials; the exit code is the answer.")
@click.argument("file", type=FILE)
@anchors_option
@json_option
def command(file: Path, anchors: Path | None, *, as_json: bool) -> int:
    """Check the content credentials of FILE.

    Exit code 0: they hold (with --anchors: and the signer is trusted). 1: they do not, or there
    are none.
    """
    from unmask.provenance import CredentialStatus, read_credentials

    state = read_credentials(file, read_pem(anchors))
    if as_json:
        echo_json(state._asdict())
    else:
        rows = [("Content credentials", state.status.value), ("Signed by", state.signer or "-")]
        if state.problems:
            rows.append(("Checks not passed", ", ".join(state.problems)))
        echo_rows(rows)
    trusted = state.status is CredentialStatus.TRUSTED
    return 0 if trusted or (anchors is None and state.holds) else 1
