"""FakeAVCeleb v1.2: 500 celebrities, with faces, lips and voices exchanged, by group.

Layout as published (``meta_data.csv`` has one cell more a row than names in its header)::

    meta_data.csv    source,target1,target2,method,category,type,race,gender,path,
                     id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4,
                     FakeAVCeleb/RealVideo-RealAudio/African/men/id00076          (one line)
    RealVideo-RealAudio/African/men/id00076/00109.mp4
    FakeVideo-FakeAudio/African/men/id00076/00109_10_id00476_wavtolip.mp4

A fake's name begins with the clip it was made from. ``source`` is the person on screen; a
``target1`` that is a person (``id...``) gave the face. Groups: ``race`` and ``gender``, balanced by
design, and ``type``.

A *RealVideo-FakeAudio* film has an untouched picture: whether it is fake depends on what is asked.
The option ``fake_audio`` leaves such films out (the default), or takes them ``as_real`` or
``as_fake``. There is no official split.

Source: Khalid et al., "FakeAVCeleb", NeurIPS 2021 data sets track. The list's format and the
counts of version 1.2 confirmed from public readers, not from the authors (who say "over 20,000").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from unmask.datasets._listing import REAL, SetReader, list_file, malformed, near_match, read_rows
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_REAL_TYPE, _FAKE_AUDIO = "RealVideo-RealAudio", "RealVideo-FakeAudio"
_TYPES = (_REAL_TYPE, _FAKE_AUDIO, "FakeVideo-RealAudio", "FakeVideo-FakeAudio")
_COLUMNS = ("source", "target1", "method", "type", "race", "gender", "path")


@DATASETS.register
class FakeAVCeleb(SetReader):
    """FakeAVCeleb by its ``meta_data.csv``. Option: ``fake_audio``."""

    spec: ClassVar = DataSetSpec(
        id="fakeavceleb",
        title="FakeAVCeleb (v1.2)",
        paper="Khalid et al., FakeAVCeleb, NeurIPS 2021 Datasets and Benchmarks",
        home="https://github.com/DASH-Lab/FakeAVCeleb",
        licence="FakeAVCeleb request form: research; films from VoxCeleb2",
        media="film",
        splits=(),
        counts={
            "type=RealVideo-RealAudio": 500,
            "type=RealVideo-FakeAudio": 500,
            "type=FakeVideo-RealAudio": 9709,
            "type=FakeVideo-FakeAudio": 10835,
        },
        groups=("race", "gender", "type"),
    )
    choices: ClassVar = {"fake_audio": ("leave_out", "as_real", "as_fake")}

    def _open(self) -> None:
        self._path = list_file(self.root, ("meta_data.csv",), self.spec)
        self._rows = read_rows(self._path, _COLUMNS)

    def expected_counts(self) -> Mapping[str, int]:
        """Without the films whose sound alone is fake where these are left out."""
        return {
            key: number
            for key, number in self.spec.counts.items()
            if key != f"type={_FAKE_AUDIO}" or self.options["fake_audio"] != "leave_out"
        }

    def folders(self) -> Sequence[Path]:
        """The folder of each type that is read."""
        left_out = self.options["fake_audio"] == "leave_out"
        return [Path(name) for name in _TYPES if name != _FAKE_AUDIO or not left_out]

    def _list(self) -> Iterator[MediaItem]:
        for row in self._rows:
            if row["type"] not in _TYPES:
                raise malformed(
                    self._path,
                    f"the type {row['type']!r}",
                    f"one of {', '.join(_TYPES)}. {near_match(row['type'], _TYPES)}".rstrip(),
                )
            if row["type"] != _FAKE_AUDIO or self.options["fake_audio"] != "leave_out":
                yield self._item(row)

    def _item(self, row: Mapping[str, str]) -> MediaItem:
        folder = _folder(row)
        stem = PurePosixPath(row["path"]).stem
        person = "/".join((row["race"], row["gender"], row["source"]))
        y_true = int(row["type"].startswith("FakeVideo"))
        if row["type"] == _FAKE_AUDIO:
            y_true = int(self.options["fake_audio"] == "as_fake")
        donor = row["target1"]
        untouched = row["type"] == _REAL_TYPE
        clip = stem if untouched else stem.split("_")[0]
        original = Path(_REAL_TYPE, *folder.parts[1:], f"{clip}.mp4")
        return MediaItem(
            path=folder / row["path"],
            video_id=f"{row['type']}/{person}/{stem}",
            source_id=f"{person}/{clip}",
            y_true=y_true,
            method=row["method"] if y_true else REAL,
            identities=(row["source"], *([donor] if donor.startswith("id") else [])),
            original=None if untouched else original,
            groups={name: row[name] for name in self.spec.groups},
        )


def _folder(row: Mapping[str, str]) -> Path:
    """The folder that the unnamed last cell tells, from the type on; else by the columns."""
    told = PurePosixPath(row.get("", "")).parts
    if row["type"] in told:
        return Path(*told[told.index(row["type"]) :])
    return Path(row["type"], row["race"], row["gender"], row["source"])
