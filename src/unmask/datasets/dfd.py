"""DeepFakeDetection (DFD): 28 actors in 16 scenes and 3,068 swaps between them.

It comes with the FaceForensics++ download and lies in the same folders::

    original_sequences/actors/{raw,c23,c40}/videos/01__kitchen_still.mp4
    manipulated_sequences/DeepFakeDetection/{raw,c23,c40}/videos/01_02__kitchen_still__XXXXXXXX.mp4
    manipulated_sequences/DeepFakeDetection/masks/videos/...

A fake is called ``<target actor>_<source actor>__<scene>__<eight characters>``. There is no
official split and no list: the films are those that are there, with each fake's original whether
it is there or not. Counts: authors' repository (363) and Li et al. 2020, table 1 (3,068).

Source: Dufour and Gully, Google AI blog, 2019; names confirmed from the repository's README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import FILM_SUFFIXES, REAL, SetReader, media_below
from unmask.datasets._naming import compression_level
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_REAL_NAME = re.compile(r"(\d+)__(.+)")
_FAKE_NAME = re.compile(r"(\d+)_(\d+)__(.+)__([A-Z0-9]+)")


@DATASETS.register
class DeepFakeDetection(SetReader):
    """The actors' part of FaceForensics++ at one compression. Option: ``compression``."""

    spec: ClassVar = DataSetSpec(
        id="dfd",
        title="DeepFakeDetection (DFD)",
        paper="Dufour and Gully, Google AI and Jigsaw, 2019",
        home="https://github.com/ondyari/FaceForensics",
        licence="FaceForensics terms of use: non-commercial research, on request",
        media="film",
        splits=(),
        counts={"real": 363, "fake": 3068},
    )
    choices: ClassVar = {"compression": ("c23", "c40", "raw", "c0")}

    def _open(self) -> None:
        actors = Path("original_sequences", "actors")
        self._compression, self._level = compression_level(
            self.root / actors, self.options["compression"]
        )

    def folders(self) -> Sequence[Path]:
        """The two film folders at this compression."""
        return [self._originals(), self._fakes()]

    def _list(self) -> Iterator[MediaItem]:
        fakes = [
            found
            for path in media_below(self.root / self._fakes(), FILM_SUFFIXES)
            if (found := _FAKE_NAME.fullmatch(path.stem))
        ]
        reals = {
            path.stem
            for path in media_below(self.root / self._originals(), FILM_SUFFIXES)
            if _REAL_NAME.fullmatch(path.stem)
        }
        reals |= {f"{found[1]}__{found[3]}" for found in fakes}
        for name in sorted(reals):
            yield MediaItem(
                path=self._originals() / f"{name}.mp4",
                video_id=f"{self._compression}/{name}",
                source_id=name,
                y_true=0,
                method=REAL,
                compression=self._compression,
                identities=(name.split("__")[0],),
            )
        for found in fakes:
            yield self._fake(found)

    def _fake(self, found: re.Match[str]) -> MediaItem:
        source = f"{found[1]}__{found[3]}"
        masks = Path("manipulated_sequences", "DeepFakeDetection", "masks", "videos")
        return MediaItem(
            path=self._fakes() / f"{found[0]}.mp4",
            video_id=f"{self._compression}/{found[0]}",
            source_id=source,
            y_true=1,
            method="deepfakedetection",
            compression=self._compression,
            identities=(found[1], found[2]),
            original=self._originals() / f"{source}.mp4",
            mask=masks / f"{found[0]}.mp4",
        )

    def _originals(self) -> Path:
        return Path("original_sequences", "actors", self._level, "videos")

    def _fakes(self) -> Path:
        return Path("manipulated_sequences", "DeepFakeDetection", self._level, "videos")
