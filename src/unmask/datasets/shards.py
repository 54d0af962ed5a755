"""Prepared faces, read from their shards in any order.

>>> from unmask.datasets.shards import ShardStore
>>> store = ShardStore(folder)  # doctest: +SKIP
>>> store.columns.y_true.mean(), store.face(0).image.shape  # doctest: +SKIP

The manifest says at which byte of which tar a face lies, so one face is one look into a memory
map and one PNG. The tars are plain WebDataset shards, for whoever would rather stream them.
"""

from __future__ import annotations

import mmap
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.datasets.shards_write import FORMAT, POINTS, arrow, read_meta
from unmask.datasets.store import FaceColumns, StoredFace
from unmask.errors import CorruptMedia, NotFound, UnsupportedMedia

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

MANIFEST, SHARDS, SCOPE, LEFT_OUT = "manifest.parquet", "shards", "preparation.json", "left_out.csv"
_OPEN_MAPS = 256  # each holds a file open
_WHERE = ("shard", "image_offset", "image_bytes", "mask_offset", "mask_bytes",
          "landmarks_offset", "crc32")  # fmt: skip
_REJOIN = "Delete it and give the same 'unmask data prepare' call again; shards are kept."
_AGAIN = "Delete that file and give the same 'unmask data prepare' call again; only it is redone."


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What a manifest says of the whole folder.

    Attributes:
        data_set: Id of the set.
        options: The set's own options.
        splits: Splits that were asked for; empty for all.
        preprocessing: Its parameters.
        preprocessing_hash: SHA-256 over them.
        tool: Name and version of the software that made it.
        items: Films and pictures that were gone through.
        left_out: Number of items of which nothing was stored, by reason.
        shards: Name, bytes and faces of each shard.
    """

    data_set: str
    options: Mapping[str, str]
    splits: Sequence[str]
    preprocessing: Mapping[str, Any]
    preprocessing_hash: str
    tool: Mapping[str, str]
    items: int
    left_out: Mapping[str, int]
    shards: Sequence[Mapping[str, Any]]


def read_facts(folder: Path) -> ShardFacts:
    """Read what the manifest of a folder says of the whole.

    Raises:
        NotFound: There is no manifest.
        CorruptMedia: It is damaged.
        UnsupportedMedia: It is of another version.
    """
    path = folder / MANIFEST
    if not path.is_file():
        begun = (folder / SCOPE).is_file()
        raise NotFound(
            f"There is no {MANIFEST} in {folder}" + (": it is unfinished." if begun else "."),
            hint="Give the same 'unmask data prepare' call again; it goes on."
            if begun
            else "Make it with 'unmask data prepare SET ROOT -o DIR'.",
        )
    try:
        meta = read_meta(path)
        if (version := meta.get("format")) == FORMAT:
            return ShardFacts(**{field.name: meta[field.name] for field in fields(ShardFacts)})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptMedia(
            f"The manifest {path} is damaged: {error}.",
            hint=_REJOIN,
        ) from error
    raise UnsupportedMedia(
        f"The manifest {path} is of version {version}; this version of Unmask reads {FORMAT}.",
        hint="Prepare the data set again into another folder, or use the version that made it.",
    )


class ShardStore:
    """Faces of one prepared folder; a :class:`unmask.datasets.store.FaceStore`.

    Shards are mapped when they are first used. A store may be shared by forking and may be
    pickled for other processes.

    Args:
        folder: What ``unmask data prepare`` made.

    Attributes:
        columns: What is known of the faces.
        facts: What is known of the folder.

    Raises:
        NotFound: There is no manifest, or a shard is missing.
        CorruptMedia: The manifest is damaged, or a shard is cut short.
        UnsupportedMedia: The manifest is of another version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = read_facts(folder)
        self._check_shards()
        names = [field.name for field in fields(FaceColumns)]
        columns = self._read([*names, *_WHERE])
        self.columns = FaceColumns(**{name: columns[name] for name in names})
        shards, self._shard = np.unique(columns["shard"], return_inverse=True)
        self._names = [str(name) for name in shards]
        self._where = np.stack([columns[name].astype(np.int64) for name in _WHERE[1:]], 1)
        self._maps: OrderedDict[int, mmap.mmap] = OrderedDict()

    def __len__(self) -> int:
        return len(self.columns)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": OrderedDict()}

    def face(self, row: int) -> StoredFace:
        """Read one face. Unforged faces have a mask of zeros.

        Raises:
            CorruptMedia: Its bytes are not those that were written.
            NotFound: Its shard has gone since the store was opened.
        """
        image_at, image_size, mask_at, mask_size, points_at, checksum = self._where[row].tolist()
        shard = self._map(int(self._shard[row]))
        image_png = shard[image_at : image_at + image_size]
        mask_png = shard[mask_at : mask_at + mask_size] if mask_size else b""
        points = shard[points_at : points_at + 8 * POINTS]
        found = zlib.crc32(points, zlib.crc32(mask_png, zlib.crc32(image_png)))
        image = _decoded(image_png, cv2.IMREAD_COLOR) if found == checksum else None
        if image is None:
            raise CorruptMedia(
                f"The face {self.columns.sample_id[row]} in the shard "
                f"{self._names[self._shard[row]]} is damaged.",
                hint=_AGAIN,
            )
        mask: Floats | None = None
        if mask_size:
            grey = _decoded(mask_png, cv2.IMREAD_GRAYSCALE)
            mask = np.multiply(grey, np.float32(1 / 255), dtype=np.float32)
        elif not self.columns.y_true[row]:
            mask = np.zeros(image.shape[:2], np.float32)
        landmarks = np.frombuffer(points, "<f4").reshape(POINTS, 2).astype(np.float32)
        return StoredFace(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), landmarks, mask)

    def landmarks(self) -> Floats:
        """(N, 468, 2) float32: the landmarks of all faces, read at once (3.7 kB each)."""
        _, pq = arrow()
        column = pq.read_table(self.folder / MANIFEST, columns=["landmarks"]).column(0)
        parts = [chunk.flatten().to_numpy() for chunk in column.chunks]
        return np.concatenate(parts).reshape(-1, POINTS, 2)

    def column(self, name: str) -> NDArray[Any]:
        """A column of the manifest that :class:`FaceColumns` has not (``person``, ``burst``).

        Raises:
            KeyError: There is none of that name.
        """
        return self._read([name])[name]

    def identities(self) -> list[tuple[str, ...]]:
        """People seen in the film of each face, as the set names them."""
        return [tuple(names) for names in self._read(["identities"])["identities"]]

    def _read(self, names: list[str]) -> dict[str, NDArray[Any]]:
        pa, pq = arrow()
        path = self.folder / MANIFEST
        try:
            table = pq.read_table(path, columns=names)
        except (OSError, ValueError) as error:
            raise CorruptMedia(
                f"The manifest {path} is damaged: {error}.",
                hint=_REJOIN,
            ) from error
        read = {}
        for name in names:
            column = table.column(name)
            values = column.to_numpy()
            read[name] = values.astype(np.str_) if pa.types.is_string(column.type) else values
        return read

    def _check_shards(self) -> None:
        for shard in self.facts.shards:
            path = self.folder / SHARDS / shard["name"]
            if shard["faces"]:
                _check_size(path, shard["bytes"])

    def _map(self, number: int) -> mmap.mmap:
        if number in self._maps:
            self._maps.move_to_end(number)
            return self._maps[number]
        path = self.folder / SHARDS / self._names[number]
        expected = next(s["bytes"] for s in self.facts.shards if s["name"] == path.name)
        _check_size(path, expected)
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps[number] = mapped
        if len(self._maps) > _OPEN_MAPS:
            self._maps.popitem(last=False)
        return mapped


def _check_size(path: Path, expected: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise NotFound(
            f"The shard {path} is missing ({error.strerror}).",
            hint="Give the same 'unmask data prepare' call again; only it is redone.",
        ) from error
    if size != expected:
        raise CorruptMedia(
            f"The shard {path} has {size:,} bytes; its manifest speaks of {expected:,}.",
            hint=_AGAIN,
        )


def _decoded(png: bytes, how: int) -> Any:
    return cv2.imdecode(np.frombuffer(png, np.uint8), how)
