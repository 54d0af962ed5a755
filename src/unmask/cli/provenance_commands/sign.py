"""``unmask provenance sign``: declare the origin of a file of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli.provenance_commands._options import FILE
from unmask.provenance import iptc

_TERMS = sorted(map(iptc.term, iptc.SYNTHETIC | iptc.REAL | iptc.OTHER))

# A file's name may tell of people and cases, and would be signed: it is never taken by itself.
_TITLE = "A picture or film"


@click.command(short_help="Declare the origin of a file of your own, and sign it.")
@click.argument("file", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, metavar="FILE",
              help="Where the signed copy goes.")  # fmt: skip
@click.option("--source-type", type=click.Choice(_TERMS), required=True,
              help="How the file came to be (IPTC digital source type).")  # fmt: skip
@click.option("--title", default=_TITLE, show_default=True,
              help="What people are shown; it is signed and travels with the file.")  # fmt: skip
def command(file: Path, output: Path, source_type: str, title: str) -> None:
    """Write a copy of FILE with content credentials that say how it came to be.

    Credentials that FILE has become part of the history of the copy. The digest of the copy goes
    into the provenance log. A file that is known to be synthetic is signed as nothing else.
    """
    from unmask.provenance.own_file import declare_own_file

    declare_own_file(file, output, iptc.of_term(source_type), title)
    click.echo(f"signed {output} as {source_type}", err=True)
