"""Faces for training, found once and kept as raw pixels beside their landmarks.

Finding faces costs more than a training step, so it is done once. A cache is a folder with
``pixels.u8`` (all crops, one after the other) and ``index.npz``; it is read through a memory map
that all loader processes share.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import CorruptMedia, InputError, NotFound
from unmask.faces.finder import FaceFinder
from unmask.forgeries import RealFace

if TYPE_CHECKING:
    from unmask.types import Image

_MARGIN = 1.8
_MAX_SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be cached.

    Attributes:
        path: The picture.
        source: Name of the set (``dfdc_faces``).
        label: 0 real, 1 fake.
        group: Everything made from one original shares a group; splits keep groups whole.
        original: Path of the untouched picture, whose landmarks are used, or None.
    """

    path: Path
    source: str
    label: int
    group: str
    original: Path | None = None


def read_manifest(path: Path, root: Path) -> list[Item]:
    """Read a CSV manifest: ``file,source,label,group[,original]``; paths relative to ``root``.

    Raises:
        NotFound: The manifest is not there.
        CorruptMedia: A column is missing.
    """
    if not path.is_file():
        raise NotFound(f"There is no manifest at {path}.", hint="Give the path of a CSV file.")
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    try:
        return [
            Item(
                root / row["file"],
                row["source"],
                int(row["label"]),
                row["group"],
                root / row["original"] if row.get("original") else None,
            )
            for row in rows
        ]
    except (KeyError, ValueError) as error:
        raise CorruptMedia(
            f"The manifest {path} lacks or garbles the column {error}.",
            hint="Columns: file, source, label (0 or 1), group, and original (may be empty).",
        ) from error


def build_cache(items: Iterable[Item], folder: Path) -> Iterator[tuple[int, str | None]]:
    """Find, crop and store the faces of ``items``.

    Yields:
        (items done, complaint or None) after each item, for a progress bar. Pictures without a
        face are left out and named.
    """
    folder.mkdir(parents=True, exist_ok=True)
    finder = FaceFinder(max_faces=1)
    landmarks_of: dict[Path, np.ndarray | None] = {}
    rows: list[tuple[str, str, int, str, int, int, int]] = []
    points: list[np.ndarray] = []
    offset = 0
    with (folder / "pixels.u8").open("wb") as pixels:
        for done, item in enumerate(items, 1):
            try:
                image = _read(item.path)
            except InputError as error:
                yield done, str(error)
                continue
            reference = item.original or item.path
            if reference not in landmarks_of:
                faces = finder.find(image if reference == item.path else _read(reference))
                landmarks_of[reference] = faces[0].landmarks if faces else None
            landmarks = landmarks_of[reference]
            if landmarks is None:
                yield done, f"no face found in {item.path.name}"
                continue
            crop, local = _crop(image, landmarks)
            pixels.write(crop.tobytes())
            height, width = crop.shape[:2]
            rows.append(
                (str(item.path), item.source, item.label, item.group, offset, height, width)
            )
            points.append(local)
            offset += crop.size
            yield done, None
    columns = list(zip(*rows, strict=True))
    np.savez_compressed(
        folder / "index.npz",
        path=np.array(columns[0]),
        source=np.array(columns[1]),
        label=np.array(columns[2], np.int8),
        group=np.array(columns[3]),
        offset=np.array(columns[4], np.int64),
        height=np.array(columns[5], np.int32),
        width=np.array(columns[6], np.int32),
        landmarks=np.stack(points).astype(np.float32),
    )


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
    """

    def __init__(self, folder: Path) -> None:
        index = folder / "index.npz"
        if not index.is_file():
            raise NotFound(
                f"There is no face cache in {folder}.", hint="Run 'unmask train ... --prepare' first."
            )
        with np.load(index) as columns:
            self.path = columns["path"]
            self.source = columns["source"]
            self.label = columns["label"]
            self.group = columns["group"]
            self.landmarks = columns["landmarks"]
            self._offset = columns["offset"]
            self._height = columns["height"]
            self._width = columns["width"]
        self._pixels = np.memmap(folder / "pixels.u8", np.uint8, "r")

    def __len__(self) -> int:
        return len(self.label)

    def face(self, i: int) -> RealFace:
        """Picture and landmarks of entry ``i`` (a copy-free view of the pixels)."""
        height, width = int(self._height[i]), int(self._width[i])
        start = int(self._offset[i])
        image = self._pixels[start : start + height * width * 3].reshape(height, width, 3)
        return RealFace(np.asarray(image), self.landmarks[i])


def _read(path: Path) -> Image:
    from unmask.media import Sampling, open_media
    from unmask.types import Limits

    with open_media(path, limits=Limits(), sampling=Sampling(frames=1)) as media:
        return next(media.frames()).image


def _crop(image: Image, landmarks: np.ndarray) -> tuple[Image, np.ndarray]:
    import cv2

    low, high = landmarks.min(0), landmarks.max(0)
    half = float((high - low).max()) * _MARGIN / 2
    centre = (low + high) / 2
    left, top = (int(max(0, c - half)) for c in centre)
    right = int(min(image.shape[1], centre[0] + half)) + 1
    bottom = int(min(image.shape[0], centre[1] + half)) + 1
    crop = image[top:bottom, left:right]
    local = landmarks - np.array([left, top], np.float32)
    scale = _MAX_SIDE_PX / max(crop.shape[:2])
    if scale < 1:
        size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
        local = local * scale
    return np.ascontiguousarray(crop), local.astype(np.float32)
