"""``unmask provenance show``: everything a file says of its origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._inputs import read_pem
from unmask.cli.provenance_commands._options import (
    FILE,
    anchors_option,
    echo_json,
    echo_rows,
    json_option,
)

if TYPE_CHECKING:
    from unmask.types_of_origin import Provenance

_FRAMES = 64  # in eight of which the watermark is looked for
_MAX_ROWS = 40


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
    from unmask.scanning.origin import origin_and_state
    from unmask.scanning.watermark_watch import WatermarkWatch
    from unmask.types import Limits

    pem = read_pem(anchors)
    with open_media(file, limits=Limits(), sampling=Sampling(frames=_FRAMES)) as media:
        watch = WatermarkWatch(media.info)
        for _ in watch.watching(media.frames()):
            pass
        origin, state = origin_and_state(file, media.info, watch.finding(), pem)
    # Of credentials that do not hold, nothing is shown as a statement.
    statement = None if state.forgery is None or not state.holds else dict(state.forgery)
    if as_json:
        echo_json({"name": file.name, "sha256": media.info.sha256, "provenance": origin,
                   "statement": statement})  # fmt: skip
        return
    _print(file, media.info.sha256, origin, statement)


def _print(file: Path, sha256: str, origin: Provenance, statement: dict[str, Any] | None) -> None:
    from unmask.report.origin import origin_rows, trace_rows

    rows = [("File", file.name), ("SHA-256", sha256), *origin_rows(origin)]
    # Strangers can sign a statement of any size.
    said = list((statement or {}).items())[:_MAX_ROWS]
    rows += [(f"  {key:.40}", _plain(value)) for key, value in said]
    echo_rows([*rows, *trace_rows(origin)])
    for reason in origin.declared_synthetic:
        echo_rows([("Declared synthetic:", reason.message)])
    for note in origin.notes:
        echo_rows([("Note:", note)])


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:2000]
