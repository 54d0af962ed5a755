"""DFDC faces: one tight face crop a film, real and fake, with people of both halves apart.

Layout::

    manifest.csv            file,split,label,video,original,face_px
    {train,val}/{real,fake}/abcdefghij.jpg

``original`` is the film that a fake was made from; a real's is its own. Each file is a crop of the
film ``video``. The two halves were kept apart by face embedding, approximately; the people are
not named. Six rows of the manifest are written twice and count once, so that ``val`` has 296 real
and 300 fake faces in 602 rows. ``face_px``, the face's size in the film, is not read.

Source: selected from Dolhansky et al. 2020 (see ``dfdc``), without a paper of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import (
    REAL,
    SetReader,
    label_of,
    list_file,
    malformed,
    read_rows,
)
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_COLUMNS = ("file", "split", "label", "video", "original")
_SPLITS = ("train", "val")


@DATASETS.register
class DFDCFaces(SetReader):
    """Face crops of the challenge's films by their manifest."""

    spec: ClassVar = DataSetSpec(
        id="dfdc_faces",
        title="DFDC face crops",
        paper="Dolhansky et al., The DeepFake Detection Challenge (DFDC) Dataset, 2020 (selection)",
        home="https://ai.meta.com/datasets/dfdc/",
        licence="DFDC (Kaggle) terms of use: research",
        media="image",
        splits=_SPLITS,
        counts={"train/real": 4437, "train/fake": 6689, "val/real": 296, "val/fake": 300},
    )

    def _open(self) -> None:
        self._path = list_file(self.root, ("manifest.csv",), self.spec)
        rows = read_rows(self._path, _COLUMNS)
        self._rows = list({tuple(row[name] for name in _COLUMNS): row for row in rows}.values())
        self._repeated = len(rows) - len(self._rows)
        self._file_of = {
            row["video"]: Path(row["file"])
            for row in self._rows
            if label_of(row["label"]) == 0 and row["video"] == row["original"]
        }

    def folders(self) -> Sequence[Path]:
        """Both halves, real and fake."""
        return [Path(split, label) for split in _SPLITS for label in ("real", "fake")]

    def remarks(self) -> Sequence[str]:
        """How many rows were written twice."""
        return [f"{self._repeated} rows are written twice"] if self._repeated else []

    def _list(self) -> Iterator[MediaItem]:
        for row in self._rows:
            yield self._item(row)

    def _item(self, row: Mapping[str, str]) -> MediaItem:
        y_true = label_of(row["label"])
        own = row["video"] == row["original"]
        if y_true is None or row["split"] not in _SPLITS or own != (y_true == 0):
            raise malformed(
                self._path,
                f"{row['file']}: split {row['split']!r}, label {row['label']!r}, original "
                f"{row['original']!r}",
                "train or val, real or fake, and for real files the original that they are",
            )
        return MediaItem(
            path=Path(row["file"]),
            video_id=Path(row["video"]).stem,
            source_id=Path(row["original"]).stem,
            y_true=y_true,
            method="dfdc" if y_true else REAL,
            split=row["split"],
            original=self._file_of.get(row["original"]) if y_true else None,
        )
