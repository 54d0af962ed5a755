"""Face stores that training and bench read beside shards: caches, several as one, forged ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.datasets.store import FaceColumns, FaceStore, StoredFace
from unmask.errors import NotFound
from unmask.forgeries import FORGERIES, RealFace
from unmask.train.facecache import INDEX, FaceCache
from unmask.train.pairs import face_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A cheek-to-cheek share of 1 (nose at the edge) is about a quarter turn.
_DEG_PER_TURN = 90.0


class CacheStore:
    """A :class:`unmask.train.facecache.FaceCache` read as a face store.

    A cache does not know its fakes' method, nor sharpness: the method is the name of the set, the
    sharpness NaN. The yaw is estimated from where the nose lies between the cheeks, and the size
    of a face is that in the cached crop (at most 320 px).

    Args:
        folder: The cache.

    Raises:
        NotFound: The folder holds no finished cache.
        CorruptMedia: It is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cache = FaceCache(folder)
        self.columns = _columns_of(self._cache)

    def __len__(self) -> int:
        return len(self._cache)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the memory map again instead of copying gigabytes.
        return type(self), (self.folder,)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``; its mask is not known."""
        face = self._cache.face(row)
        return StoredFace(face.image, face.landmarks, None)


def _columns_of(cache: FaceCache) -> FaceColumns:
    count = len(cache)
    label = np.asarray(cache.label, np.int8)
    stems = [Path(str(path)).stem for path in cache.path]
    ids = np.array([f"{source}/{stem}" for source, stem in zip(cache.source, stems, strict=True)])
    span = np.ptp(cache.landmarks, axis=1).max(1)
    paired = np.isin(cache.source, np.unique(cache.source[label == 1]))
    return FaceColumns(
        sample_id=_unique(ids),
        data_set=np.asarray(cache.source),
        video_id=_unique(ids),
        source_id=np.asarray(cache.group),
        # Only the training split of a set with a manifest is ever cached.
        split=np.where(paired, "train", ""),
        method=np.where(label == 1, cache.source, "real"),
        compression=np.full(count, ""),
        y_true=label,
        frame_index=np.zeros(count, np.int32),
        pts_s=np.zeros(count, np.float32),
        face_px=span.astype(np.float32),
        sharpness=np.full(count, np.nan, np.float32),
        yaw_deg=np.array([face_turn(p) * _DEG_PER_TURN for p in cache.landmarks], np.float32),
        groups=np.full(count, "{}"),
    )


def _unique(ids: NDArray[np.str_]) -> NDArray[np.str_]:
    """Names that occur again get a number."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    if len(first) == len(ids):
        return ids
    rows = np.arange(len(ids))
    return np.array(
        [str(ids[row]) if first[inverse[row]] == row else f"{ids[row]}#{row}" for row in rows]
    )


class JoinedStore:
    """Several stores read as one: the rows of the first, then those of the second, and so on.

    Attributes:
        store_of: (N,) number of the store that each row comes from.
    """

    def __init__(self, stores: Sequence[FaceStore]) -> None:
        self.stores = tuple(stores)
        sizes = [len(store) for store in stores]
        self.columns = FaceColumns(
            **{
                field.name: np.concatenate([getattr(s.columns, field.name) for s in stores])
                for field in dataclasses.fields(FaceColumns)
            }
        )
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self.store_of = np.repeat(np.arange(len(sizes)), sizes)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def face(self, row: int) -> StoredFace:
        """Face number ``row`` of all."""
        number = int(self.store_of[row])
        return self.stores[number].face(row - int(self._starts[number]))

    def column(self, name: str) -> NDArray[Any]:
        """A column beside the common ones.

        Raises:
            KeyError: One of the stores has none of that name.
        """
        return np.concatenate([_column_of(store, name) for store in self.stores])


class ForgedStore:
    """Real faces of a store, each followed by a forgery of it that is made when it is read.

    Row 2 n is real and row 2 n + 1 forged from it; the same row is the same picture, always.

    Args:
        store: Where the faces lie.
        rows: Rows of real faces.
        forgeries: Share of each forgery by id.
        seed: Seed of the draws.
    """

    def __init__(
        self,
        store: FaceStore,
        rows: NDArray[np.int64],
        forgeries: Mapping[str, float],
        seed: int = 0,
    ) -> None:
        self._store, self._rows, self._seed = store, rows, seed
        shares = np.array(list(forgeries.values()), float)
        rng = np.random.default_rng((seed, len(rows)))
        self._kind = rng.choice(list(forgeries), len(rows), p=shares / shares.sum())
        self._forge = {name: FORGERIES.get(name)() for name in forgeries}
        columns = store.columns.take(np.repeat(rows, 2))
        fake = np.tile(np.array([False, True]), len(rows))
        kinds = np.repeat(self._kind, 2)
        names = np.char.add(np.char.add(columns.sample_id, ":"), kinds)
        self.columns = dataclasses.replace(
            columns,
            sample_id=np.where(fake, names, columns.sample_id),
            video_id=np.where(
                fake, np.char.add(np.char.add(columns.video_id, ":"), kinds), columns.video_id
            ),
            method=np.where(fake, kinds, columns.method),
            y_true=fake.astype(np.int8),
        )

    def __len__(self) -> int:
        return 2 * len(self._rows)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``, forged where that is odd."""
        number, is_fake = divmod(row, 2)
        real = self._store.face(int(self._rows[number]))
        if not is_fake:
            return real
        rng = np.random.default_rng((self._seed, number))
        forge = self._forge[str(self._kind[number])]
        donor = self._donor(number, rng) if forge.spec.needs_donor else None
        forged = forge.forge(RealFace(real.image, real.landmarks), donor, rng)
        return StoredFace(forged.image, real.landmarks, forged.mask)

    def column(self, name: str) -> NDArray[Any]:
        """A column beside the common ones.

        Raises:
            KeyError: The store has none of that name.
        """
        return _column_of(self._store, name)[np.repeat(self._rows, 2)]

    def _donor(self, number: int, rng: np.random.Generator) -> RealFace:
        sources = self._store.columns.source_id[self._rows]
        others = np.flatnonzero(sources != sources[number])
        chosen = int(rng.choice(others)) if len(others) else number
        face = self._store.face(int(self._rows[chosen]))
        return RealFace(face.image, face.landmarks)


def _column_of(store: FaceStore, name: str) -> NDArray[Any]:
    read = getattr(store, "column", None)
    if read is None:
        raise KeyError(name)
    column: NDArray[Any] = read(name)
    return column


def open_store(folder: Path) -> FaceStore:
    """Open a folder of shards or a face cache, whichever it is.

    Raises:
        NotFound: It is neither.
        CorruptMedia: It is damaged.
    """
    if not folder.is_dir():
        raise NotFound(
            f"There is no face store at {folder}.",
            hint="Make one with 'unmask data prepare', or say where they lie with --shards.",
        )
    if (folder / INDEX).is_file():
        return CacheStore(folder)
    from unmask.datasets.shards import ShardStore

    return ShardStore(folder)
