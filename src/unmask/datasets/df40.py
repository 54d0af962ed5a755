"""DF40: forty forgery methods over FaceForensics++ and Celeb-DF, as cropped pictures.

Layout as published (frames are cut and cropped already; one list a method and domain)::

    dataset_json/simswap_ff.json    {"simswap_ff": {"simswap_Real": {"train": {...}, "test": {...}},
                                                    "simswap_Fake": {"train": {"000_003":
                                       {"label": ..., "frames": ["deepfakes_detection_datasets/
                                        DF40/simswap/ff/frames/000_003/000.png", ...]}}}}}
    simswap/ff/frames/000_003/000.png               fakes; archives also unpack to simswap/simswap/
    FaceForensics++/original_sequences/...          reals, fetched apart
    Celeb-DF-v2/Celeb-real/frames/id0_0000/...

Everything before ``DF40/`` (or, for reals, before the name of the set) is dropped from the paths of
the lists, and the folders that its archives are known to unpack to are tried. **All frames of a
film are items of one** ``video_id``. Real films stand in many lists and are given once. A film
that lists put on several sides is a test film, then a validation film, then a training film, so
that nothing tested was trained on (in some lists ``val`` repeats ``test``, or train holds both).

``DF40_all.json`` is left out: it repeats the others and puts all under train.

Source: Yan et al., "DF40: Toward Next-Generation Deepfake Detection", NeurIPS 2024; folders, lists
and their quirks from the repository and public readers. The paper counts "over a million" files
and no exact number by split, so that none is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from unmask.datasets._listing import REAL, SetReader, malformed, near_match, read_object
from unmask.datasets._naming import celebrity_fake, celebrity_real, sequence_pair
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem
from unmask.errors import NotFound, UsageError

_LISTS = "dataset_json"
_ALL = "DF40_all"
_COMMON = "deepfakes_detection_datasets"
_SPLITS = ("test", "val", "train")  # where a film is on several sides, the first wins
_KINDS = {"real": 0, "fake": 1}
_REAL_SETS = ("FaceForensics++", "Celeb-DF-v2")


@DATASETS.register
class DF40(SetReader):
    """DF40 by its lists. Option: ``lists`` (comma-separated, ``simswap_ff,sadtalker_cdf``)."""

    spec: ClassVar = DataSetSpec(
        id="df40",
        title="DF40",
        paper="Yan et al., DF40: Toward Next-Generation Deepfake Detection, NeurIPS 2024",
        home="https://github.com/YZY-stack/DF40",
        licence="CC BY-NC 4.0; the films beneath have their own terms",
        media="image",
        splits=("train", "val", "test"),
        groups=("domain",),
    )
    choices: ClassVar = {"lists": ()}

    def _open(self) -> None:
        found = {path.stem: path for path in sorted((self.root / _LISTS).glob("*.json"))}
        found.pop(_ALL, None)
        if not found:
            raise NotFound(
                f"The data set df40 needs its lists ({_LISTS}/simswap_ff.json ...) below "
                f"{self.root}; there is none.",
                hint=f"Fetch them beside the pictures ({self.spec.home}).",
            )
        wanted = [name.strip() for name in self.options["lists"].split(",") if name.strip()]
        for name in wanted:
            if name not in found:
                raise UsageError(
                    f"The data set df40 has no list called {name!r}.", hint=near_match(name, found)
                )
        self._lists = {name: found[name] for name in (sorted(wanted) or found)}

    @cached_property
    def _films(self) -> Mapping[str, tuple[MediaItem, tuple[str, ...]]]:
        """One item a film (its path still empty) with its frames, by ``video_id``."""
        films: dict[str, tuple[MediaItem, tuple[str, ...]]] = {}
        for name, path in self._lists.items():
            for item, frames in _films_of(name, path):
                known = films.get(item.video_id)
                if known is None or _rank(item) < _rank(known[0]):
                    films[item.video_id] = (item, frames)
        return films

    def _list(self) -> Iterator[MediaItem]:
        for video_id in sorted(self._films):
            item, frames = self._films[video_id]
            folders: dict[str, Path] = {}
            for frame in sorted(frames):
                folder, _, name = frame.rpartition("/")
                if folder not in folders:
                    folders[folder] = self._located(folder)
                yield replace(item, path=folders[folder] / name)

    def _located(self, folder: str) -> Path:
        """The first of the folders that the archives unpack to, or the one the list names."""
        places = _places(folder)
        return next((place for place in places if (self.root / place).is_dir()), places[0])


def _films_of(name: str, path: Path) -> Iterator[tuple[MediaItem, tuple[str, ...]]]:
    for classes in read_object(path).values():
        for label, sides in classes.items():
            y_true = _KINDS.get(label.rpartition("_")[2].lower())
            if y_true is None or not isinstance(sides, dict):
                raise malformed(path, f"the class {label!r}", "names that end in _Real or _Fake")
            for split in _SPLITS:
                for film, entry in sorted((sides.get(split) or {}).items()):
                    frames = entry.get("frames") if isinstance(entry, dict) else None
                    if not isinstance(frames, list):
                        raise malformed(path, f"{film!r}: {_short(entry)}", 'a film with "frames"')
                    if film and frames:
                        yield _film(name, film, y_true, split, frames)


def _film(
    name: str, film: str, y_true: int, split: str, frames: list[str]
) -> tuple[MediaItem, tuple[str, ...]]:
    kept = tuple(_below_the_sets(frame) for frame in frames)
    method, _, domain = name.rpartition("_")
    if not method:
        method, domain = name, ""
    if y_true:
        origin = sequence_pair(film) or celebrity_fake(film)
        source, identities = origin if origin else (f"{name}/{film}", ())
        video_id = f"{name}/{film}"
    else:
        shared = kept[0].split("/")[0]
        where = shared if shared in _REAL_SETS else name
        person = celebrity_real(film)
        source, video_id = film if shared in _REAL_SETS else f"{name}/{film}", f"{where}/{film}"
        identities = (person,) if person else (film,) if shared == _REAL_SETS[0] else ()
        method, domain = REAL, domain if shared in _REAL_SETS else ""
    groups = {"domain": domain if domain in {"ff", "cdf"} else "other"}
    item = MediaItem(
        Path(), video_id, source, y_true, method, split, identities=identities, groups=groups
    )
    return item, kept


def _below_the_sets(frame: str) -> str:
    """The part of a frame's path that copies of the set have in common."""
    parts = PurePosixPath(frame.replace("\\", "/")).parts
    if "DF40" in parts:
        return "/".join(parts[parts.index("DF40") + 1 :])
    for shared in _REAL_SETS:
        if shared in parts:
            return "/".join(parts[parts.index(shared) :])
    start = parts.index(_COMMON) + 1 if _COMMON in parts else 0
    return "/".join(part for part in parts[start:] if part not in {"/", ".", ".."})


def _places(folder: str) -> Sequence[Path]:
    own = Path(folder)
    head = own.parts[0] if own.parts else ""
    return [own, Path("DF40", own), Path(head, own), Path("real", own), Path("fake", own)]


def _rank(item: MediaItem) -> int:
    return _SPLITS.index(item.split)


def _short(value: Any) -> str:
    return repr(value)[:60]
