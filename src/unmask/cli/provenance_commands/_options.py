"""Options and output that these commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.errors import NotFound, UsageError

FILE = click.Path(path_type=Path)

anchors_option = click.option(
    "--anchors", "anchors", type=FILE, metavar="PEM",
    help="Root certificates; whom they vouch for is trusted.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def read_pem(path: Path | None) -> bytes | None:
    """The bytes of a PEM file, or None where none was named.

    Raises:
        NotFound: There is no such file.
        UsageError: It cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Give a PEM file."
        ) from error


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
