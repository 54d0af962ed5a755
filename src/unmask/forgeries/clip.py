"""Forging clips: the same face over several frames.

A clip forgery is a class with a spec and one method, as an image forgery is. Any image forgery
can be run over a clip by :class:`FrameByFrame`, drawing anew in every frame (which flickers, as
generators that see one frame at a time do) or the same in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from unmask.errors import UsageError
from unmask.forgeries.base import ForgedFace, Forgery, ForgerySpec, RealFace
from unmask.registry import Registry

if TYPE_CHECKING:
    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class RealClip:
    """One untouched face over T frames, in order of time, all of one size and one place.

    Attributes:
        images: T pictures, (H, W, 3) uint8 RGB.
        landmarks: (T, 468, 2) float32 mesh points in their pixels.

    Raises:
        UsageError: There is no frame, sizes differ, or landmarks are not one set a frame.
    """

    images: Sequence[Image]
    landmarks: Floats

    def __post_init__(self) -> None:
        shapes = {image.shape for image in self.images}
        if len(shapes) != 1:
            raise UsageError(
                f"A clip came with frames of {len(shapes)} sizes; it needs frames of one size.",
                hint="Cut all frames with one region (unmask.train.clips.read_clip).",
            )
        if len(self.landmarks) != len(self.images):
            raise UsageError(
                f"A clip came with {len(self.images)} frames and landmarks of "
                f"{len(self.landmarks)}.",
                hint="Give the landmarks of every frame.",
            )

    def __len__(self) -> int:
        return len(self.images)

    def face(self, frame: int) -> RealFace:
        """One frame as a face of its own."""
        return RealFace(self.images[frame], self.landmarks[frame])


@dataclass(frozen=True, slots=True, eq=False)
class ForgedClip:
    """What a clip forgery returns; all lists have T entries.

    Attributes:
        images: (H, W, 3) uint8 RGB, the manipulated frames.
        originals: (H, W, 3) uint8 RGB, what a detector must call unmanipulated; see
            :class:`unmask.forgeries.ForgedFace`.
        masks: (H, W) float32, 0..1, share of foreign pixels.
        method: Id of the forgery: the label that is always there.
    """

    images: list[Image]
    originals: list[Image]
    masks: list[Floats]
    method: str

    @classmethod
    def of(cls, frames: Sequence[ForgedFace], method: str) -> ForgedClip:
        """Put forged frames together."""
        return cls(
            [frame.image for frame in frames],
            [frame.original for frame in frames],
            [frame.mask for frame in frames],
            method,
        )


class ClipForgery(Protocol):
    """A method that manipulates a face over time. Same arguments and seed, same result."""

    spec: ClassVar[ForgerySpec]

    def forge(
        self, target: RealClip, donor: RealClip | None, rng: np.random.Generator
    ) -> ForgedClip:
        """Manipulate ``target`` (with the face of ``donor``, where the method needs one)."""
        ...


CLIP_FORGERIES: Registry[type[ClipForgery]] = Registry("clip forgery", "unmask.forgeries")


class FrameByFrame:
    """An image forgery run over the frames of a clip.

    Args:
        forgery: The image forgery.
        replay: Start every frame from the same seed, so that a method whose draws do not depend
            on the picture does the same in all of them; else every frame is drawn anew.
    """

    def __init__(self, forgery: Forgery, *, replay: bool) -> None:
        self.spec = forgery.spec
        self._forgery, self._replay = forgery, replay

    def forge(
        self, target: RealClip, donor: RealClip | None, rng: np.random.Generator
    ) -> ForgedClip:
        """Forge frame after frame; a donor that is shorter begins again."""
        seed = int(rng.integers(2**63))
        frames = []
        for number in range(len(target)):
            face = donor.face(number % len(donor)) if donor is not None else None
            own = np.random.default_rng(seed if self._replay else (seed, number))
            frames.append(self._forgery.forge(target.face(number), face, own))
        return ForgedClip.of(frames, self.spec.id)
