"""Faces of swaps: one array of colours and regions, drawn once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from unmask.faces import topology
from unmask.faces.masks import face_mask
from unmask.generators._face_tensors import resized, to_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

COLOUR = slice(0, 3)
FACE, PARTS = 3, 4


@dataclass(frozen=True, slots=True, eq=False)
class FaceStock:
    """All faces of some tracks at one size.

    Attributes:
        planes: (N, S, S, 5) uint8: RGB, the face to the hairline (0 or 255), eyes and mouth.
        person: (N,) which of ``names`` a face is of.
        names: Persons, in the order in which they first come.
    """

    planes: Pixels
    person: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.planes)

    def some(self, rows: Sequence[int] | NDArray[np.int64]) -> FaceStock:
        """Those of ``rows``, in that order."""
        chosen = np.asarray(rows, np.int64)
        return FaceStock(self.planes[chosen], self.person[chosen], self.names)

    def pixels(self, side: int | None = None) -> Tensor:
        """(N, 5, side, side) float32 in 0..1; None: at their own size."""
        sized = [one if side is None else resized(one, side) for one in self.planes]
        return torch.from_numpy(np.stack(sized)).permute(0, 3, 1, 2).float().div(255)


def stock_of(tracks: Iterable[FaceTrack], side: int) -> FaceStock:
    """Draw the regions of all faces and bring everything to ``side`` pixels."""
    planes: list[Pixels] = []
    persons: list[int] = []
    names: dict[str, int] = {}
    for track in tracks:
        number = names.setdefault(track.person or track.name, len(names))
        for image, landmarks in zip(track.images, track.landmarks, strict=True):
            planes.append(resized(_with_regions(image, landmarks), side))
            persons.append(number)
    return FaceStock(np.stack(planes), np.array(persons, np.int64), tuple(names))


def colour_images(planes: Tensor) -> Pixels:
    """(N, 3 or more, S, S) in 0..1 -> the colours as (N, S, S, 3) uint8 RGB."""
    return to_images(planes[:, COLOUR], signed=False)


def _with_regions(image: Pixels, landmarks: Floats) -> Pixels:
    height, width = image.shape[:2]
    face = face_mask(landmarks, height, width, kind="oval")
    parts = _eyes_and_mouth(landmarks, height, width)
    regions = np.stack([face, parts], -1) * 255
    return np.concatenate([image, regions.astype(np.uint8)], -1)


def _eyes_and_mouth(landmarks: Floats, height: int, width: int) -> Floats:
    canvas = np.zeros((height, width), np.uint8)
    for part in (topology.RIGHT_EYE, topology.LEFT_EYE, topology.LIPS):
        hull = cv2.convexHull(np.round(landmarks[list(part)]).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, 1)
    # Lids and the rim of the lips belong to what eyes and mouths do.
    reach = 2 * max(1, round(0.03 * float(np.ptp(landmarks[:, 1])))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(canvas, kernel), np.float32)
