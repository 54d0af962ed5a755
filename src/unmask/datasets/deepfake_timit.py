"""DeepfakeTIMIT: 32 people of VidTIMIT swapped within 16 pairs, in two qualities.

Layout as published::

    higher_quality/fadg0/sa1-video-fram1.avi    640 films, 10 a person and quality
    lower_quality/fadg0/sa1-video-fram1.avi

A film ``<person>/<utterance>-video-<other>.avi`` was made from the recording ``<utterance>`` of
``<person>`` with the face of ``<other>`` (read so by public users of the set, who pair it with
that recording of VidTIMIT; the authors' own note was not at hand).

The set holds fakes only. The untouched recordings are VidTIMIT (Sanderson and Lovell, 2009), which
is asked for apart: with the option ``vidtimit`` (a folder, relative to the root or absolute) each
fake's recording is listed too, as a film ``<person>/<utterance>.avi`` or, as VidTIMIT comes, as
the pictures in ``<person>/video/<utterance>/``. All pictures of one recording share a ``video_id``.

There is no official split.

Source: Korshunov and Marcel, "DeepFakes: a New Threat to Face Recognition?", 2018, section 3.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import FILM_SUFFIXES, REAL, SetReader, chosen, media_below
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem
from unmask.errors import NotFound

_FOLDERS = {"hq": "higher_quality", "lq": "lower_quality"}
_FAKE_NAME = re.compile(r"(.+)-video-([a-z0-9]+)")
_PICTURE = re.compile(r"\d+(\.jpe?g)?")


@DATASETS.register
class DeepfakeTimit(SetReader):
    """DeepfakeTIMIT, one quality or both.

    Options: ``quality`` (``hq``, ``lq``, or empty for both) and ``vidtimit``.
    """

    spec: ClassVar = DataSetSpec(
        id="deepfake_timit",
        title="DeepfakeTIMIT",
        paper="Korshunov and Marcel, DeepFakes: a New Threat to Face Recognition?, 2018",
        home="https://www.idiap.ch/en/scientific-research/data/deepfaketimit",
        licence="Idiap's terms: research, on request; VidTIMIT has its own",
        media="both",
        splits=(),
        counts={"compression=hq": 320, "compression=lq": 320},
    )
    choices: ClassVar = {"quality": (), "vidtimit": ()}

    def _open(self) -> None:
        self.qualities = chosen(self.spec.id, "quality", self.options["quality"], tuple(_FOLDERS))
        self._real_root: Path | None = None
        if self.options["vidtimit"]:
            folder = self.root / self.options["vidtimit"]
            if not folder.is_dir():
                raise NotFound(
                    f"VidTIMIT is not at {folder}.",
                    hint="Ask for it at https://conradsanderson.id.au/vidtimit/, or leave the "
                    "option out to read the fakes alone.",
                )
            self._real_root = Path(os.path.relpath(folder, self.root))

    def expected_counts(self) -> dict[str, int]:
        """Only the chosen qualities."""
        return {f"compression={name}": 320 for name in self.qualities}

    def folders(self) -> Sequence[Path]:
        """The quality folders; VidTIMIT holds more than this set used."""
        return [Path(_FOLDERS[name]) for name in self.qualities]

    def remarks(self) -> Sequence[str]:
        """That there are no real films without VidTIMIT."""
        if self._real_root is None:
            return ["the set holds fakes only; give VidTIMIT with the option vidtimit=FOLDER"]
        return []

    def _list(self) -> Iterator[MediaItem]:
        fakes = [item for quality in self.qualities for item in self._fakes(quality)]
        yield from fakes
        if self._real_root is not None:
            for source in sorted({item.source_id for item in fakes}):
                yield from self._reals(self._real_root, *source.split("/"))

    def _fakes(self, quality: str) -> Iterator[MediaItem]:
        folder = self.root / _FOLDERS[quality]
        for path in media_below(folder, FILM_SUFFIXES):
            person, found = path.parent.name, _FAKE_NAME.fullmatch(path.stem)
            if found is None or path.parent.parent != folder:
                continue
            yield MediaItem(
                path=path.relative_to(self.root),
                video_id=f"{quality}/{person}/{path.stem}",
                source_id=f"{person}/{found[1]}",
                y_true=1,
                method="faceswap-gan",
                compression=quality,
                identities=(person, found[2]),
            )

    def _reals(self, real_root: Path, person: str, utterance: str) -> Iterator[MediaItem]:
        item = MediaItem(
            path=real_root / person / f"{utterance}.avi",
            video_id=f"real/{person}/{utterance}",
            source_id=f"{person}/{utterance}",
            y_true=0,
            method=REAL,
            identities=(person,),
        )
        frames = real_root / person / "video" / utterance
        if (self.root / frames).is_dir():
            for picture in sorted((self.root / frames).iterdir()):
                if _PICTURE.fullmatch(picture.name):
                    yield replace(item, path=frames / picture.name)
            return
        for suffix in sorted(FILM_SUFFIXES):
            if (self.root / item.path).with_suffix(suffix).is_file():
                yield replace(item, path=item.path.with_suffix(suffix))
                return
        yield item
