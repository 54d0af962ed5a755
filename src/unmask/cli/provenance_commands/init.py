"""``unmask provenance init``: the identity that signs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from unmask import settings
from unmask.cli._inputs import read_pem
from unmask.cli.provenance_commands._options import FILE, echo_rows
from unmask.errors import UsageError


@click.command(short_help="Make the identity that signs, or bring your own key.")
@click.option("--key", type=FILE, metavar="PEM", help="Your own private key (P-256).")
@click.option("--chain", type=FILE, metavar="PEM",
              help="Your signing certificate, then those that issued it.")  # fmt: skip
@click.option("--anchor", type=FILE, metavar="PEM",
              help="Your root certificate, if the chain does not end in it.")  # fmt: skip
def command(key: Path | None, chain: Path | None, anchor: Path | None) -> None:
    """Make the identity that signs what is forged or declared here, or show the one there is.

    Without options a local authority is made, with names that say nothing of you or this machine.
    Nobody else trusts it until you hand them its root certificate.
    """
    if (key is None) != (chain is None) or (anchor is not None and key is None):
        raise UsageError(
            "A key of your own comes with its certificates.", hint="Give both --key and --chain."
        )
    from unmask.provenance import authority

    folder = settings.identity_dir()
    key_pem, chain_pem = read_pem(key), read_pem(chain)
    if key_pem is not None and chain_pem is not None:
        from unmask.provenance.own_identity import keep_own_identity

        found = keep_own_identity(folder, key_pem, chain_pem, read_pem(anchor))
    else:
        found = authority.identity()
    facts = authority.describe(found)
    echo_rows([
        ("Signs as", facts.signer),
        ("Valid", f"{facts.first_day} to {facts.last_day}"),
        ("Kept in", str(folder)),
        ("Root certificate", str(folder / authority.ANCHOR)),
        ("SHA-256 of it", hashlib.sha256(found.anchor_pem).hexdigest()),
    ])  # fmt: skip
    click.echo("Hand the root certificate to whoever is to trust what you sign.", err=True)
