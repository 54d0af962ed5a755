"""FaceForensics++: 1,000 films from YouTube, each manipulated in five ways, in three qualities.

Layout, as the authors' download script leaves it (``dataset/README.md`` of the repository)::

    original_sequences/youtube/{raw,c23,c40}/videos/000.mp4
    manipulated_sequences/{Deepfakes,...}/{raw,c23,c40}/videos/000_003.mp4   <target>_<source>
    manipulated_sequences/{Deepfakes,...}/masks/videos/000_003.mp4           not FaceShifter
    splits/{train,val,test}.json                                             or beside the folders

A split list holds pairs of sequences, 360, 70 and 70 of them; each pair was swapped both ways, so
that they stand for 720, 140 and 140 films of every kind. The paper (section 3) has four
manipulations; FaceShifter was added by the same authors in 2020.

The people are not named; each sequence counts as a person, which keeps both films of a pair and
all that was made of them on one side.

Source: Roessler et al., "FaceForensics++", ICCV 2019, sections 3 and 4; split lists and folders
confirmed from the authors' repository, the mask folder from copies of their download script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import REAL, SetReader, chosen, list_file, malformed, read_json
from unmask.datasets._naming import compression_level, sequence_pair
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_FOLDERS = {
    "deepfakes": "Deepfakes",
    "face2face": "Face2Face",
    "faceswap": "FaceSwap",
    "neuraltextures": "NeuralTextures",
    "faceshifter": "FaceShifter",
}
_WITHOUT_MASKS = frozenset({"faceshifter"})
_FILMS = {"train": 720, "val": 140, "test": 140}


@DATASETS.register
class FaceForensics(SetReader):
    """FaceForensics++ at one compression.

    Options: ``compression`` (``c23``, ``c40``, ``raw``; ``c0`` is another name for ``raw``) and
    ``methods`` (comma-separated, all five if empty).
    """

    spec: ClassVar = DataSetSpec(
        id="ffpp",
        title="FaceForensics++",
        paper="Roessler et al., FaceForensics++, ICCV 2019",
        home="https://github.com/ondyari/FaceForensics",
        licence="FaceForensics terms of use: non-commercial research, on request",
        media="film",
        splits=("train", "val", "test"),
        counts={
            **{f"{split}/real": films for split, films in _FILMS.items()},
            **{
                f"{split}/method={method}": films
                for split, films in _FILMS.items()
                for method in _FOLDERS
            },
        },
    )
    choices: ClassVar = {"compression": ("c23", "c40", "raw", "c0"), "methods": ()}

    def _open(self) -> None:
        self.methods = chosen(self.spec.id, "methods", self.options["methods"], tuple(_FOLDERS))
        youtube = Path("original_sequences", "youtube")
        self._compression, self._level = compression_level(
            self.root / youtube, self.options["compression"]
        )
        self._pairs = {split: self._read_pairs(split) for split in self.spec.splits}
        self._refuse_overlap()

    def expected_counts(self) -> Mapping[str, int]:
        """Only what the ``methods`` option leaves."""
        wanted = {REAL, *(f"method={method}" for method in self.methods)}
        return {key: n for key, n in self.spec.counts.items() if key.split("/")[1] in wanted}

    def folders(self) -> Sequence[Path]:
        """The film folders at this compression."""
        return [self._originals(), *(self._fakes(method) for method in self.methods)]

    def _list(self) -> Iterator[MediaItem]:
        for split, pairs in self._pairs.items():
            for sequence in sorted(name for pair in pairs for name in pair):
                yield self._real(sequence, split)
            for method in self.methods:
                for first, second in sorted(pairs):
                    yield self._fake(method, f"{first}_{second}", split)
                    yield self._fake(method, f"{second}_{first}", split)

    def _real(self, sequence: str, split: str) -> MediaItem:
        return MediaItem(
            path=self._originals() / f"{sequence}.mp4",
            video_id=f"{self._compression}/{sequence}",
            source_id=sequence,
            y_true=0,
            method=REAL,
            split=split,
            compression=self._compression,
            identities=(sequence,),
        )

    def _fake(self, method: str, stem: str, split: str) -> MediaItem:
        origin = sequence_pair(stem)
        assert origin is not None  # noqa: S101 - the split lists were checked
        masks = Path("manipulated_sequences", _FOLDERS[method], "masks", "videos")
        return MediaItem(
            path=self._fakes(method) / f"{stem}.mp4",
            video_id=f"{self._compression}/{method}/{stem}",
            source_id=origin.source,
            y_true=1,
            method=method,
            split=split,
            compression=self._compression,
            identities=origin.identities,
            original=self._originals() / f"{origin.source}.mp4",
            mask=None if method in _WITHOUT_MASKS else masks / f"{stem}.mp4",
        )

    def _originals(self) -> Path:
        return Path("original_sequences", "youtube", self._level, "videos")

    def _fakes(self, method: str) -> Path:
        return Path("manipulated_sequences", _FOLDERS[method], self._level, "videos")

    def _read_pairs(self, split: str) -> list[tuple[str, str]]:
        name = f"{split}.json"
        path = list_file(self.root, (f"splits/{name}", name, f"dataset/splits/{name}"), self.spec)
        entries = read_json(path)
        if not isinstance(entries, list):
            raise malformed(path, f"a JSON {type(entries).__name__}", "a list of pairs")
        pairs = []
        for entry in entries:
            pair = isinstance(entry, list) and len(entry) == 2
            if not pair or sequence_pair("_".join(map(str, entry))) is None:
                raise malformed(path, repr(entry), 'a pair of sequences such as ["071", "054"]')
            pairs.append((entry[0], entry[1]))
        return pairs

    def _refuse_overlap(self) -> None:
        seen: dict[str, str] = {}
        for split, pairs in self._pairs.items():
            for sequence in (name for pair in pairs for name in pair):
                if sequence in seen:
                    raise malformed(
                        self.root / f"{split}.json",
                        f"sequence {sequence}, which {seen[sequence]}.json holds too",
                        "every sequence once in all three lists",
                    )
                seen[sequence] = split
