"""Deepfake Detection Challenge (DFDC): 119,154 training clips in 50 parts, and the test clips.

Layout as published (Kaggle and Meta); the part folders may lie anywhere up to three levels down::

    dfdc_train_part_00/metadata.json   {"a.mp4": {"label": "FAKE", "split": "train",
                                                  "original": "b.mp4"}, ...}
    dfdc_train_part_00/*.mp4
    test/labels.csv                    filename,label (1 = fake), or a metadata.json
    test/*.mp4                         or below test/videos

Meta's metadata of the test clips says ``is_fake`` (1 or 0) instead of ``label``. Folders whose
name begins with ``test`` or ``val`` are those splits, whatever their lists say. The training
clips' makers and actors are not told: every fake has the method ``dfdc``, and no identities.

Source: Dolhansky et al., "The DeepFake Detection Challenge (DFDC) Dataset", arXiv 2006.07397,
section 4: 119,154 training clips, 100,000 of them fake; 4,000 for validation and 10,000 for the
test, half of each fake. Not all test clips were published, so only the training counts are
compared. ``metadata.json`` and ``labels.csv`` confirmed from public readers, ``is_fake`` not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from unmask.datasets._listing import (
    REAL,
    SetReader,
    label_of,
    malformed,
    read_object,
    read_rows,
    with_videos_level,
)
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem
from unmask.errors import NotFound

_PARTS = 50
_DEPTH = 3
_METADATA, _LABELS = "metadata.json", "labels.csv"
_PART_NUMBER = re.compile(r"part_(\d+)$")


@DATASETS.register
class DFDC(SetReader):
    """The challenge's films by the lists in their part folders."""

    spec: ClassVar = DataSetSpec(
        id="dfdc",
        title="Deepfake Detection Challenge",
        paper="Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020",
        home="https://ai.meta.com/datasets/dfdc/",
        licence="DFDC terms of use: research",
        media="film",
        splits=("train", "val", "test"),
        counts={"train/real": 19154, "train/fake": 100000},
    )

    def _open(self) -> None:
        self._lists = sorted(_lists_below(self.root, _DEPTH))
        if not self._lists:
            raise NotFound(
                f"The data set dfdc needs a {_METADATA} (or {_LABELS}) in each of its part "
                f"folders below {self.root}; there is none.",
                hint=f"Unpack the parts as they were published ({self.spec.home}).",
            )

    def folders(self) -> Sequence[Path]:
        """Every folder that has a list."""
        return [self._folder(path) for path in self._lists]

    def remarks(self) -> Sequence[str]:
        """Which of the 50 training parts have no list."""
        found = {
            int(number[1])
            for path in self._lists
            if (number := _PART_NUMBER.search(path.parent.name))
        }
        lacking = [f"{number:02d}" for number in range(_PARTS) if number not in found]
        return [f"training parts without {_METADATA}: {', '.join(lacking)}"] if lacking else []

    def _list(self) -> Iterator[MediaItem]:
        for path in self._lists:
            entries = _csv_entries(path) if path.name == _LABELS else read_object(path)
            folder = self._folder(path)
            for name in sorted(entries):
                yield _item(path, folder, name, entries[name])

    def _folder(self, path: Path) -> Path:
        return with_videos_level(self.root, str(path.parent.relative_to(self.root)))


def _lists_below(folder: Path, depth: int) -> Iterator[Path]:
    for name in (_METADATA, _LABELS):
        if (folder / name).is_file():
            yield folder / name
            break
    if depth > 0:
        for inner in folder.iterdir():
            if inner.is_dir() and not inner.name.startswith("."):
                yield from _lists_below(inner, depth - 1)


def _csv_entries(path: Path) -> dict[str, dict[str, Any]]:
    rows = read_rows(path, ("filename", "label"))
    return {row["filename"]: {"label": row["label"]} for row in rows}


def _item(path: Path, folder: Path, name: str, entry: dict[str, Any]) -> MediaItem:
    label = str(entry.get("label", entry.get("is_fake", "")))
    y_true = label_of(label)
    if y_true is None:
        raise malformed(path, f"the label {label!r} of {name}", "REAL or FAKE")
    stem = Path(name).stem
    original = str(entry.get("original") or "")
    fake_of = y_true == 1 and original not in {"", "nan"}
    return MediaItem(
        path=folder / name,
        video_id=stem,
        source_id=Path(original).stem if fake_of else stem,
        y_true=y_true,
        method="dfdc" if y_true else REAL,
        split=_split_of(path, entry),
        original=folder / original if fake_of else None,
    )


def _split_of(path: Path, entry: dict[str, Any]) -> str:
    for split, starts in (("test", "test"), ("val", "val")):
        if path.parent.name.lower().startswith(starts):
            return split
    told = str(entry.get("split") or "train").lower()
    return {"validation": "val", "valid": "val"}.get(told, told)
