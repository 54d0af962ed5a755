"""Which row is drawn next: classes, methods and stores as often as a recipe wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceColumns


class WeightedRows:
    """Draws rows with given odds.

    Args:
        rows: (N,) rows to draw from.
        weights: (N,) how often each is drawn, against the others.
        what: What they are, for the message.

    Raises:
        UsageError: There are none.
    """

    def __init__(self, rows: NDArray[np.int64], weights: NDArray[np.float64], what: str) -> None:
        if not len(rows):
            raise UsageError(
                f"There are no {what} to train on.",
                hint="Check the splits, methods, compression and labels of data.stores.",
            )
        self.rows = rows
        self._bounds = np.cumsum(weights / weights.sum())

    def draw(self, rng: np.random.Generator) -> int:
        """One row."""
        place = int(np.searchsorted(self._bounds, rng.random(), side="right"))
        return int(self.rows[min(place, len(self.rows) - 1)])


def draw_weights(
    columns: FaceColumns, store_of: NDArray[np.int64], shares: NDArray[np.float64], *, by: str
) -> NDArray[np.float64]:
    """How often each of N rows of one class is drawn.

    Args:
        columns: Columns of these rows.
        store_of: (N,) number of the store that each lies in.
        shares: (stores,) what the recipe says of each store.
        by: ``method``: every method of a data set comes as often as any other; ``class``: faces
            come as they are.

    Returns:
        (N,) weights; those of one store sum to that store's share.
    """
    weights = np.zeros(len(store_of))
    methods = np.char.add(np.char.add(columns.data_set, "/"), columns.method)
    for number in np.unique(store_of):
        mine = store_of == number
        keys = methods[mine] if by == "method" else np.full(int(mine.sum()), "")
        _, kind, count = np.unique(keys, return_inverse=True, return_counts=True)
        weights[mine] = shares[number] / (count[kind] * len(count))
    return weights
