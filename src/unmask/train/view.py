"""How a sample is cut: the same for both of a pair and for all frames of a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.mesh import Region

if TYPE_CHECKING:
    from unmask.train.footage import Footage
    from unmask.train.network_recipe import Crops
    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True)
class View:
    """A drawn crop, in terms of the face, so that it fits faces in other places, too.

    Attributes:
        margin: Side of the crop over the longer side of the face hull.
        shift: Of its centre, as shares of its side.
        roll_rad: Turn beside that of the face.
        flipped: Mirrored.
    """

    margin: float
    shift: tuple[float, float]
    roll_rad: float
    flipped: bool

    @classmethod
    def drawn(cls, margin: tuple[float, float], crops: Crops, rng: np.random.Generator) -> View:
        """Draw one as a recipe wants them."""
        shift = rng.uniform(-1, 1, 2) * crops.shift
        return cls(
            float(rng.uniform(*margin)),
            (float(shift[0]), float(shift[1])),
            float(np.radians(rng.normal() * crops.roll_deg)),
            bool(rng.random() < 0.5) and "flip" in crops.parts,
        )

    def region(self, footage: Footage) -> Region:
        """The square that is cut."""
        steady = footage.region(self.margin)
        x, y = steady.centre
        side = steady.side_px
        centre = (x + self.shift[0] * side, y + self.shift[1] * side)
        return Region(centre, side, steady.roll_rad + self.roll_rad)

    def images(self, footage: Footage, size: int) -> list[Image]:
        """(size, size, 3) crops of all frames."""
        crops = footage.cut(self.region(footage), size)
        return [np.ascontiguousarray(crop[:, ::-1]) for crop in crops] if self.flipped else crops

    def mask(self, footage: Footage, size: int) -> Floats:
        """(size, size) share of foreign pixels, mean over the frames; zero where not known."""
        known = [frame.mask for frame in footage.frames if frame.mask is not None]
        mask = np.zeros((size, size), np.float32)
        if not known:
            return mask
        matrix = self.region(footage).matrix(size)
        for one in known:
            mask += cv2.warpAffine(one, matrix, (size, size)) / len(known)
        return np.ascontiguousarray(mask[:, ::-1]) if self.flipped else mask
