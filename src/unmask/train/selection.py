"""Which faces a recipe trains on and which it validates with; no source is ever in both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UsageError
from unmask.train.face_stores import ForgedStore, JoinedStore, open_store
from unmask.train.footage import FootageStore
from unmask.train.prepare import held_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceColumns, FaceStore
    from unmask.networks.base import NetworkSpec
    from unmask.train.network_recipe import NetworkRecipe, Store


class TrainingFaces:
    """What may be trained on: faces, or clips of faces, by number.

    Attributes:
        footage: The faces or clips.
        columns: What is known of (the first frame of) each.
        store_of: (N,) number of the store that each lies in.
        shares: (stores,) how often each store is drawn from.

    Args:
        chosen: The stores.
        rows: Rows that may be trained on.
        spec: Of the network.
    """

    def __init__(self, chosen: Selection, rows: NDArray[np.int64], spec: NetworkSpec) -> None:
        self.footage = FootageStore(chosen.store, rows, spec)
        self.columns = self.footage.columns
        self.store_of = chosen.store.store_of[self.footage.rows[:, 0]]
        self.shares = chosen.shares

    def __len__(self) -> int:
        return len(self.footage)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Rows of all stores of a recipe, read as one.

    Attributes:
        store: The stores as one.
        training: (N,) rows that may be trained on.
        validation: (V,) rows to validate with.
        shares: (stores,) how often each store is drawn from.
    """

    store: JoinedStore
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    shares: NDArray[np.float64]


def open_stores(stores: Sequence[Store], root: Path) -> dict[str, FaceStore]:
    """Open the stores of a recipe, by name.

    Args:
        stores: What the recipe names.
        root: Folder that their paths are relative to.

    Raises:
        NotFound: One is not there.
        CorruptMedia: One is damaged.
    """
    opened: dict[Path, FaceStore] = {}
    for one in stores:
        folder = root / one.path
        if folder not in opened:
            opened[folder] = open_store(folder)
    return {one.name: opened[root / one.path] for one in stores}


def select(recipe: NetworkRecipe, stores: Mapping[str, FaceStore]) -> Selection:
    """Choose the rows that a recipe trains on and validates with.

    Args:
        recipe: What to choose.
        stores: An open store for each name in ``recipe.data.stores``.

    Raises:
        UsageError: A store is not given, or nothing is left to train on.
    """
    named = recipe.data.stores
    joined = _joined(named, stores)
    training, validation = [], []
    for number, one in enumerate(named):
        rows = np.flatnonzero(joined.store_of == number)
        columns = joined.columns.take(rows)
        trained, validated = _split(one, columns, recipe.data.validation_share)
        training.append(rows[trained])
        validation.append(rows[validated])
    chosen = np.concatenate(training)
    if not len(chosen):
        raise UsageError(
            "Nothing in the stores may be trained on: " + _summary(joined.columns),
            hint="Check the splits, methods, compression and labels of data.stores.",
        )
    fakes = int(joined.columns.y_true[chosen].sum())
    if fakes == len(chosen) or (not fakes and not recipe.mixture.forgeries):
        raise UsageError(
            f"There are {len(chosen) - fakes} real and {fakes} fake faces to train on.",
            hint="Both classes are needed: check the splits, methods, compression and labels of "
            "data.stores, or have fakes forged on the fly with mixture.forgeries.",
        )
    shares = np.array([one.weight for one in named])
    kept = _whole_sources(joined.columns, np.concatenate(validation), recipe.data.validation_faces)
    return Selection(joined, chosen, kept, shares)


def target_rows(recipe: NetworkRecipe, stores: Mapping[str, FaceStore]) -> Selection:
    """Faces of the target domain of a recipe's training strategy; nothing is held out.

    Raises:
        UsageError: A store is not given, or no face is left.
    """
    named = recipe.adaptation.target
    joined = _joined(named, stores)
    parts = []
    for number, one in enumerate(named):
        rows = np.flatnonzero(joined.store_of == number)
        parts.append(rows[_split(one, joined.columns.take(rows), 0.0)[0]])
    chosen = np.concatenate(parts)
    if not len(chosen):
        raise UsageError(
            "No face is left of the target domain: " + _summary(joined.columns),
            hint="Check the splits, methods, compression and labels of adaptation.target.",
        )
    return Selection(joined, chosen, chosen[:0], np.array([one.weight for one in named]))


def validation_faces(
    recipe: NetworkRecipe, chosen: Selection
) -> tuple[FaceStore, NDArray[np.int64]]:
    """The store and rows to validate with.

    Where only real faces are held out and the recipe makes forgeries, each is followed by a
    forgery of it, the same at every evaluation.
    """
    rows, forgeries = chosen.validation, recipe.mixture.forgeries
    if forgeries and len(rows) and not chosen.store.columns.y_true[rows].any():
        forged = ForgedStore(chosen.store, rows, forgeries, recipe.seed)
        return forged, np.arange(len(forged))
    return chosen.store, rows


def _joined(named: Sequence[Store], stores: Mapping[str, FaceStore]) -> JoinedStore:
    missing = [one.name for one in named if one.name not in stores]
    if missing:
        raise UsageError(
            f"No store is given for {', '.join(missing)}; given: {', '.join(stores) or 'none'}.",
            hint="Open them with unmask.train.selection.open_stores.",
        )
    return JoinedStore([stores[one.name] for one in named])


def _split(
    one: Store, columns: FaceColumns, share: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of a store's rows are trained on, which validated with."""
    wanted = np.ones(len(columns), bool)
    if one.data_sets:
        wanted &= np.isin(columns.data_set, one.data_sets)
    if one.compression:
        wanted &= np.isin(columns.compression, one.compression)
    if one.methods:
        wanted &= (columns.y_true == 0) | np.isin(columns.method, one.methods)
    wanted &= np.isin(columns.y_true, [("real", "fake").index(label) for label in one.labels])
    mine = columns.split == one.split if one.split else np.ones(len(columns), bool)
    if one.validation_split:
        out = columns.split == one.validation_split
        return wanted & mine & ~out, wanted & out
    sources = [str(source) for source in columns.source_id]
    out = np.array([held_out(source, share) for source in sources], bool)
    return wanted & mine & ~out, wanted & mine & out


def _whole_sources(columns: FaceColumns, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many rows, drawn source by source in the order of a hash of their names."""
    if not most or len(rows) <= most:
        return rows
    names, inverse, counts = np.unique(
        columns.source_id[rows], return_inverse=True, return_counts=True
    )
    order = sorted(range(len(names)), key=lambda n: hashlib.sha256(str(names[n]).encode()).digest())
    kept = np.zeros(len(names), bool)
    left = most
    for number in order:
        if counts[number] <= left:
            kept[number] = True
            left -= int(counts[number])
    return rows[kept[inverse]]


def _summary(columns: FaceColumns) -> str:
    splits = ", ".join(repr(str(name)) for name in np.unique(columns.split))
    methods = ", ".join(str(name) for name in np.unique(columns.method)[:12])
    return f"{len(columns)} faces, splits {splits}, methods {methods}."
