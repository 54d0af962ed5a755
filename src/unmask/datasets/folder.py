"""Any folder of real and fake films or pictures.

Layout, with or without a level of splits and of methods::

    [train|val|test/]real/**/*.jpg
    [train|val|test/]fake/**/*.mp4             method ``fake``
    [train|val|test/]fake/simswap/**/*.mp4     method ``simswap``

Beside ``real`` and ``fake``, the names ``0_real``, ``original`` and ``originals``, and ``1_fake``,
``manipulated`` and ``fakes`` are understood, in any case; ``valid`` and ``validation`` are ``val``.

Nothing tells what was made from what, so that every file is a source of its own, and a split
cannot be shown to be clean. Options that say more:

* ``frames=folder``: pictures in one folder are frames of one film (they share a ``video_id``);
* ``pairs=stem``: a fake was made from the real file that has the same name without its ending
  (``real/pair01.mp4``, ``fake/pair01.mp4``), in the same split; they share a ``source_id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import PICTURE_SUFFIXES, REAL, SetReader, media_below, near_match
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem
from unmask.errors import NotFound

_CLASSES = {
    "real": 0, "0_real": 0, "original": 0, "originals": 0,
    "fake": 1, "1_fake": 1, "fakes": 1, "manipulated": 1,
}  # fmt: skip
_SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


@DATASETS.register
class Folder(SetReader):
    """A folder of one's own.

    Options: ``frames`` (``file`` or ``folder``) and ``pairs`` (``none`` or ``stem``).
    """

    spec: ClassVar = DataSetSpec(
        id="folder",
        title="A folder of real and fake files",
        paper="-",
        home="your own files",
        licence="as you have it",
        media="both",
        splits=("train", "val", "test"),
    )
    choices: ClassVar = {"frames": ("file", "folder"), "pairs": ("none", "stem")}

    def _open(self) -> None:
        self._classes = [
            (_SPLITS.get(split.name.lower(), ""), inner, _CLASSES[inner.name.lower()])
            for split in (self.root, *_named(self.root, _SPLITS))
            for inner in _named(split, _CLASSES)
        ]
        if not self._classes:
            seen = sorted(path.name for path in self.root.iterdir() if path.is_dir())
            near = "".join(f" {name!r}: {near_match(name, _CLASSES)}" for name in seen[:3])
            raise NotFound(
                f"Neither {self.root} nor a train, val or test folder in it has a folder called "
                f"real or fake; it has {', '.join(seen[:8]) or 'no folders'}.",
                hint=f"Put the files into real/ and fake/, or write a manifest.{near}",
            )

    def folders(self) -> Sequence[Path]:
        """None: every media file in the folders is listed."""
        return ()

    def _list(self) -> Iterator[MediaItem]:
        originals = {
            (split, path.stem): path.relative_to(self.root)
            for split, folder, y_true in self._classes
            if y_true == 0
            for path in media_below(folder)
        }
        for split, folder, y_true in self._classes:
            for path in media_below(folder):
                yield self._item(path, folder, split, y_true, originals.get((split, path.stem)))

    def _item(
        self, path: Path, folder: Path, split: str, y_true: int, namesake: Path | None
    ) -> MediaItem:
        relative = path.relative_to(self.root)
        inner = path.relative_to(folder).parts
        is_frame = (
            self.options["frames"] == "folder"
            and path.suffix.lower() in PICTURE_SUFFIXES
            and len(inner) > 1
        )
        video = relative.parent if is_frame else relative
        original = namesake if y_true and self.options["pairs"] == "stem" else None
        method = inner[0] if len(inner) > (2 if is_frame else 1) else "fake"
        return MediaItem(
            path=relative,
            video_id=video.as_posix(),
            source_id=(original or video).as_posix(),
            y_true=y_true,
            method=method if y_true else REAL,
            split=split,
            original=original,
        )


def _named(folder: Path, names: dict[str, int] | dict[str, str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name.lower() in names)
