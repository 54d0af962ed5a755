"""Restoring painted faces, and watching whether they stay the same face.

A restorer paints likely detail, and with it may change whom a face seems to show. So the likeness
of each face before and after is measured wherever something is restored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmask.forge.likeness import likeness, likeness_vector
from unmask.generators.material import scaled_landmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.generators.uses import FaceRestorer

    Pixels = NDArray[np.uint8]

# Medians and percentiles of :mod:`unmask.forge.likeness`, on two pictures of one person.
_SAME_PERSON, _DOUBTFUL = 0.83, 0.65


@dataclass(slots=True, eq=False)
class Restoring:
    """A restorer, and the likeness of every face that it restored.

    Attributes:
        restorer: Restores.
        kept: Likeness of each face before and after, -1..1.
    """

    restorer: FaceRestorer
    kept: list[float] = field(default_factory=list)

    def restore(self, track: FaceTrack) -> Pixels:
        """Restore the track's crops; see :meth:`unmask.generators.uses.FaceRestorer.restore`."""
        restored = self.restorer.restore(track)
        scale = restored.shape[1] / track.images.shape[1]
        for before, after, points in zip(track.images, restored, track.landmarks, strict=True):
            vectors = (likeness_vector(before, points),
                       likeness_vector(after, scaled_landmarks(points, scale)))  # fmt: skip
            self.kept.append(likeness(*vectors))
        return restored

    def note(self) -> str:
        """What the likeness came to, in a sentence; empty where nothing was restored."""
        if not self.kept:
            return ""
        middle, low = float(np.median(self.kept)), float(np.quantile(self.kept, 0.05))
        said = (
            f"Restoring kept a likeness of {middle:.2f} in the median to the faces before it "
            f"({low:.2f} at the 5th percentile; faces: {len(self.kept)}; two pictures of one "
            f"person have about {_SAME_PERSON})."
        )
        if low < _DOUBTFUL:
            said += " Some now look like somebody else: compare them before you use them."
        return said
