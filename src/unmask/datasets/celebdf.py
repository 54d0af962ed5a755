"""Celeb-DF, versions 1 and 2: interviews of celebrities, and the same with faces exchanged.

Layout of both (authors' repository)::

    Celeb-real/id0_0000.mp4            recording 0000 of celebrity id0
    YouTube-real/00000.mp4             further interviews; the people are not named
    Celeb-synthesis/id0_id1_0000.mp4   face of id1 on recording 0000 of id0
    List_of_testing_videos.txt         "1 Celeb-real/id1_0007.mp4"

In the list **1 stands for real and 0 for fake**, the other way round from ``y_true``; the folder
says the same, and a line that contradicts its folder is refused rather than believed. Only the
test films are listed: everything else in the folders is ``train``, and a listed film is known
even where its file is missing. Copies with a ``videos`` level below each folder are read too.

The official split keeps neither celebrities nor recordings apart: version 2 tests on
``id1_id0_0007`` while other swaps of people seen there are free for training. The option
``keep_apart`` takes from ``train`` what shares an untouched recording (``sources``) or a person
(``identities``) with the test films; with ``official`` (the default) nothing is taken away.

Source: Li et al., "Celeb-DF", CVPR 2020, table 1. List format and the 518 entries of version 2
(178 real, 340 fake) confirmed on public copies of the list; of version 1 only its length (100).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import (
    FILM_SUFFIXES,
    REAL,
    SetReader,
    list_file,
    malformed,
    media_below,
    read_text,
    with_videos_level,
)
from unmask.datasets._naming import celebrity_fake, celebrity_real
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_LIST = "List_of_testing_videos.txt"
_LABELS = {"Celeb-real": 0, "YouTube-real": 0, "Celeb-synthesis": 1}
_Y_TRUE_OF_LIST = {"1": 0, "0": 1}
_HOME = "https://github.com/yuezunli/celeb-deepfakeforensics"
_LICENCE = "Terms to use Celeb-DF: non-commercial research, on request"


class CelebDF(SetReader):
    """What both versions share. Option: ``keep_apart``."""

    choices: ClassVar = {"keep_apart": ("official", "sources", "identities")}
    crossings: ClassVar = frozenset({"sources", "identities"})

    def _open(self) -> None:
        self._folders = {name: with_videos_level(self.root, name) for name in _LABELS}
        self._test = self._read_list()

    def expected_counts(self) -> Mapping[str, int]:
        """Without the totals where ``keep_apart`` takes training films away."""
        if self.options["keep_apart"] == "official":
            return self.spec.counts
        return {key: n for key, n in self.spec.counts.items() if key.startswith("test")}

    def folders(self) -> Sequence[Path]:
        """The three film folders."""
        return tuple(self._folders.values())

    def _list(self) -> Iterator[MediaItem]:
        names = {
            (folder, path.stem)
            for folder, where in self._folders.items()
            for path in media_below(self.root / where, FILM_SUFFIXES)
        }
        known = [self._item(*name) for name in sorted(names | self._test)]
        items = [item for item in known if item is not None]
        test = [item for item in items if item.split == "test"]
        sources = {item.source_id for item in test}
        people = {name for item in test for name in item.identities}
        keep = self.options["keep_apart"]
        for item in items:
            shares = (keep != "official" and item.source_id in sources) or (
                keep == "identities" and not people.isdisjoint(item.identities)
            )
            if item.split == "test" or not shares:
                yield item

    def _item(self, folder: str, stem: str) -> MediaItem | None:
        """The film, or None where its name is not one of the set's (``check`` names it)."""
        item = MediaItem(
            path=self._folders[folder] / f"{stem}.mp4",
            video_id=f"{folder}/{stem}",
            source_id=f"{folder}/{stem}",
            y_true=_LABELS[folder],
            method=REAL,
            split="test" if (folder, stem) in self._test else "train",
            groups={"collection": folder},
        )
        if folder == "YouTube-real":
            return item if stem.isdigit() else None
        if folder == "Celeb-real":
            person = celebrity_real(stem)
            return replace(item, identities=(person,)) if person else None
        origin = celebrity_fake(stem)
        if origin is None:
            return None
        return replace(
            item,
            source_id=f"Celeb-real/{origin.source}",
            method="celeb-synthesis",
            identities=origin.identities,
            original=self._folders["Celeb-real"] / f"{origin.source}.mp4",
        )

    def _read_list(self) -> set[tuple[str, str]]:
        path = list_file(self.root, (_LIST,), self.spec)
        listed = set()
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            label, _, name = line.strip().partition(" ")
            if not label:
                continue
            folder, _, file = name.strip().partition("/")
            if label not in _Y_TRUE_OF_LIST or folder not in _LABELS or not file:
                raise malformed(
                    path, f"{line!r} in line {number}", '"1 Celeb-real/id1_0007.mp4" or its like'
                )
            if _Y_TRUE_OF_LIST[label] != _LABELS[folder]:
                raise malformed(
                    path,
                    f"{line!r} in line {number}, which calls a {_named(1 - _LABELS[folder])} film "
                    f"what lies in the folder of {_named(_LABELS[folder])} ones (labels reversed?)",
                    "1 before real films and 0 before fakes",
                )
            listed.add((folder, Path(file).stem))
        if not listed:
            raise malformed(path, "no films", "one test film a line")
        return listed


@DATASETS.register
class CelebDFv1(CelebDF):
    """Celeb-DF version 1."""

    spec: ClassVar = DataSetSpec(
        id="celebdf_v1",
        title="Celeb-DF (v1)",
        paper="Li et al., Celeb-DF, arXiv 1909.12962, 2019",
        home=_HOME,
        licence=_LICENCE,
        media="film",
        splits=("train", "test"),
        counts={
            "collection=Celeb-real": 158,
            "collection=YouTube-real": 250,
            "fake": 795,
            "test": 100,
        },
        groups=("collection",),
    )


@DATASETS.register
class CelebDFv2(CelebDF):
    """Celeb-DF version 2."""

    spec: ClassVar = DataSetSpec(
        id="celebdf_v2",
        title="Celeb-DF (v2)",
        paper="Li et al., Celeb-DF, CVPR 2020",
        home=_HOME,
        licence=_LICENCE,
        media="film",
        splits=("train", "test"),
        counts={
            "collection=Celeb-real": 590,
            "collection=YouTube-real": 300,
            "fake": 5639,
            "test": 518,
            "test/real": 178,
            "test/fake": 340,
        },
        groups=("collection",),
    )


def _named(y_true: int) -> str:
    return ("real", "fake")[y_true]
