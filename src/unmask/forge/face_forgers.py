"""Every way of forging a face for a data set, behind one interface: footage in, footage out.

A method is an id of the forgeries that need no training (:data:`unmask.forgeries.FORGERIES`,
:data:`unmask.forgeries.clip.CLIP_FORGERIES`) or the folder of a trained generator
(:mod:`unmask.forge.run_forgers`). Nothing here labels pixels: what is forged stays in memory or
goes into shards for training, where a mark would be what a detector learns.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from unmask.errors import UnknownEntry, UsageError
from unmask.forge.run_record import RECORD
from unmask.forgeries import FORGERIES
from unmask.forgeries.clip import CLIP_FORGERIES, FrameByFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.forgeries import Forgery
    from unmask.forgeries.clip import ClipForgery
    from unmask.train.footage import Footage
    from unmask.types import Floats, Image

NO_DONOR, FACE_DONOR, FILM_DONOR, SPEECH_DONOR = "none", "face", "film", "speech"
CLIP_FRAMES = 8
"""Frames of a clip, for methods that forge films and where a call names no other number."""


@dataclass(frozen=True, slots=True, eq=False)
class ForgedFootage:
    """What a method made of one face or clip of T frames.

    Attributes:
        images: T pictures (H, W, 3) uint8 RGB.
        masks: T masks (H, W) float32 0..1, share of foreign pixels.
        landmarks: (T, 468, 2) in their pixels.
        originals: T pictures that a detector must call unmanipulated; None: those that came.
        of_nobody: A face that was made from none: it shares no source.
    """

    images: Sequence[Image]
    masks: Sequence[Floats]
    landmarks: Floats
    originals: Sequence[Image] | None = None
    of_nobody: bool = False


class FaceForger(Protocol):
    """A method.

    Attributes:
        id: What the column ``method`` says.
        frames: Frames that it wants: 1, or a clip.
        donor: Whether another person is needed: ``none``, ``face``, ``film`` or ``speech``; one
            that needs speech is a :class:`SpeechForger`.
        facts: What goes into the metadata of a data set: title, paper, family, and for runs the
            digest, sources and consent.
    """

    @property
    def id(self) -> str:
        """What the column ``method`` says."""
        ...

    @property
    def frames(self) -> int:
        """Frames that it wants."""
        ...

    @property
    def donor(self) -> str:
        """What it needs of another person."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What goes into the metadata."""
        ...

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage | None:
        """Forge; None where this face cannot be forged by this method.

        Args:
            target: Whose footage.
            donor: Another person's, where one is needed.
            rng: Source of all randomness.
        """
        ...


class SpeechForger(FaceForger, Protocol):
    """A method that needs another person's speech instead of the face."""

    def dub(
        self, target: Footage, pts_s: NDArray[np.float64], speech: Floats, rng: np.random.Generator
    ) -> ForgedFootage:
        """Let the target say what it did not.

        Args:
            target: A clip.
            pts_s: (T,) times of its frames, from 0.
            speech: (N,) float32 mono at 16 kHz, from the clip's time 0.
            rng: Source of all randomness.

        Raises:
            InputError: The speech is silent or too short.
        """
        ...


@dataclass(frozen=True, slots=True)
class ImageForger:
    """A forgery of single pictures."""

    forgery: Forgery
    id: str
    frames: int
    donor: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def named(cls, name: str) -> ImageForger:
        """The forgery registered under a name."""
        forgery = FORGERIES.get(name)()
        donor = FACE_DONOR if forgery.spec.needs_donor else NO_DONOR
        return cls(forgery, name, 1, donor, _facts(forgery))

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Forge one picture; see :class:`FaceForger`."""
        shown = target.clip()
        face = self.forgery.forge(shown.face(0), None if donor is None else donor.clip().face(0),
                                  rng)  # fmt: skip
        return ForgedFootage([face.image], [face.mask], shown.landmarks, [face.original])


@dataclass(frozen=True, slots=True)
class ClipForger:
    """A forgery of clips."""

    forgery: ClipForgery | FrameByFrame
    id: str
    frames: int
    donor: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def named(cls, name: str, frames: int = CLIP_FRAMES) -> ClipForger:
        """The clip forgery registered under a name, for clips of so many frames."""
        forgery = CLIP_FORGERIES.get(name)()
        donor = FILM_DONOR if forgery.spec.needs_donor else NO_DONOR
        return cls(forgery, name, frames, donor, _facts(forgery))

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Forge a clip; see :class:`FaceForger`."""
        shown = target.clip()
        clip = self.forgery.forge(shown, None if donor is None else donor.clip(), rng)
        return ForgedFootage(clip.images, clip.masks, shown.landmarks, clip.originals)


def forgers_of(methods: Sequence[str], clip_frames: int = CLIP_FRAMES) -> list[FaceForger]:
    """The methods that a call names, in its order.

    Args:
        methods: Ids of forgeries, or folders of generators' runs; ``FOLDER#whole`` takes whole
            faces from a generator that would inpaint otherwise.
        clip_frames: Frames of the clips that methods of films forge, at least 2.

    Raises:
        UnknownEntry: A name is neither; the hint names the nearest.
        UsageError: None came, one came twice, or clips would have one frame.
        InputError: A run cannot be read.
    """
    if clip_frames < 2:
        raise UsageError(
            f"Clips of {clip_frames} frames were asked for; a clip has at least 2.",
            hint="Methods of single pictures need no clips: leave the number out.",
        )
    forgers: list[FaceForger] = []
    for method in methods:
        one = forger_of(method, clip_frames)
        if any(one.id == other.id for other in forgers):
            raise UsageError(
                f"The method {one.id} came twice.", hint="Give each method once; see --per-face."
            )
        forgers.append(one)
    if not forgers:
        raise UsageError("No method came.", hint=f"There is: {', '.join(known_methods())}.")
    return forgers


def forger_of(method: str, clip_frames: int = CLIP_FRAMES) -> FaceForger:
    """One method; see :func:`forgers_of`."""
    if method in FORGERIES.ids():
        return ImageForger.named(method)
    if method in CLIP_FORGERIES.ids():
        return ClipForger.named(method, clip_frames)
    folder, part = Path(method), ""
    if not folder.is_dir() and "#" in method:
        path, _, part = method.rpartition("#")
        folder = Path(path)
    if (folder / RECORD).is_file():
        from unmask.forge.run_forgers import forger_of_run

        return forger_of_run(folder, part, clip_frames)
    near = difflib.get_close_matches(method, known_methods(), n=1)
    known = ", ".join(known_methods())
    raise UnknownEntry(
        f"{method!r} is neither a forgery nor the folder of a generator's run.",
        hint=f"Did you mean {near[0]}?" if near else f"There is: {known}; or give a run's folder.",
    )


def known_methods() -> list[str]:
    """Ids of the forgeries that need no training."""
    return sorted({*FORGERIES.ids(), *CLIP_FORGERIES.ids()})


def _facts(forgery: Forgery | ClipForgery) -> dict[str, Any]:
    spec = forgery.spec
    return {"id": spec.id, "title": spec.title, "paper": spec.paper, "family": spec.family}
