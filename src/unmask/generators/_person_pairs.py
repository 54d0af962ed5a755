"""Which face goes with which, by whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def of_the_same_person(person: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of (N,) faces the row of another face of the same person, or its own."""
    rows = np.arange(len(person), dtype=np.int64)
    for number in np.unique(person):
        own = np.flatnonzero(person == number)
        rows[own] = np.roll(own, 1)
    return rows


def of_another_person(person: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of (N,) faces the row of a face of another person; turn about, so that all serve.

    Raises:
        ValueError: All are of one person.
    """
    rows = np.empty(len(person), np.int64)
    for place, number in enumerate(person):
        others = np.flatnonzero(person != number)
        if not len(others):
            raise ValueError(f"{len(person)} faces came, all of one person")
        rows[place] = others[place % len(others)]
    return rows
