"""``unmask forge convert``: film in, film out, labelled."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.forge_commands._options import STRETCH, work_bar
from unmask.cli.forge_commands._painting import (
    blending_options,
    merge_of,
    painting_options,
    request_of,
    run_and_input,
)
from unmask.errors import UsageError

if TYPE_CHECKING:
    from unmask.forge.conversion_settings import ConvertSettings
    from unmask.forge.paint_plan import PaintRequest


@click.command(short_help="Forge a film or picture with a trained generator, labelled.")
@click.argument("words", nargs=-1, required=True, type=click.Path(path_type=Path),
                metavar="[RUN] INPUT")  # fmt: skip
@click.option("-o", "--output", "out", type=click.Path(path_type=Path), required=True,
              metavar="OUT",
              help="FILE.mp4 of a film; FILE.jpg or FILE.png of a picture.")  # fmt: skip
@painting_options
@blending_options
@click.option("--trim", type=STRETCH, metavar="START:END", default=None,
              help="Convert this stretch, in seconds; either end may be left out.")  # fmt: skip
@click.option("--driving", type=click.Path(path_type=Path), metavar="FILE",
              help="Film whose motion a motion model gives to the picture INPUT.")  # fmt: skip
@click.option("--absolute", is_flag=True,
              help="With --driving: take positions as they are, not motion since the first "
              "frame.")  # fmt: skip
@click.option("--smooth", "sigma_s", type=click.FloatRange(0, 2), default=0.1, show_default=True,
              metavar="SECONDS", help="Temporal smoothing of the alignment.")  # fmt: skip
@click.option("--keep-masks", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the mask and matrix of every forged face.")  # fmt: skip
@click.option("--crf", type=click.IntRange(0, 51), default=18, show_default=True,
              help="Quality of the film; lower is better and larger.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Throw away unfinished work on the same OUT.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(words: tuple[Path, ...], out: Path, *, quiet: bool, **given: Any) -> int:
    """Forge the faces of INPUT with the trained RUN and write OUT with all labels.

    The sound is kept. Frames without a face go through as they are. Without a run: --method
    landmark_swap --identity PORTRAIT. After Ctrl-C or a kill the same call goes on; OUT appears
    when it is whole.
    """
    from unmask.cli._errors import printable
    from unmask.cli.scan import download_bar
    from unmask.faces import assets

    run, path = run_and_input(words, given["method"])
    request = request_of(run, given)
    from unmask.forge.conversion_settings import ConvertSettings

    start_s, end_s = given["trim"] or (0.0, None)
    settings = ConvertSettings(
        consent=given["consent"],
        merge=merge_of(given),
        which=given["which"],
        start_s=start_s,
        end_s=end_s,
        sigma_s=given["sigma_s"],
        keep_masks=given["keep_masks"],
        fresh=given["fresh"],
        crf=given["crf"],
    )
    driving: Path | None = given["driving"]
    _check(run, path, out, request, settings, given)
    with download_bar(quiet=quiet) as progress:
        assets.ensure(progress=progress)
    with _polite_kill(), work_bar(quiet=quiet) as on_progress:
        if driving is not None and run is not None:
            from unmask.forge.animating import animate

            made = animate(path, driving, out, run, settings, relative=not given["absolute"],
                           on_progress=on_progress)  # fmt: skip
        else:
            from unmask.forge.converting import convert

            made = convert(path, out, request, settings, on_progress=on_progress)
    for note in made.notes:
        click.echo(f"note: {printable(note)}", err=True)
    click.echo(f"{made.forged} of {made.frames} frames forged and labelled.", err=True)
    click.echo(str(made.path))
    return 0


def _check(
    run: Path | None,
    path: Path,
    out: Path,
    request: PaintRequest,
    settings: ConvertSettings,
    given: dict[str, Any],
) -> None:
    """Refuse what cannot be before anything is downloaded, loaded or looked at.

    Raises:
        ConsentMissing: No statement of consent came where one is needed.
        UsageError: Options do not fit each other or the generator.
    """
    from unmask.forge.animating import checked_animation, refuse_unused
    from unmask.forge.paint_plan import checked_plan

    if given["driving"] is None:
        if given["absolute"]:
            raise UsageError(
                "--absolute says how motion is transferred, and no --driving film came.",
                hint="Give --driving FILE, or leave --absolute out.",
            )
        checked_plan(path, out, request, settings.consent)
        return
    if run is None:
        raise UsageError(
            "--driving needs the trained RUN of a motion model.",
            hint="Give RUN and the picture, or leave --driving out.",
        )
    named = ("identity", "audio", "restore")
    to_first = [] if request.to_other else ["--to a"]
    refuse_unused([*(f"--{name}" for name in named if given[name] is not None), *to_first])
    checked_animation(path, given["driving"], out, run, settings)


@contextmanager
def _polite_kill() -> Iterator[None]:
    """While inside, SIGTERM ends the work as Ctrl-C does: tidily, to be gone on with."""

    def answer(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, answer)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
