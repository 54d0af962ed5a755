"""Face stores that a study says how to make, so that one command goes from raw data to its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.datasets.prepare import OpenSet, prepare
from unmask.datasets.preprocessing import Preprocessing
from unmask.datasets.shards import LEFT_OUT, MANIFEST
from unmask.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.datasets.faces_of import Loss

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
    clip_frames: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Roots:
    """Where stores go and where raw data lie.

    Attributes:
        shards: Folder of the stores.
        data: Folder of the raw data.
        workers: Processes that share the work.
        say: Told what is being done.
    """

    shards: Path
    data: Path
    workers: int
    say: Callable[[str], None]


def make_stores(
    prepared: Sequence[PreparedStore], forged: Sequence[ForgedStore], roots: Roots
) -> None:
    """Make the stores that are not there yet, or go on with those that were begun.

    A store that has its manifest is taken as it is.

    Raises:
        NotFound: Raw data are not where the study says.
        InputError: They cannot be read, or give no face.
        UsageError: A folder was begun for something else, or an option is impossible.
        OutputRefused: A folder cannot be written.
        ModelUnavailable: The face models are needed and cannot be fetched.
    """
    paths = [*(one.path for one in prepared), *(one.path for one in forged)]
    if all(_is_there(path, roots) for path in paths):
        return
    from unmask.faces import assets

    assets.ensure()
    for one in prepared:
        if not _is_there(one.path, roots):
            _prepare(one, roots)
    for another in forged:
        if not _is_there(another.path, roots):
            _forge(another, roots)


def _is_there(path: str, roots: Roots) -> bool:
    return (roots.shards / path / MANIFEST).is_file()


def _prepare(store: PreparedStore, roots: Roots) -> None:
    from unmask.datasets import DATASETS

    root = roots.data / store.root
    if not root.is_dir():
        raise NotFound(
            f"The study makes {store.path} of {store.data_set} at {root}, which is not there.",
            hint="Give the folder that holds it with --data, or prepared faces with --shards.",
        )
    reader = DATASETS.get(store.data_set)(root, **store.options)
    how = Preprocessing(frames=store.frames, burst=store.burst, people=store.people)
    told = _Told(store.path, "prepared", roots)
    made = prepare(
        OpenSet(reader, root, getattr(reader, "options", store.options)),
        roots.shards / store.path,
        how,
        workers=max(1, roots.workers),
        on_progress=lambda now: told.tell(now.items, now.total),
    )
    told.losses(made.losses)


def _forge(store: ForgedStore, roots: Roots) -> None:
    from unmask.forge.face_forgers import forgers_of
    from unmask.forge.forged_data_set import SPLITS, ForgingPlan, forge_data_set
    from unmask.forge.target_faces import open_faces

    faces = roots.shards / store.faces
    if not faces.exists():
        faces = roots.data / store.faces
    if not faces.exists():
        raise NotFound(
            f"The study forges the faces of {store.faces}, which is neither in {roots.shards} nor "
            f"in {roots.data}.",
            hint="Give the folder that holds it with --data, or prepared faces with --shards.",
        )
    forgers = forgers_of(store.methods, store.clip_frames)
    plan = ForgingPlan(store.per_face, store.seed, store.splits or dict(SPLITS))
    told = _Told(store.path, "forged", roots)
    made = forge_data_set(
        open_faces(faces),
        forgers,
        roots.shards / store.path,
        plan,
        on_progress=lambda now: told.tell(now.sources, now.total),
    )
    told.losses(made.losses)


class _Told:
    """Says how far the making of a store is, a few times and not with every shard."""

    def __init__(self, path: str, verb: str, roots: Roots) -> None:
        self._path, self._verb, self._roots = path, verb, roots
        self._last = -1

    def tell(self, done: int, total: int) -> None:
        part = _TOLD_TIMES * done // max(1, total)
        if part > self._last:
            self._last = part
            self._roots.say(f"{self._path}: {self._verb} {done:,} of {total:,}")

    def losses(self, losses: Sequence[Loss]) -> None:
        if losses:
            named = self._roots.shards / self._path / LEFT_OUT
            self._roots.say(f"{self._path}: {len(losses):,} losses; see {named}")
