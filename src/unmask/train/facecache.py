"""Faces for training, found once and kept as raw pixels beside their landmarks.

Finding faces costs more than a training step, so it is done once. A cache is a folder with
``pixels.u8`` (all crops, one after the other) and ``index.npz``; it is read through a memory map
that all loader processes share.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import CorruptMedia, InputError, NoFrames, NotFound
from unmask.faces.finder import FaceFinder
from unmask.forgeries import RealFace
from unmask.media import Sampling, open_media
from unmask.types import Limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

    _Reference = tuple[tuple[int, ...], Floats | None]  # shape of a picture, its face

# Part of a cache's fingerprint: raise it whenever what is stored for a picture changes.
FORMAT = 1
MARGIN = 1.8
MAX_SIDE_PX = 320
MIN_SIDE_PX = 16
PIXELS, INDEX = "pixels.u8", "index.npz"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be cached.

    Attributes:
        path: The picture.
        source: Name of the set (``dfdc_faces``).
        label: 0 real, 1 fake.
        group: Everything made from one original shares a group; splits keep groups whole.
        original: Path of the untouched picture, whose landmarks are used, or None.
        frame: For a film: which of the ``of_frames`` frames spread over it, from 0.
        of_frames: For a film: how many of its frames are items.
    """

    path: Path
    source: str
    label: int
    group: str
    original: Path | None = None
    frame: int = 0
    of_frames: int = 1


def build_cache(items: Iterable[Item], folder: Path) -> Iterator[tuple[int, str | None]]:
    """Find, crop and store the faces of ``items``.

    The index is written last: a folder without one holds nothing that is whole.

    Yields:
        (items done, complaint or None) after each item, for a progress bar. Pictures without a
        face are left out and named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    finder = _finder()
    references: dict[Path, _Reference] = {}
    rows: list[tuple[str, str, int, str, int, int, int]] = []
    points: list[Floats] = []
    offset = 0
    with (folder / PIXELS).open("wb") as pixels:
        for done, item in enumerate(items, 1):
            try:
                crop, local = _face_of(item, finder, references)
            except InputError as error:
                yield done, f"{item.source}: {error.message}"
                continue
            pixels.write(crop.tobytes())
            height, width = crop.shape[:2]
            rows.append(
                (str(item.path), item.source, item.label, item.group, offset, height, width)
            )
            points.append(local)
            offset += crop.size
            yield done, None
    write_index(folder, _columns(rows, points))


def write_index(folder: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write the index of a cache; it appears only when it is whole."""
    partial = folder / f".{INDEX}"
    with partial.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **columns)
    partial.replace(folder / INDEX)


def read_index(folder: Path) -> dict[str, NDArray[Any]]:
    """Read the index of a cache as columns by name.

    Raises:
        NotFound: The folder holds no finished cache.
        CorruptMedia: The index is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        raise NotFound(
            f"There is no finished face cache in {folder}.",
            hint="Make one with 'unmask train RECIPE --prepare-only'.",
        )
    try:
        # Opened here: np.load leaves the file open when it is not whole.
        with path.open("rb") as handle, np.load(handle) as columns:
            return {name: columns[name] for name in _NAMES}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CorruptMedia(
            f"The face cache {path} is damaged: {error}.",
            hint="Delete that folder; the next run makes it again.",
        ) from error


_NAMES = ("path", "source", "label", "group", "offset", "height", "width", "landmarks")


def _columns(
    rows: list[tuple[str, str, int, str, int, int, int]], points: list[Floats]
) -> dict[str, NDArray[Any]]:
    types = (np.str_, np.str_, np.int8, np.str_, np.int64, np.int32, np.int32)
    columns = {
        name: np.array([row[i] for row in rows], kind)
        for i, (name, kind) in enumerate(zip(_NAMES, types, strict=False))
    }
    columns["landmarks"] = np.array(points, np.float32).reshape(len(points), 468, 2)
    return columns


class FaceCache:
    """Read-only view of a cache folder.

    Attributes:
        path: (N,) where each picture came from.
        source: (N,) set names.
        label: (N,) 0 real, 1 fake.
        group: (N,) original that each picture was made from.
        landmarks: (N, 468, 2) float32 in pixels of the cached crop.

    Raises:
        NotFound: The folder holds no finished cache.
        CorruptMedia: It is damaged, or holds no face at all.
    """

    def __init__(self, folder: Path) -> None:
        columns = read_index(folder)
        self._folder = folder
        self.path = columns["path"]
        self.source = columns["source"]
        self.label = columns["label"]
        self.group = columns["group"]
        self.landmarks = columns["landmarks"]
        self._offset = columns["offset"]
        self._height = columns["height"]
        self._width = columns["width"]
        size = int((self._height.astype(np.int64) * self._width * 3).sum())
        pixels = folder / PIXELS
        if not size or not pixels.is_file() or pixels.stat().st_size != size:
            raise CorruptMedia(
                f"The pixels in {folder} are not the {size:,} bytes that its index speaks of.",
                hint="Delete that folder; the next run makes it again.",
            )
        self._pixels = np.memmap(pixels, np.uint8, "r")

    def __len__(self) -> int:
        return len(self.label)

    def __reduce__(self) -> tuple[type[FaceCache], tuple[Path]]:
        # Another process maps the file itself: pickling a memory map would copy its pixels.
        return FaceCache, (self._folder,)

    def face(self, i: int) -> RealFace:
        """Picture and landmarks of entry ``i`` (a copy-free view of the pixels)."""
        height, width = int(self._height[i]), int(self._width[i])
        start = int(self._offset[i])
        image = self._pixels[start : start + height * width * 3].reshape(height, width, 3)
        return RealFace(np.asarray(image), self.landmarks[i])


@cache
def _finder() -> FaceFinder:
    """One finder a process: loading the models takes longer than a chunk of small pictures."""
    return FaceFinder(max_faces=1)


def _face_of(
    item: Item, finder: FaceFinder, references: dict[Path, _Reference]
) -> tuple[Image, Floats]:
    """Crop and landmarks of one item.

    Raises:
        InputError: It cannot be read, has no face, or does not lie on its original.
    """
    if item.of_frames > 1:
        frames = _film(item.path, item.of_frames)
        if item.frame >= len(frames):
            raise NoFrames(f"{item.path.name} has only {len(frames)} frames")
        image = frames[item.frame]
        found = finder.find(image)
        if not found:
            raise NoFrames(f"no face found in {item.path.name}, frame {item.frame}")
        return _crop(image, found[0].landmarks)
    image = _read(item.path)
    reference = item.original or item.path
    if reference not in references:
        original = image if reference == item.path else _read(reference)
        faces = finder.find(original)
        references[reference] = original.shape, faces[0].landmarks if faces else None
    shape, landmarks = references[reference]
    if shape != image.shape:
        raise CorruptMedia(
            f"{item.path.name} is {_size(image.shape)} and its original {reference.name} "
            f"{_size(shape)}; they must lie on each other"
        )
    if landmarks is None:
        raise NoFrames(f"no face found in {reference.name}")
    return _crop(image, landmarks)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} px"


def _read(path: Path) -> Image:
    with open_media(path, limits=Limits(), sampling=Sampling(frames=1)) as media:
        return next(media.frames()).image


@lru_cache(maxsize=1)
def _film(path: Path, count: int) -> list[Image]:
    """Frames spread evenly over a film; the items of one film follow each other."""
    with open_media(path, limits=Limits(), sampling=Sampling(frames=count)) as media:
        return [frame.image for frame in media.frames()]


def _crop(image: Image, landmarks: Floats) -> tuple[Image, Floats]:
    low, high = landmarks.min(0), landmarks.max(0)
    half = float((high - low).max()) * MARGIN / 2
    centre = (low + high) / 2
    left, top = (int(max(0, c - half)) for c in centre)
    right = int(min(image.shape[1], centre[0] + half)) + 1
    bottom = int(min(image.shape[0], centre[1] + half)) + 1
    crop = image[top:bottom, left:right]
    if min(crop.shape[:2]) < MIN_SIDE_PX:
        raise NoFrames("the face lies outside the picture")
    local = landmarks - np.array([left, top], np.float32)
    scale = MAX_SIDE_PX / max(crop.shape[:2])
    if scale < 1:
        size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        local = local * scale
    return np.ascontiguousarray(crop), local.astype(np.float32)
