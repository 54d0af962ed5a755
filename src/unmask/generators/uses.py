"""What trained generators are used for: one small base class a use.

The pipeline (:mod:`unmask.forge`) asks only for these methods. Crops are aligned as in training:
the run's record holds the margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.generators.base import Generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PaintedFaces:
    """What a generator painted into aligned crops.

    Attributes:
        images: (T, S, S, 3) uint8 RGB.
        masks: (T, S, S) float32 0..1 that the generator learned, or None: the pipeline draws one
            from landmarks.
    """

    images: Pixels
    masks: Floats | None = None


class FaceSwapper(Generator):
    """Gives faces in aligned crops another identity."""

    def swap(
        self, track: FaceTrack, *, to_other: bool = True, identity: FaceTrack | None = None
    ) -> PaintedFaces:
        """Paint the track's faces anew, expression and pose kept.

        Args:
            track: Crops of any side; they are resized to ``config.size_px``.
            to_other: From the first person to the second (True) or back. Methods without two
                persons ignore it.
            identity: Whose face is wanted, for methods that take it from pictures.

        Raises:
            UsageError: ``identity`` is needed and did not come.
        """
        raise NotImplementedError


class FaceAnimator(Generator):
    """Moves the face of a picture as the face of a film moves."""

    def animate(self, source: FaceTrack, driving: FaceTrack, *, relative: bool = True) -> Pixels:
        """Animate one picture.

        Args:
            source: One picture.
            driving: Crops of the film, cut with ONE region for all frames, so that the head's
                motion stays in them.
            relative: Transfer the motion since the driving film's first frame (True; keeps the
                source's shape) or its position (False).

        Returns:
            (T, S, S, 3) uint8 RGB.
        """
        raise NotImplementedError


class LipSyncer(Generator):
    """Moves the mouth of a film's face to other speech."""

    def dub(self, track: FaceTrack, audio: Floats) -> PaintedFaces:
        """Paint the track's mouths to speech.

        Args:
            track: Crops of a film with ``pts_s``.
            audio: (N,) float32 mono at 16 kHz, from the track's time 0.
        """
        raise NotImplementedError


class FaceMaker(Generator):
    """Makes whole faces that belong to nobody."""

    def sample(self, count: int, *, seed: int, truncation: float = 1.0) -> Pixels:
        """Make faces: (count, S, S, 3) uint8 RGB; the same seed gives the same faces.

        Args:
            count: How many.
            seed: Seeds all randomness.
            truncation: 1: as learned; towards 0: nearer to the average face.
        """
        raise NotImplementedError


class FaceInpainter(Generator):
    """Paints a region of a face anew."""

    def inpaint(self, images: Pixels, masks: Floats, *, seed: int) -> Pixels:
        """Paint where ``masks`` is above one half: (N, S, S, 3) uint8 RGB in, and out."""
        raise NotImplementedError


class FaceRestorer(Generator):
    """Makes faces larger or sharper than they came."""

    scale: int = 1

    def restore(self, track: FaceTrack) -> Pixels:
        """Restore crops: (T, scale x S, scale x S, 3) uint8 RGB."""
        raise NotImplementedError
