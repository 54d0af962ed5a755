"""How a film or picture is converted, what came of it, and what is refused at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.errors import UsageError
from unmask.forge.merging import MergeSettings
from unmask.forge.smoothing import SIGMA_S
from unmask.provenance.labelled import FILMS, PICTURES

if TYPE_CHECKING:
    from unmask.media import Media

OnProgress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is, and of how much."""


@dataclass(frozen=True, slots=True)
class ConvertSettings:
    """How a film or picture is converted.

    Attributes:
        consent: Who agreed to what; required for a swap, animation or lip-sync.
        merge: How painted faces are put back.
        which: Whose face; see :func:`unmask.forge.following.chosen_tracks`.
        start_s: Where the new film begins.
        end_s: Where it ends; None: with the film.
        sigma_s: Of the temporal smoothing.
        keep_masks: Folder for the mask and matrix of every forged face, or None.
        fresh: Throw away unfinished work on the same output.
        crf: x264's constant rate factor.
    """

    consent: str | None = None
    merge: MergeSettings = field(default_factory=MergeSettings)
    which: str | int = "largest"
    start_s: float = 0.0
    end_s: float | None = None
    sigma_s: float = SIGMA_S
    keep_masks: Path | None = None
    fresh: bool = False
    crf: int = 18


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of a conversion.

    Attributes:
        path: The film or picture.
        frames: Frames that were gone through.
        forged: Of these, how many were changed; the others went through as they were.
        notes: What the user should know.
    """

    path: Path
    frames: int
    forged: int
    notes: tuple[str, ...] = ()


def check_names(out: Path, *inputs: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        UsageError: The output is one of the inputs, by whatever name.
    """
    if out.exists() and any(one.exists() and out.samefile(one) for one in inputs):
        raise UsageError(
            f"{out.name} is an input itself; the original would be lost.",
            hint="Give another name with -o.",
        )


def check_kind(media: Media, out: Path) -> None:
    """Refuse a picture where a film comes out, and the other way round.

    Raises:
        UsageError: The name of the output does not fit.
    """
    is_picture = media.info.kind == "image"
    allowed = PICTURES if is_picture else FILMS
    if out.suffix.lower() not in allowed:
        raise UsageError(
            f"{media.info.name} is a {'picture' if is_picture else 'film'}, so {out.name} cannot "
            "be written.",
            hint=f"Give a name that ends in {', '.join(allowed)}: these can carry all labels.",
        )
