"""Face stores that a study says how to make, so that one command goes from raw data to its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.bench.told import FewTimes
from unmask.datasets import DATASETS
from unmask.datasets.prepare import OpenSet, prepare
from unmask.datasets.preprocessing import Preprocessing
from unmask.datasets.shards import LEFT_OUT, MANIFEST
from unmask.errors import NotFound
from unmask.forge.face_forgers import CLIP_FRAMES, forgers_of
from unmask.forge.forged_data_set import SPLITS, ForgingPlan, forge_data_set
from unmask.forge.target_faces import open_faces

if TYPE_CHECKING:
    from unmask.bench.comparison.study_runs import Place
    from unmask.datasets.faces_of import Loss
    from unmask.forge.face_forgers import FaceForger

_TOLD_TIMES = 10


@dataclass(frozen=True)
class PreparedStore:
    """A store as ``unmask data prepare`` makes it; see there for what the numbers mean.

    Attributes:
        path: Folder of the store, relative to ``--shards``.
        data_set: Id of the data set.
        root: Where the data set lies, relative to ``--data``.
        options: Options of the set itself.
        frames: Frames of a film.
        burst: Taken in runs of so many.
        people: People of a film that are kept.
    """

    path: str
    data_set: str
    root: str
    options: dict[str, str] = field(default_factory=dict)
    frames: int = 32
    burst: int = 1
    people: int = 1


@dataclass(frozen=True)
class ForgedStore:
    """A store as ``unmask forge dataset`` makes it.

    Attributes:
        path: Folder of the store, relative to ``--shards``.
        faces: Real faces: a store below ``--shards``, or films and pictures below ``--data``.
        methods: Ids of forgeries.
        splits: Share of the sources in each split.
        per_face: Forgeries of each face by each method.
        clip_frames: Frames of the clips that methods of films forge.
        seed: Of the forgeries.
    """

    path: str
    faces: str
    methods: tuple[str, ...]
    splits: dict[str, float] = field(default_factory=dict)
    per_face: int = 1
    clip_frames: int = CLIP_FRAMES
    seed: int = 0


def make_stores(
    prepared: Sequence[PreparedStore], forged: Sequence[ForgedStore], place: Place
) -> None:
    """Make the stores that are not there yet, or go on with those that were begun.

    A store that has its manifest is taken as it is.

    Raises:
        NotFound: Raw data are not where the study says.
        UnknownEntry: There is no such data set or method.
        InputError: Raw data cannot be read, or give no face.
        UsageError: A folder was begun for something else, or an option is impossible.
        OutputRefused: A folder cannot be written.
        ModelUnavailable: The face models are needed and cannot be fetched.
    """
    to_prepare = [one for one in prepared if not _is_there(one.path, place)]
    to_forge = [one for one in forged if not _is_there(one.path, place)]
    # What cannot be made is said before the first hour is spent.
    opened = [_opened(one, place) for one in to_prepare]
    forgers = [forgers_of(one.methods, one.clip_frames) for one in to_forge]
    if not (to_prepare or to_forge):
        return
    from unmask.faces import assets

    assets.ensure()
    for one, data_set in zip(to_prepare, opened, strict=True):
        _prepare(one, data_set, place)
    for another, methods in zip(to_forge, forgers, strict=True):
        _forge(another, methods, place)


def _is_there(path: str, place: Place) -> bool:
    return (place.stores.root / path / MANIFEST).is_file()


def _raw(place: Place) -> Path:
    return place.data or Path()


def _opened(store: PreparedStore, place: Place) -> OpenSet:
    data_set = DATASETS.get(store.data_set)
    root = _raw(place) / store.root
    if not root.is_dir():
        raise NotFound(
            f"The study makes {store.path} of {store.data_set} at {root}, which is not there.",
            hint="Give the folder that holds it with --data, or prepared faces with --shards.",
        )
    reader = data_set(root, **store.options)
    return OpenSet(reader, root, getattr(reader, "options", store.options))


def _prepare(store: PreparedStore, data_set: OpenSet, place: Place) -> None:
    how = Preprocessing(frames=store.frames, burst=store.burst, people=store.people)
    told = FewTimes(place.say, _TOLD_TIMES)
    made = prepare(
        data_set,
        place.stores.root / store.path,
        how,
        workers=max(1, place.workers),
        on_progress=lambda now: told.tell(f"{store.path}: prepared", now.items, now.total),
    )
    _tell_losses(made.losses, store.path, place)


def _forge(store: ForgedStore, forgers: Sequence[FaceForger], place: Place) -> None:
    faces = place.stores.root / store.faces
    if not faces.exists():
        faces = _raw(place) / store.faces
    if not faces.exists():
        raise NotFound(
            f"The study forges the faces of {store.faces}, which is neither in "
            f"{place.stores.root} nor in {_raw(place)}.",
            hint="Give the folder that holds it with --data, or prepared faces with --shards.",
        )
    plan = ForgingPlan(store.per_face, store.seed, store.splits or dict(SPLITS))
    told = FewTimes(place.say, _TOLD_TIMES)
    made = forge_data_set(
        open_faces(faces),
        forgers,
        place.stores.root / store.path,
        plan,
        on_progress=lambda now: told.tell(f"{store.path}: forged", now.sources, now.total),
    )
    _tell_losses(made.losses, store.path, place)


def _tell_losses(losses: Sequence[Loss], path: str, place: Place) -> None:
    if losses:
        place.say(f"{path}: {len(losses):,} losses; see {place.stores.root / path / LEFT_OUT}")
