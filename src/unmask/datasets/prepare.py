"""From a data set to a folder of shards: in parallel, in pieces that are whole or absent.

The items are put in the order of a hash of their source, so that everything made from one
original lies together (its faces are found once) and a shard is a fair sample of the set. They
are cut into shards in that order, and each shard carries a digest of its items, of their files'
sizes and of the preprocessing: what is there and still good is never made again, and what was
missing is tried again once the file is there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask import __version__
from unmask.datasets.faces_of import ItemReader, Loss
from unmask.datasets.prepare_processes import in_processes
from unmask.datasets.prepare_scope import hold_scope, write_left_out
from unmask.datasets.shards import LEFT_OUT, MANIFEST, SHARDS, read_facts
from unmask.datasets.shards_write import (
    FORMAT,
    Sample,
    encode,
    join_tables,
    read_meta,
    write_shard,
)
from unmask.errors import CorruptMedia, InputError, NotFound, OutputRefused, UsageError

if TYPE_CHECKING:
    from unmask.datasets.base import DataSet, MediaItem
    from unmask.datasets.preprocessing import Preprocessing

FACES_PER_SHARD = 512
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif"}
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class OpenSet:
    """A data set and where it lies.

    Attributes:
        reader: The opened set.
        root: Its root.
        options: What it was opened with beside the root; written down with the faces.
    """

    reader: DataSet
    root: Path
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Id of the set."""
        return self.reader.spec.id


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a preparation is.

    Attributes:
        items: Films and pictures that are done.
        total: All of them.
        faces: Faces stored.
        new_faces: Of these, by this call.
        losses: What is missing of the items done since the last report.
    """

    items: int
    total: int
    faces: int
    new_faces: int
    losses: Sequence[Loss]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a preparation left in its folder.

    Attributes:
        items: Films and pictures gone through.
        faces: Faces stored.
        losses: Everything that is missing, as in ``left_out.csv``.
        shards_made: Shards that this call wrote; the others were there.
    """

    items: int
    faces: int
    losses: Sequence[Loss]
    shards_made: int


@dataclass(frozen=True, slots=True)
class _Task:
    """One shard to make; travels to a worker process."""

    tar: Path
    digest: str
    data_set: str
    root: Path
    how: Preprocessing
    items: tuple[MediaItem, ...]


@dataclass(frozen=True, slots=True)
class _Done:
    tar: Path
    items: int
    faces: int
    bytes: int
    losses: tuple[Loss, ...]


OnProgress = Callable[[Progress], None]


def prepare(
    data_set: OpenSet,
    folder: Path,
    how: Preprocessing,
    *,
    splits: Sequence[str] = (),
    limit: int | None = None,
    workers: int = 1,
    faces_per_shard: int = FACES_PER_SHARD,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Make, go on with, or extend the shards of a data set.

    Args:
        data_set: What to prepare.
        folder: Where the shards go.
        how: The preprocessing.
        splits: Official splits to take; empty for everything.
        limit: At most so many films and pictures, sources kept whole (at least one source).
        workers: Processes; 1 works in this one.
        faces_per_shard: About so many; a kill loses at most one shard for each worker.
        on_progress: Called after every shard, first with all that were there already.

    Raises:
        UsageError: A split is unknown; or the folder holds another set, other options, other
            splits, another preprocessing, or more items than are asked for.
        NotFound: The set names no items.
        CorruptMedia: Not one face was found.
        ModelUnavailable: The face models are absent and cannot be fetched.
        EnvironmentProblem: A worker process died.
        OutputRefused: The folder cannot be written.
    """
    from unmask.faces import assets

    report = on_progress or _say_nothing
    _check_splits(data_set.reader, splits)
    items, losses = _items(data_set.reader, splits, limit)
    scope = hold_scope(folder, data_set.id, data_set.options, splits, how)
    _refuse_fewer(folder, len(items))
    tasks = _tasks(items, data_set, folder, how, faces_per_shard)
    done = {task.tar: found for task in tasks if (found := _found(task)) is not None}
    todo = [task for task in tasks if task.tar not in done]
    count, faces = sum(d.items for d in done.values()), sum(d.faces for d in done.values())
    old = [loss for one in done.values() for loss in one.losses]
    report(Progress(count, len(items), faces, 0, [*losses, *old]))
    new_faces = 0
    if todo:
        assets.ensure()
    for result in in_processes(_make, todo, workers):
        done[result.tar] = result
        count, faces, new_faces = (
            count + result.items, faces + result.faces, new_faces + result.faces
        )  # fmt: skip
        report(Progress(count, len(items), faces, new_faces, result.losses))
    in_order = [done[task.tar] for task in tasks]
    losses += [loss for one in in_order for loss in one.losses]
    if not faces:
        raise CorruptMedia(
            f"Not one face was found in the {len(items)} films and pictures of {data_set.id}.",
            hint=f"See what was left out and why: {losses[0].path}: {losses[0].reason}"
            if losses
            else "",
        )
    _finish(folder, scope, in_order, losses)
    return Prepared(len(items), faces, losses, len(todo))


def _say_nothing(progress: Progress) -> None:
    del progress


def _check_splits(data_set: DataSet, splits: Sequence[str]) -> None:
    unknown = [split for split in splits if split not in data_set.spec.splits]
    if unknown:
        raise UsageError(
            f"The data set {data_set.spec.id} has no split {unknown[0]!r}.",
            hint=f"It has: {', '.join(data_set.spec.splits) or 'none; leave --split out'}.",
        )


def _items(
    data_set: DataSet, splits: Sequence[str], limit: int | None
) -> tuple[list[MediaItem], list[Loss]]:
    """The items in the order in which they are stored, and those listed twice."""
    wanted: Sequence[str | None] = splits or [None]
    listed = (item for split in wanted for item in data_set.items(split))
    seen: set[Path] = set()
    losses, ordered = [], []
    for position, item in enumerate(listed):
        if item.path in seen:
            reason = "The set's lists name it twice; the first is kept."
            losses.append(
                Loss(item.path.as_posix(), item.video_id, "double", "listed_twice", reason)
            )
            continue
        seen.add(item.path)
        source = hashlib.sha256(item.source_id.encode()).hexdigest()
        ordered.append((source, position, item))
    if not ordered:
        raise NotFound(
            f"The lists of {data_set.spec.id} name no film and no picture"
            + (f" of the splits {', '.join(splits)}." if splits else "."),
            hint="Look at the set with 'unmask data check SET ROOT'.",
        )
    ordered.sort(key=lambda row: row[:2])
    if limit is not None and limit < len(ordered):
        end = limit
        while end > 0 and ordered[end][0] == ordered[end - 1][0]:
            end -= 1
        if not end:  # one source alone is more than the limit
            end = sum(row[0] == ordered[0][0] for row in ordered)
        ordered = ordered[:end]
    return [item for _, _, item in ordered], losses


def _refuse_fewer(folder: Path, count: int) -> None:
    try:
        there = read_facts(folder).items
    except InputError:
        return
    if count < there:
        raise UsageError(
            f"{folder} holds the faces of {there:,} films and pictures; this call asks for "
            f"{count:,} of them.",
            hint="Choose another folder with -o, or give the --limit that it was made with.",
        )


def _tasks(
    items: Sequence[MediaItem], data_set: OpenSet, folder: Path, how: Preprocessing, size: int
) -> list[_Task]:
    """Cut the items into shards of about ``size`` faces."""
    tasks: list[_Task] = []
    some: list[MediaItem] = []
    weight = 0
    for number, item in enumerate(items, 1):
        some.append(item)
        weight += 1 if item.path.suffix.lower() in _PICTURES else how.frames * how.people
        if weight >= size or number == len(items):
            digest = _digest(some, data_set, how)
            tar = folder / SHARDS / f"{len(tasks):06d}-{digest[:12]}.tar"
            tasks.append(_Task(tar, digest, data_set.id, data_set.root, how, tuple(some)))
            some, weight = [], 0
    return tasks


def _digest(items: Sequence[MediaItem], data_set: OpenSet, how: Preprocessing) -> str:
    digest = hashlib.sha256(json.dumps([FORMAT, data_set.id, how.hash()]).encode())
    for item in items:
        row: list[Any] = [
            item.path.as_posix(), item.video_id, item.source_id, item.y_true, item.method,
            item.split, item.compression, item.identities, dict(item.groups),
        ]  # fmt: skip
        for path in (item.path, item.original, item.mask):
            row += [path and path.as_posix(), _size(data_set.root / path) if path else -1]
        digest.update(json.dumps(row, sort_keys=True).encode())
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _found(task: _Task) -> _Done | None:
    """The shard, where an earlier call made it and it is still whole."""
    try:
        meta = read_meta(task.tar.with_suffix(".parquet"))
        good = meta["format"] == FORMAT and meta["digest"] == task.digest
        if good and (_size(task.tar) == meta["bytes"] or not meta["faces"]):
            losses = tuple(Loss(**loss) for loss in meta["losses"])
            return _Done(task.tar, len(task.items), meta["faces"], meta["bytes"], losses)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _make(task: _Task) -> _Done:
    """Make one shard; runs in a worker process."""
    losses: list[Loss] = []
    facts = {"format": FORMAT, "digest": task.digest}
    write_shard(task.tar, _samples(task, losses), facts, losses)
    made = _found(task)
    if made is None:
        raise OutputRefused(
            f"The shard {task.tar} cannot be read back after it was written.",
            hint="Check the disk, then give the same call again; finished shards are kept.",
        )
    return made


def _samples(task: _Task, losses: list[Loss]) -> Iterator[Sample]:
    reader = ItemReader(task.root, task.how)
    for item in task.items:
        try:
            found = reader.read(item)
        except Exception as error:  # a fault of ours in one film is no reason to lose the others
            reason = f"{type(error).__name__}: {error}"
            losses.append(
                Loss(item.path.as_posix(), item.video_id, "all", "internal_fault", reason)
            )
            continue
        losses += found.losses
        name = _sample_name(item)
        for cut in found.cuts:
            person = f"-p{cut.person}" if cut.person else ""
            yield encode(f"{name}-f{cut.frame_index:06d}{person}", task.data_set, item, cut)


def _sample_name(item: MediaItem) -> str:
    """Unique in the set, short enough for a tar header, and without dots or slashes."""
    readable = _UNFIT.sub("_", item.video_id)[:40].strip("_") or "item"
    return f"{readable}-{hashlib.sha256(item.path.as_posix().encode()).hexdigest()[:10]}"


def _finish(
    folder: Path, scope: Mapping[str, Any], done: Sequence[_Done], losses: Sequence[Loss]
) -> None:
    """Write the manifest of all shards, last of all, and remove what it does not name."""
    meta = {
        **scope,
        "format": FORMAT,
        "tool": {"name": "unmask", "version": __version__},
        "items": sum(one.items for one in done),
        "left_out": dict(Counter(loss.code for loss in losses if loss.whole)),
        "shards": [{"name": d.tar.name, "bytes": d.bytes, "faces": d.faces} for d in done],
    }
    write_left_out(folder / LEFT_OUT, losses)
    try:
        current = read_meta(folder / MANIFEST)
    except (OSError, ValueError, KeyError, TypeError):
        current = {}
    if current != json.loads(json.dumps(meta)):
        join_tables([d.tar.with_suffix(".parquet") for d in done], folder / MANIFEST, meta)
    wanted = {d.tar.stem for d in done}
    for path in (folder / SHARDS).iterdir():
        if path.stem not in wanted:
            path.unlink(missing_ok=True)
