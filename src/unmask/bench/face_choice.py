"""Which real faces of a store a study forges, as a table of its recipe."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.datasets.store import FaceColumns, FaceStore, StoredFace
from unmask.errors import UsageError
from unmask.train.prepare import held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD_OUT, TRAINED_ON, ALL = "held_out", "rest", "all"
_TAKES = (HELD_OUT, TRAINED_ON, ALL)


@dataclass(frozen=True)
class FaceChoice:
    """Real faces of one store.

    Attributes:
        name: What tables call them.
        path: Folder of the store, relative to ``--shards``.
        data_sets: Ids of the data sets in it that are used; empty: all.
        split: Official split; empty: all.
        take: ``held_out``: the originals that a detector's recipe kept from training by its
            ``held_out_share``; ``rest``: the others; ``all``.
        held_out_share: That share; 0 where ``take`` is ``all``.
        sources: At most so many originals, in the order of a hash of their names; 0: all.
        skip_sources: Leave out so many of that order first, so that two choices stay apart.
        per_source: At most so many faces of each original, spread over time; 0: all.
    """

    name: str
    path: str
    data_sets: tuple[str, ...] = ()
    split: str = ""
    take: str = ALL
    held_out_share: float = 0.0
    sources: int = 0
    skip_sources: int = 0
    per_source: int = 0

    def __post_init__(self) -> None:
        if self.take not in _TAKES or (self.take != ALL) != (self.held_out_share > 0):
            raise UsageError(
                f"The faces {self.name}: take is {self.take!r}, held_out_share "
                f"{self.held_out_share:g}.",
                hint="Give held_out or rest with the share of the detector's recipe, or all.",
            )
        if min(self.sources, self.skip_sources, self.per_source) < 0:
            raise UsageError(f"The faces {self.name}: a count is below 0.", hint="Correct it.")

    def rows(self, columns: FaceColumns) -> NDArray[np.int64]:
        """Rows of the chosen faces, in the store's order.

        Raises:
            UsageError: None is left.
        """
        wanted = columns.y_true == 0
        if self.data_sets:
            wanted &= np.isin(columns.data_set, self.data_sets)
        if self.split:
            wanted &= columns.split == self.split
        names = sorted(set(columns.source_id[wanted].tolist()), key=_hashed)
        if self.take != ALL:
            kept = self.take == HELD_OUT
            names = [one for one in names if held_out(one, self.held_out_share) == kept]
        names = names[self.skip_sources :][: self.sources or None]
        rows = np.flatnonzero(wanted & np.isin(columns.source_id, names))
        if not len(rows):
            raise UsageError(
                f"No real face of the store {self.path} belongs to {self.name}.",
                hint="Check its data_sets, split, take and counts.",
            )
        return _few_of_each(columns, rows, self.per_source) if self.per_source else rows


class ChosenFaces:
    """Some rows of a store; a :class:`unmask.datasets.store.FaceStore` itself.

    Args:
        store: Where the faces lie.
        rows: Which.
        split: What all of them are said to belong to; empty: as the store says.
    """

    def __init__(self, store: FaceStore, rows: NDArray[np.int64], split: str = "") -> None:
        self._store, self._rows = store, rows
        self.columns = store.columns.take(rows)
        if split:
            self.columns = replace(self.columns, split=np.full(len(rows), split))

    def __len__(self) -> int:
        return len(self._rows)

    def face(self, row: int) -> StoredFace:
        """Face number ``row`` of the chosen."""
        return self._store.face(int(self._rows[row]))

    def column(self, name: str) -> NDArray[Any]:
        """A column beside the common ones.

        Raises:
            KeyError: The store has none of that name.
        """
        read: Any = getattr(self._store, "column", None)
        if read is None:
            raise KeyError(name)
        column: NDArray[Any] = read(name)[self._rows]
        return column


def _few_of_each(columns: FaceColumns, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    kept: list[int] = []
    for source in dict.fromkeys(columns.source_id[rows].tolist()):
        mine = rows[columns.source_id[rows] == source]
        spread = np.linspace(0, len(mine) - 1, min(most, len(mine))).round().astype(int)
        kept += mine[np.unique(spread)].tolist()
    return np.array(sorted(kept), np.int64)


def _hashed(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()
