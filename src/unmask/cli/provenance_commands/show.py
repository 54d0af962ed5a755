"""``unmask provenance show``: everything a file says of its origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.provenance_commands._options import (
    FILE,
    anchors_option,
    echo_json,
    echo_rows,
    json_option,
    read_pem,
)

if TYPE_CHECKING:
    from unmask.types_of_origin import Provenance

_FRAMES = 64  # of which the watermark is looked for in every eighth


@click.command(short_help="Show what a file says of its origin.")
@click.argument("file", type=FILE)
@anchors_option
@json_option
def command(file: Path, anchors: Path | None, *, as_json: bool) -> None:
    """Show what FILE says of its origin.

    Content credentials and whether they hold, the source type in its tags, the watermark of
    Unmask, and the traces of camera, program and encoder.
    """
    from unmask.media import Sampling, open_media
    from unmask.scanning.origin import WatermarkWatch, origin_of
    from unmask.types import Limits

    pem = read_pem(anchors)
    with open_media(file, limits=Limits(), sampling=Sampling(frames=_FRAMES)) as media:
        watch = WatermarkWatch(media.info, dense=False)
        for _ in watch.watching(media.frames()):
            pass
        origin = origin_of(file, media.info, watch.finding(), pem)
    statement = _statement(file, pem) if origin.credentials.forgery_method else None
    if as_json:
        echo_json({"name": file.name, "sha256": media.info.sha256, "provenance": origin,
                   "statement": statement})  # fmt: skip
        return
    _print(file, media.info.sha256, origin, statement)


def _print(file: Path, sha256: str, origin: Provenance, statement: dict[str, Any] | None) -> None:
    from unmask.report.origin import origin_rows, trace_rows

    rows = [("File", file.name), ("SHA-256", sha256), *origin_rows(origin)]
    rows += [(f"  {key}", _plain(value)) for key, value in (statement or {}).items()]
    echo_rows([*rows, *trace_rows(origin)])
    for reason in origin.declared_synthetic:
        echo_rows([("Declared synthetic:", reason.message)])
    for note in origin.notes:
        echo_rows([("Note:", note)])


def _statement(file: Path, anchors: bytes | None) -> dict[str, Any] | None:
    """The whole of our own assertion; its texts were written by strangers and are bounded."""
    from unmask.provenance import read_credentials

    found = read_credentials(file, anchors).forgery
    return None if found is None else dict(found)


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:2000]
