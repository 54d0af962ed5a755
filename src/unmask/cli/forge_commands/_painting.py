"""Options that ``convert`` and ``preview`` share: what paints, and how it is put back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.forge_commands._options import FACE
from unmask.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unmask.forge.merging import MergeSettings
    from unmask.forge.paint_plan import PaintRequest

METHODS = ("landmark_swap",)
"""Methods that need no trained run."""

_FILE = click.Path(path_type=Path)
# The same names as in unmask.forge.merging, which would load OpenCV for every --help.
_MASKS = ("auto", "learned", "oval", "inner_hull", "components", "lower_face", "eyes_and_nose",
          "mouth")  # fmt: skip

_OPTIONS = (
    click.option("--method", type=click.Choice(METHODS),
                 help="Paint by a method that needs no trained RUN."),
    click.option("--consent", metavar="TEXT",
                 help="Who agreed to what; required for swaps, animation and lip-sync, and "
                 "recorded in the file."),
    click.option("--identity", type=_FILE, metavar="FILE",
                 help="Picture of the person whose face is wanted."),
    click.option("--audio", type=_FILE, metavar="FILE",
                 help="Speech for a lip-sync model; becomes the film's sound."),
    click.option("--to", "direction", type=click.Choice(["a", "b"]), default="b",
                 show_default=True,
                 help="Paint the first (a) or the second (b) person trained on."),
    click.option("--restore", type=_FILE, metavar="RUN",
                 help="Run of a restoration model, applied to what was painted."),
    click.option("--face", "which", type=FACE, default="largest", show_default=True,
                 metavar="largest|all|N", help="Whose face."),
    click.option("--erode", type=float, default=0.02, show_default=True,
                 help="Make the mask smaller by this share of the face (negative: larger)."),
    click.option("--feather", type=float, default=0.12, show_default=True,
                 help="Width of the soft edge as a share of the face."),
    click.option("--sharpen", type=float, default=0.0, show_default=True,
                 help="Sharpen the painted face, 0 .. 3."),
)  # fmt: skip


def painting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def blending_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of which a preview shows every value."""
    options = (
        click.option("--mask", type=click.Choice(_MASKS), default="auto", show_default=True,
                     help="Which part of the face is replaced."),
        click.option("--colour", type=click.Choice(["none", "reinhard", "histogram"]),
                     default="reinhard", show_default=True, help="How colours are matched."),
        click.option("--blend", type=click.Choice(["alpha", "poisson"]), default="alpha",
                     show_default=True, help="Blend values or gradients."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def run_and_input(words: tuple[Path, ...], method: str | None) -> tuple[Path | None, Path]:
    """Tell the run from the input.

    Raises:
        UsageError: There are too few or too many.
    """
    if method is not None and len(words) == 1:
        return None, words[0]
    if method is None and len(words) == 2:
        return words[0], words[1]
    wanted = "INPUT alone, since --method needs no run" if method else "RUN and INPUT"
    raise UsageError(
        f"{len(words)} paths came; {wanted} was expected.",
        hint=f"Without a trained run, give --method {METHODS[0]} --identity PORTRAIT.",
    )


def request_of(run: Path | None, given: dict[str, Any]) -> PaintRequest:
    """What is to be painted with.

    Raises:
        MissingExtra: PyTorch is not installed.
    """
    try:
        from unmask.forge.paint_plan import PaintRequest
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", f"Forging (it uses {error.name})") from error
    return PaintRequest(
        run=run,
        to_other=given["direction"] == "b",
        identity=given["identity"],
        audio=given["audio"],
        restore=given["restore"],
    )


def merge_of(given: dict[str, Any]) -> MergeSettings:
    """How painted faces are put back.

    Raises:
        UsageError: A number is out of range.
    """
    from unmask.forge.merging import MergeSettings

    names = ("mask", "erode", "feather", "colour", "blend", "sharpen")
    return MergeSettings(**{name: given[name] for name in names if name in given})
