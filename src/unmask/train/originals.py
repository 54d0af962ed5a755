"""The real faces that found forgeries were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.train.selection import TrainingFaces

_Key = tuple[str, str]


class Originals:
    """Finds, frame for frame, the original of a forgery by set and source.

    Args:
        faces: Faces that may be trained on; originals are looked for among these only.
    """

    def __init__(self, faces: TrainingFaces) -> None:
        self._rows = faces.footage.rows
        self._columns = faces.footage.store.columns
        rows = np.unique(self._rows)
        by_key: dict[_Key, list[int]] = {}
        for row in rows[self._columns.y_true[rows] == 0]:
            by_key.setdefault(self._key(int(row)), []).append(int(row))
        self._real = {key: np.array(found) for key, found in by_key.items()}

    def has(self, number: int) -> bool:
        """Whether the original of a forgery is among the faces."""
        return self._key(int(self._rows[number, 0])) in self._real

    def of(self, number: int) -> NDArray[np.int64]:
        """(T,) rows of the store: of each frame, the original's frame nearest in time."""
        frames = self._rows[number]
        candidates = self._real[self._key(int(frames[0]))]
        index = self._columns.frame_index
        gap = np.abs(index[candidates][None, :].astype(np.int64) - index[frames][:, None])
        nearest: NDArray[np.int64] = candidates[gap.argmin(1)]
        return nearest

    def _key(self, row: int) -> _Key:
        return str(self._columns.data_set[row]), str(self._columns.source_id[row])
