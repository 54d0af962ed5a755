"""What generators that are trained on single faces share: the material at one size, read once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from unmask.generators._face_tensors import faces_of, landmarks_of
from unmask.generators.base import Generator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.generators.material import Material
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]


class TrainedOnFaces(Generator):
    """Faces and landmarks of the material at ``config.size_px``, drawn on first use."""

    @property
    def _given(self) -> Material:
        assert self.material is not None  # noqa: S101 - the engine trains with material only
        return self.material

    @cached_property
    def _faces(self) -> Pixels:
        """(N, S, S, 3) to train on."""
        return faces_of(self._given.tracks, self.config.size_px)

    @cached_property
    def _landmarks(self) -> Floats:
        """(N, 468, 2) in the pixels of ``_faces``."""
        return landmarks_of(self._given.tracks, self.config.size_px)

    @cached_property
    def _held_out(self) -> Pixels:
        """(M, S, S, 3) never trained on."""
        return faces_of(self._given.held_out, self.config.size_px)

    @cached_property
    def _held_out_landmarks(self) -> Floats:
        """(M, 468, 2) in the pixels of ``_held_out``."""
        return landmarks_of(self._given.held_out, self.config.size_px)
