"""Faces as a generator eats them: one array of colours and regions, drawn once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from unmask.errors import UsageError
from unmask.faces import topology
from unmask.faces.masks import face_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.material import FaceTrack
    from unmask.types import Floats, Image

    Pixels = NDArray[np.uint8]

COLOUR = slice(0, 3)
FACE, PARTS = 3, 4
CHANNELS = 5


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

    def pixels(self, side: int) -> Tensor:
        """(N, 5, side, side) float32 in 0..1."""
        return _to_tensor(np.stack([_resized(one, side) for one in self.planes]))


def stock_of(tracks: Iterable[FaceTrack], side: int) -> FaceStock:
    """Draw the regions of all faces and bring everything to ``side`` pixels."""
    planes: list[Pixels] = []
    persons: list[int] = []
    names: dict[str, int] = {}
    for track in tracks:
        number = names.setdefault(track.person or track.name, len(names))
        for image, landmarks in zip(track.images, track.landmarks, strict=True):
            planes.append(_resized(_with_regions(image, landmarks), side))
            persons.append(number)
    return FaceStock(np.stack(planes), np.array(persons, np.int64), tuple(names))


def pixels_of(track: FaceTrack, side: int) -> Tensor:
    """(T, 3, side, side) float32 RGB in 0..1 of a track's crops."""
    return _to_tensor(np.stack([_resized(image, side) for image in track.images]))


def to_images(pixels: Tensor) -> Pixels:
    """(N, 3, S, S) in 0..1 -> (N, S, S, 3) uint8 RGB."""
    images = pixels.detach().float().clamp(0, 1).mul(255).round().byte()
    return images.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def sheet(columns: Mapping[str, Pixels], gap: int = 2, side: int = 128) -> Image:
    """Lay pictures out: each column (N, S, S, 3) under its heading, thin white lines between.

    Pictures smaller than ``side`` are enlarged to it: to be seen, and to have room for labels.
    """
    large = {
        title: np.stack([_resized(one, max(side, one.shape[0])) for one in pictures])
        for title, pictures in columns.items()
    }
    whole = [
        np.concatenate([_heading(title, pictures.shape[2]), *pictures], 0)
        for title, pictures in _ruled(large, gap).items()
    ]
    return np.concatenate(whole, 1)


def spread(count: int, wanted: int) -> NDArray[np.int64]:
    """At most ``wanted`` positions spread over ``count``."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round()).astype(np.int64)


def check_side(side: int, step: int) -> None:
    """A side must be a multiple of what the network halves it by.

    Raises:
        UsageError: It is not.
    """
    if side < step or side % step:
        raise UsageError(
            f"size_px = {side} does not fit this network.",
            hint=f"Give a multiple of {step}, such as {max(step, round(side / step) * step)}.",
        )


def _ruled(columns: Mapping[str, Pixels], gap: int) -> dict[str, Pixels]:
    edges = ((0, 0), (0, gap), (0, gap), (0, 0))
    return {title: np.pad(one, edges, constant_values=255) for title, one in columns.items()}


def _heading(title: str, width: int) -> Pixels:
    strip = np.full((14, width, 3), 255, np.uint8)
    cv2.putText(strip, title, (2, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


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


def _resized(planes: Pixels, side: int) -> Pixels:
    if planes.shape[0] == side:
        return planes
    way = cv2.INTER_AREA if planes.shape[0] > side else cv2.INTER_CUBIC
    colour, regions = planes[..., COLOUR], planes[..., FACE:]
    parts = [  # OpenCV resizes four channels at most
        cv2.resize(np.ascontiguousarray(part), (side, side), interpolation=way)
        for part in (colour, regions)
        if part.shape[2]
    ]
    return np.concatenate(parts, 2)


def _to_tensor(planes: Pixels) -> Tensor:
    return torch.from_numpy(planes).permute(0, 3, 1, 2).float().div(255).contiguous()
