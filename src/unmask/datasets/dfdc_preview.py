"""DFDC preview: 66 actors, two unnamed face swaps, an official training and test half.

Layout as published::

    dataset.json      {"method_A/<target>/<target>_A/<swapped>_<target>_A_001.mp4":
                       {"label": "fake", "set": "train", "augmentations": [...]}, ...}
    original_videos/<actor>/<actor>_A_001.mp4
    method_A/<target>/<target>_A/<swapped>_<target>_A_001.mp4       face of <swapped>
    method_B/...

Keys are paths below the root; copies with a ``videos`` level below the three folders are read too.
``target_id`` and ``swapped_id`` of an entry, where there are any, win over its name.

Source: Dolhansky et al., "The Deepfake Detection Challenge (DFDC) Preview Dataset", arXiv
1910.08854. Counts from Li et al. 2020, table 1 (1,131 and 4,113); others count 4,119 fakes.
Keys, ``label`` and ``set`` confirmed from public readers; the names of the ids are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from unmask.datasets._listing import (
    REAL,
    SetReader,
    label_of,
    list_file,
    malformed,
    read_object,
    with_videos_level,
)
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_FOLDERS = ("original_videos", "method_A", "method_B")
_SPLITS = ("train", "val", "test")


@DATASETS.register
class DFDCPreview(SetReader):
    """The preview of the challenge by its ``dataset.json``."""

    spec: ClassVar = DataSetSpec(
        id="dfdc_preview",
        title="DFDC preview",
        paper="Dolhansky et al., The DFDC Preview Dataset, 2019",
        home="https://ai.meta.com/datasets/dfdc/",
        licence="DFDC terms of use: research",
        media="film",
        splits=_SPLITS,
        counts={"real": 1131, "fake": 4113},
    )

    def _open(self) -> None:
        self._path = list_file(self.root, ("dataset.json",), self.spec)
        self._entries = read_object(self._path)
        self._folders = {name: with_videos_level(self.root, name) for name in _FOLDERS}
        self._original_of = {
            PurePosixPath(name).stem: name
            for name, entry in self._entries.items()
            if label_of(str(entry.get("label", ""))) == 0
        }

    def folders(self) -> Sequence[Path]:
        """The three film folders."""
        return tuple(self._folders.values())

    def _list(self) -> Iterator[MediaItem]:
        for name in sorted(self._entries):
            yield self._item(name, self._entries[name])

    def _item(self, name: str, entry: dict[str, Any]) -> MediaItem:
        y_true = label_of(str(entry.get("label", "")))
        split = str(entry.get("set", "")).strip().lower()
        if y_true is None or split not in _SPLITS:
            raise malformed(
                self._path,
                f"{name!r}: {entry!r}",
                'a "label" (real, fake) and a "set" (train, test)',
            )
        folder = PurePosixPath(name).parts[0]
        stem = PurePosixPath(name).stem
        swapped, target, clip = _parts(stem) if y_true else ("", stem.split("_")[0], stem)
        target = str(entry.get("target_id") or target)
        swapped = str(entry.get("swapped_id") or swapped)
        original = self._original_of.get(clip)
        return MediaItem(
            path=self._located(name),
            video_id=f"{folder}/{stem}",
            source_id=clip,
            y_true=y_true,
            method=folder.lower() if y_true else REAL,
            split=split,
            identities=tuple(one for one in (target, swapped) if one),
            original=self._located(original) if y_true and original else None,
        )

    def _located(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        return self._folders.get(parts[0], Path(parts[0])).joinpath(*parts[1:])


def _parts(stem: str) -> tuple[str, str, str]:
    """``<swapped>_<target>_<letter>_<number>``: swapped, target, name of the original clip."""
    parts = stem.split("_")
    if len(parts) < 4 or not (parts[0].isdigit() and parts[1].isdigit()):
        return "", "", stem
    return parts[0], parts[1], "_".join(parts[1:])
