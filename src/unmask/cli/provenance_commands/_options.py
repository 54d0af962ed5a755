"""Options and output that these commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)

anchors_option = click.option(
    "--anchors", "anchors", type=FILE, metavar="PEM",
    help="Root certificates; whom they vouch for is trusted.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def echo_json(document: Any) -> None:
    """Print a document as indented JSON."""
    import msgspec

    plain = msgspec.json.encode(document, order="deterministic")
    click.echo(msgspec.json.format(plain, indent=2).decode())


def echo_rows(rows: list[tuple[str, str]]) -> None:
    """Print rows of term and text, hostile characters made visible."""
    from unmask.cli._errors import printable

    width = max((len(term) for term, _ in rows), default=0)
    for term, text in rows:
        click.echo(f"{printable(term):{width}}  {printable(text)}")
