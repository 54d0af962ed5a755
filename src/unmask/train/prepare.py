"""From the data sets of a recipe to a face cache, and which of its faces are held out.

The work is done in chunks, each written whole, so a run that is killed loses one chunk at most
and goes on where it was. A cache carries a fingerprint of its pictures and of how they were cut;
as long as that holds, it is used again as it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import CorruptMedia, NotFound, OutputRefused, UsageError
from unmask.faces import assets
from unmask.train import facecache
from unmask.train.facecache import INDEX, PIXELS, FaceCache, Item, build_cache, read_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.train.recipe import Data, DataSet

_CHUNK = 128
_RECORD, _PARTS = "cache.json", "parts"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_MANIFEST = ("file", "split", "label", "video", "original")

OnProgress = Callable[[int, int, Sequence[str]], None]
Done = tuple[int, list[str]]


def held_out(group: str, share: float) -> bool:
    """Whether everything made from this original is kept away from training.

    A hash of the name decides, so the answer stays the same when pictures are added.

    Args:
        group: The original's name, as in :attr:`Item.group`.
        share: Share of originals to hold out, 0..1.
    """
    digest = hashlib.sha256(group.encode()).hexdigest()
    return bool(int(digest[:8], 16) / 2**32 < share)


def split_rows(cache: FaceCache, data: Data) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out; sets that the recipe does not name are in neither."""
    named = np.isin(cache.source, [one.name for one in data.sets])
    out = np.array([held_out(str(group), data.held_out_share) for group in cache.group], bool)
    return np.nonzero(named & ~out)[0], np.nonzero(named & out)[0]


def items_of(data: Data, root: Path) -> list[Item]:
    """List the pictures of all data sets, in the order of the recipe.

    Args:
        data: The recipe's data.
        root: Folder that the recipe's paths are relative to.

    Raises:
        NotFound: A folder, manifest or picture is not there.
        CorruptMedia: A manifest lacks a column or speaks of an unknown original.
        UsageError: A set's kind is unknown.
    """
    items: list[Item] = []
    for one in data.sets:
        if one.kind == "pairs":
            items += _pairs(one, root / one.path)
        elif one.kind == "reals":
            items += _reals(one, root / one.path)
        elif one.kind == "films":
            items += _films(one, root / one.path)
        else:
            raise UsageError(
                f"The data set {one.name} is of kind {one.kind!r}.",
                hint="Choose 'pairs' (a manifest), 'reals' (a folder of pictures) or 'films'.",
            )
    return items


def _reals(one: DataSet, folder: Path) -> list[Item]:
    if not folder.is_dir():
        raise NotFound(
            f"The data set {one.name} is not at {folder}.",
            hint="Give the folder that holds the data with --data.",
        )
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise NotFound(f"The folder {folder} of the data set {one.name} holds no pictures.")
    count = one.group_prefix_chars
    family = one.name.partition("_")[0] if count else one.name
    return [Item(path, one.name, 0, f"{family}-{path.stem[: count or None]}") for path in files]


def _films(one: DataSet, folder: Path) -> list[Item]:
    """Untouched films: ``frames`` frames of each, all of one group."""
    lacking = [name for name in one.names if not (folder / name).is_file()]
    if lacking or not one.names:
        raise NotFound(
            f"The data set {one.name} lacks {', '.join(lacking) or 'a list of names'} in {folder}.",
            hint="Name its films in the recipe, and give the folder of the data with --data.",
        )
    return [
        Item(folder / name, one.name, 0, f"{one.name}-{name}", None, number, one.frames)
        for name in one.names
        for number in range(one.frames)
    ]


def _pairs(one: DataSet, manifest: Path) -> list[Item]:
    if not manifest.is_file():
        raise NotFound(
            f"The manifest of the data set {one.name} is not at {manifest}.",
            hint="Give the folder that holds the data with --data.",
        )
    with manifest.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    lacking = [name for name in _MANIFEST if not rows or name not in rows[0]]
    if lacking:
        raise CorruptMedia(
            f"The manifest {manifest} lacks {', '.join(lacking)}, or has no rows.",
            hint=f"Columns: {', '.join(_MANIFEST)}; label is 'real' or 'fake'.",
        )
    rows = [row for row in rows if row["split"] == "train"]
    file_of = {row["video"]: row["file"] for row in rows if row["label"] == "real"}
    return [_pair_item(one, manifest, row, file_of) for row in rows]


def _pair_item(one: DataSet, manifest: Path, row: dict[str, str], file_of: dict[str, str]) -> Item:
    path = manifest.parent / row["file"]
    if row["label"] == "real":
        return Item(path, one.name, 0, row["original"])
    if row["label"] != "fake" or row["original"] not in file_of:
        raise CorruptMedia(
            f"The manifest {manifest} says of {row['file']}: label {row['label']!r}, original "
            f"{row['original']!r}.",
            hint="A label is 'real' or 'fake', and a fake's original is a real row of its split.",
        )
    return Item(path, one.name, 1, row["original"], manifest.parent / file_of[row["original"]])


def prepare(
    items: Sequence[Item],
    folder: Path,
    *,
    workers: int = 1,
    on_progress: OnProgress | None = None,
) -> FaceCache:
    """Make the face cache of ``items``, or take the one that is there.

    Args:
        items: The pictures.
        folder: Where the cache lives. What it holds for other pictures is replaced.
        workers: Processes to use.
        on_progress: Called with (pictures done, pictures in all, new complaints). Called once,
            with everything done and no complaint, when the cache is there already.

    Raises:
        NotFound: A picture is gone.
        ModelUnavailable: The face models are absent and cannot be fetched.
        CorruptMedia: Not one face was found.
        UsageError: The folder holds a face cache that was not made here.
        OutputRefused: The folder cannot be written.
    """
    report = on_progress or _say_nothing
    fingerprint = fingerprint_of(items)
    if _is_whole(folder, fingerprint):
        report(len(items), len(items), [])
        return FaceCache(folder)
    if (folder / INDEX).is_file() and not any((folder / n).exists() for n in (_RECORD, _PARTS)):
        raise UsageError(
            f"{folder} holds a face cache of unknown making, which would be replaced.",
            hint="Choose another folder with --cache, or delete that one.",
        )
    assets.ensure()
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    # Chunks of another set of pictures lie in another folder and are removed at the end.
    parts = [folder / _PARTS / fingerprint[:16] / f"{number:06d}" for number in range(len(chunks))]
    complaints: list[str] = []
    done = 0
    try:
        for count, new in _build(chunks, parts, workers):
            done += count
            complaints += new
            report(done, len(items), new)
        _join(parts, folder)
        record = {"fingerprint": fingerprint, "pictures": len(items), "complaints": complaints}
        _write_text(folder / _RECORD, json.dumps(record, indent=1) + "\n")
        shutil.rmtree(folder / _PARTS)
    except OSError as error:
        raise OutputRefused(
            f"The face cache {folder} cannot be written: {error.strerror or error}.",
            hint="Free some space, or choose another folder with --cache; finished parts are kept.",
        ) from error
    return FaceCache(folder)


def fingerprint_of(items: Sequence[Item]) -> str:
    """SHA-256 over the pictures (name, size in bytes, label, group) and how they are cut.

    Raises:
        NotFound: A picture is gone.
    """
    digest = hashlib.sha256()
    how = [facecache.FORMAT, facecache.MARGIN, facecache.MAX_SIDE_PX]
    digest.update(json.dumps([how, [asset.sha256 for asset in assets.ASSETS]]).encode())
    for item in items:
        try:
            size = item.path.stat().st_size
        except OSError as error:
            raise NotFound(
                f"The picture {item.path} of {item.source} cannot be read: {error.strerror}.",
                hint="Check the manifest and --data.",
            ) from error
        original = item.original.name if item.original else ""
        row = [item.source, item.path.name, size, item.label, item.group, original]
        if item.of_frames > 1:
            row += [item.frame, item.of_frames]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _say_nothing(done: int, total: int, complaints: Sequence[str]) -> None:
    del done, total, complaints


def _is_whole(folder: Path, fingerprint: str) -> bool:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return bool(record["fingerprint"] == fingerprint) and len(FaceCache(folder)) > 0
    except (OSError, ValueError, KeyError, TypeError, NotFound, CorruptMedia):
        return False


def _build(chunks: list[Sequence[Item]], parts: list[Path], workers: int) -> Iterator[Done]:
    """Make the parts that are not there yet; yields (pictures, complaints) as they are done."""
    todo = []
    for chunk, part in zip(chunks, parts, strict=True):
        if (part / _RECORD).is_file():
            yield len(chunk), json.loads((part / _RECORD).read_text(encoding="utf-8"))
        else:
            todo.append((list(chunk), part))
    if workers <= 1:
        yield from (_build_part(chunk, part) for chunk, part in todo)
        return
    # Spawned, not forked: OpenVINO's threads do not survive a fork.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        futures = {pool.submit(_build_part, chunk, part) for chunk, part in todo}
        try:
            yield from _as_done(futures)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _as_done(futures: set[Future[Done]]) -> Iterator[Done]:
    while futures:
        finished, futures = wait(futures, return_when=FIRST_COMPLETED)
        for future in finished:
            yield future.result()


def _one_thread() -> None:
    import cv2

    os.environ["UNMASK_THREADS"] = "1"
    cv2.setNumThreads(1)


def _build_part(items: Sequence[Item], part: Path) -> Done:
    complaints = [complaint for _, complaint in build_cache(items, part) if complaint]
    _write_text(part / _RECORD, json.dumps(complaints))
    return len(items), complaints


def _join(parts: list[Path], folder: Path) -> None:
    """Lay the parts one after the other; the index, which makes the cache whole, comes last."""
    indices: list[dict[str, NDArray[Any]]] = []
    offset = 0
    # Under another name first: a run that still reads the old pixels keeps them.
    partial = folder / f".{PIXELS}"
    with partial.open("wb") as pixels:
        for part in parts:
            index = read_index(part)
            index["offset"] = index["offset"] + offset
            with (part / PIXELS).open("rb") as source:
                shutil.copyfileobj(source, pixels, 1 << 20)
            offset = pixels.tell()
            indices.append(index)
    columns = {name: np.concatenate([index[name] for index in indices]) for name in indices[0]}
    if not len(columns["label"]):
        raise CorruptMedia(
            "Not one face was found in the pictures of the recipe.",
            hint="Look at the complaints above and at the folders that the recipe names.",
        )
    (folder / INDEX).unlink(missing_ok=True)
    (folder / _RECORD).unlink(missing_ok=True)
    partial.replace(folder / PIXELS)
    facecache.write_index(folder, columns)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
