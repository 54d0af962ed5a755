"""What a forgery is: a class with a spec and one method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from unmask.registry import Registry

if TYPE_CHECKING:
    import numpy as np

    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True)
class ForgerySpec:
    """Facts about a forgery method.

    Attributes:
        id: Short name (``self_blending``).
        title: Name for people.
        paper: Where it comes from.
        family: ``blending``, ``swap``, ``reenactment``, ``lip_sync`` or ``synthesis``.
        needs_donor: Whether a second person's face is needed.
    """

    id: str
    title: str
    paper: str
    family: str
    needs_donor: bool


@dataclass(frozen=True, slots=True, eq=False)
class RealFace:
    """An untouched face: (H, W, 3) uint8 RGB and its (468, 2) mesh points in pixels."""

    image: Image
    landmarks: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ForgedFace:
    """What a forgery returns.

    Attributes:
        image: (H, W, 3) uint8 RGB, the manipulated picture.
        original: (H, W, 3) uint8 RGB, what a detector must call unmanipulated. Not always the
            input itself: self-blending may transform the surroundings instead of the face.
        mask: (H, W) float32, 0..1, the share of foreign pixels.
        method: Id of the forgery: the label that is always there.
    """

    image: Image
    original: Image
    mask: Floats
    method: str


class Forgery(Protocol):
    """A method that manipulates a face. Same arguments and generator state, same result."""

    spec: ClassVar[ForgerySpec]

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Manipulate ``target`` (with the face of ``donor``, where the method needs one)."""
        ...


FORGERIES: Registry[type[Forgery]] = Registry("forgery", "unmask.forgeries")
