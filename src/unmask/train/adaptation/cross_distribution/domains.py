"""The faces of a study: what is trained on, adapted to and tested on, with no original in two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmask.datasets.store import StoredFace
from unmask.errors import UsageError
from unmask.train.face_stores import ForgedStore
from unmask.train.film_codec import film_still
from unmask.train.prepare import held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore
    from unmask.train.adaptation.cross_distribution.recipe import Source, Target

_FILM_FRAMES = 3
_HALF = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Some faces of a store.

    Attributes:
        store: Where they lie.
        rows: (N,) which ones.
    """

    store: FaceStore
    rows: NDArray[np.int64]

    @property
    def y_true(self) -> NDArray[np.int8]:
        """(N,) 1 = fake."""
        return self.store.columns.y_true[self.rows]

    @property
    def source_id(self) -> NDArray[np.str_]:
        """(N,) original of each."""
        return self.store.columns.source_id[self.rows]


class FilmedFaces:
    """A store whose faces were sent through a film codec: the last frame of a film that drifts.

    Args:
        store: The faces.
        crf: Rate factor of x264.
    """

    def __init__(self, store: FaceStore, crf: int) -> None:
        self._store, self._crf = store, crf
        level = np.full(len(store), f"x264-crf{crf}")
        self.columns = replace(store.columns, compression=level)

    def __len__(self) -> int:
        return len(self._store)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``; the same row always drifts the same way."""
        face = self._store.face(row)
        x, y = np.random.default_rng(row).normal(0, 1, 2)
        coded = film_still(
            np.asarray(face.image), crf=self._crf, preset="veryfast",
            drift_px=(float(x), float(y)), frames=_FILM_FRAMES,
        )  # fmt: skip
        return StoredFace(coded, face.landmarks, face.mask)


def source_faces(store: FaceStore, source: Source) -> tuple[Faces, Faces]:
    """Faces to train on (half of the originals, as many fakes as real ones) and to test on.

    Raises:
        UsageError: A split holds no face, or one class only.
    """
    train = _of_sets(store, source.data_sets, source.split)
    test = _of_sets(store, source.data_sets, source.test_split)
    rows = train[~_adapted_to(store, train)]
    y_true = store.columns.y_true
    classes = [rows[y_true[rows] == label] for label in (0, 1)]
    half = min(source.faces // 2, *map(len, classes))
    balanced = [_some(one, half) for one in classes]
    if not half or len(np.unique(y_true[test])) < 2:
        raise UsageError(
            f"The source has {len(balanced[0])} real and {len(balanced[1])} fake faces to train "
            f"on, and {len(test)} to test on; all must be there.",
            hint="Check the splits and data_sets of the source.",
        )
    return Faces(store, np.sort(np.concatenate(balanced))), Faces(store, test)


def target_faces(store: FaceStore, target: Target) -> tuple[Faces, Faces]:
    """Faces to adapt to and faces to test on; which are chosen does not depend on labels.

    Raises:
        UsageError: There are none.
    """
    rows = _of_sets(store, target.data_sets, target.split)
    if target.forgeries:
        rows = rows[store.columns.y_true[rows] == 0]  # the forge needs untouched faces
    mine = _adapted_to(store, rows)
    adapted = rows[mine]
    tested = rows[~mine]
    if target.test_split:
        tested = _of_sets(store, target.data_sets, target.test_split)
    if not len(adapted) or not len(tested):
        raise UsageError(
            f"{target.name} has {len(adapted)} faces to adapt to and {len(tested)} to test on.",
            hint="Check its splits and data_sets.",
        )
    return _made(store, target, adapted, target.faces), _made(
        store, target, tested, target.test_faces
    )


def _made(store: FaceStore, target: Target, rows: NDArray[np.int64], most: int) -> Faces:
    if target.forgeries:
        real = _some(rows, most // 2)
        forged: FaceStore = ForgedStore(store, np.sort(real), target.forgeries)
        found = Faces(forged, np.arange(len(forged)))
    else:
        found = Faces(store, np.sort(_some(rows, most)))
    if target.film_crf:
        found = replace(found, store=FilmedFaces(found.store, target.film_crf))
    return found


def _of_sets(store: FaceStore, data_sets: tuple[str, ...], split: str) -> NDArray[np.int64]:
    columns = store.columns
    wanted = np.ones(len(columns.split), bool)
    if data_sets:
        wanted &= np.isin(columns.data_set, data_sets)
    if split:
        wanted &= columns.split == split
    return np.flatnonzero(wanted)


def _adapted_to(store: FaceStore, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows belong to the half of the originals that is adapted to, never trained on."""
    sources = store.columns.source_id[rows]
    return np.array([held_out(str(source), _HALF) for source in sources], bool)


def _some(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many, drawn; 0: all."""
    return np.random.default_rng(0).permutation(rows)[: most or None]
