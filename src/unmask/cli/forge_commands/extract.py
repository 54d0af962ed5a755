"""``unmask forge extract``: films and pictures to aligned faces."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli.forge_commands._options import FACE, work_bar


@click.command(short_help="Cut the faces out of films and pictures.")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              metavar="DIR", help="Folder for the faces and their alignments.")  # fmt: skip
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, metavar="N",
              help="Take every N-th frame of films.")  # fmt: skip
@click.option("--frames", type=click.IntRange(1), metavar="N",
              help="Take N frames of each film, spread evenly.")  # fmt: skip
@click.option("--size", "size_px", type=click.IntRange(16, 4096), default=256, show_default=True,
              metavar="PX", help="Side of the pictures.")  # fmt: skip
@click.option("--margin", type=click.FloatRange(1.0, 8.0), default=1.5, show_default=True,
              help="Side of the picture over that of the face.")  # fmt: skip
@click.option("--face", "which", type=FACE, default="largest", show_default=True,
              metavar="largest|all|N",
              help="Whose face: the largest, everybody's, or the N-th person's.")  # fmt: skip
@click.option("--one-region", is_flag=True,
              help="Cut one square for a whole shot, so that the head moves in it (for motion "
              "models).")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Throw away what an earlier extraction left in DIR.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0913 - one parameter an option
    paths: tuple[Path, ...],
    folder: Path,
    *,
    every: int,
    frames: int | None,
    size_px: int,
    margin: float,
    which: str | int,
    one_region: bool,
    fresh: bool,
    quiet: bool,
) -> int:
    """Cut the faces out of films, pictures, or folders of them.

    Faces are upright, of one size, and steady over time; DIR/alignments.json says where each
    was. To leave a face out of training, delete its picture or write "use": false in its line.
    After Ctrl-C or a kill the same call goes on.
    """
    from unmask.cli._errors import printable
    from unmask.cli.scan import download_bar
    from unmask.faces import assets
    from unmask.forge.cutting import CutSettings
    from unmask.forge.extraction import extract
    from unmask.forge.following import Choice

    choice = Choice(every=every, frames=frames)
    with download_bar(quiet=quiet) as progress:
        assets.ensure(progress=progress)
    settings = CutSettings(size_px, margin, one_region, which)
    with work_bar(quiet=quiet) as on_progress:
        made = extract(
            list(paths),
            folder,
            settings=settings,
            choice=choice,
            fresh=fresh,
            on_progress=on_progress,
        )
    for note in made.notes():
        click.echo(f"note: {printable(note)}", err=True)
    count = len(made.alignments.faces)
    state = "were there already" if made.was_there else f"from {made.frames} frames"
    click.echo(f"{count} faces {state}: look at {folder / 'contact_sheet.jpg'}", err=True)
    click.echo(str(folder))
    return 0
