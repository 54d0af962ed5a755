"""``unmask forge preview``: one frame with all ways of blending, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.cli.forge_commands._painting import (
    merge_of,
    painting_options,
    request_of,
    run_and_input,
)


@click.command(short_help="One frame with all ways of blending, side by side.")
@click.argument("words", nargs=-1, required=True, type=click.Path(path_type=Path),
                metavar="[RUN] INPUT")  # fmt: skip
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), required=True,
              metavar="SHEET", help="FILE.jpg or FILE.png.")  # fmt: skip
@click.option("--frame", type=click.IntRange(0), default=0, show_default=True,
              help="Which frame of a film.")  # fmt: skip
@painting_options
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(words: tuple[Path, ...], out: Path, *, frame: int, quiet: bool, **given: Any) -> int:
    """Show one frame of INPUT with every mask, colour matching and blending, labelled.

    Choose from the sheet what to give to 'unmask forge convert'.
    """
    from unmask.cli.scan import download_bar
    from unmask.faces import assets

    run, path = run_and_input(words, given["method"])
    request = request_of(run, given)
    from unmask.forge.conversion_settings import ConvertSettings
    from unmask.forge.paint_plan import checked_plan
    from unmask.forge.preview_sheet import write_preview
    from unmask.provenance.labelled import PICTURES

    settings = ConvertSettings(
        consent=given["consent"], merge=merge_of(given), which=given["which"]
    )
    checked_plan(path, out, request, settings.consent, suffixes=PICTURES)  # before any download
    with download_bar(quiet=quiet) as progress:
        assets.ensure(progress=progress)
    write_preview(path, out, request, settings, frame=frame)
    click.echo(str(out))
    return 0
