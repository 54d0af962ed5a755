"""Deepfake-Eval-2024: films and pictures that circulated in 2024, judged by fact-checkers.

Layout as published (the ``-with-links`` lists are read where the plain ones are missing)::

    video-metadata-publish.csv    Filename,Date,Video Ground Truth,Audio Ground Truth,
                                  Public Comments,Finetuning Set
    image-metadata-publish.csv    Filename,...,Ground Truth,...,Finetuning Set
    video-data/*.mp4
    image-data/*

Only the verdict on the picture counts; rows judged ``Unknown`` are left out and counted in a
remark, as are file names that a spreadsheet has destroyed (``#NAME?``). ``Finetuning Set`` is
the official split, train or test. Methods and people are not told: every fake is ``in-the-wild``,
and no two films are known to have one source. Sound (``audio-data``) is not read.

Source: Chandra et al., "Deepfake-Eval-2024", arXiv 2503.02857. Lists and columns confirmed from a
public copy (films) and public readers (pictures); of the counts only the 1,975 pictures, which
include those judged unknown, so they are not compared with the labelled ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from unmask.datasets._listing import REAL, SetReader, label_of, list_file, malformed, read_rows
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_VERDICT = {"video": "Video Ground Truth", "image": "Ground Truth"}
_MEDIA = {"both": ("video", "image"), "film": ("video",), "image": ("image",)}
_SPLITS = ("train", "test")


@DATASETS.register
class DeepfakeEval2024(SetReader):
    """Deepfake-Eval-2024, films and pictures. Option: ``media`` (``both``, ``film``, ``image``)."""

    spec: ClassVar = DataSetSpec(
        id="deepfake_eval_2024",
        title="Deepfake-Eval-2024",
        paper="Chandra et al., Deepfake-Eval-2024, arXiv 2503.02857, 2025",
        home="https://huggingface.co/datasets/nuriachandra/Deepfake-Eval-2024",
        licence="CC BY-SA 4.0, on request; not to develop harmful technology",
        media="both",
        splits=_SPLITS,
        groups=("media",),
    )
    choices: ClassVar = {"media": tuple(_MEDIA)}

    def _open(self) -> None:
        self._left_out: dict[str, int] = {}
        self._items: list[MediaItem] = []
        for kind in _MEDIA[self.options["media"]]:
            names = (f"{kind}-metadata-publish.csv", f"{kind}-metadata-publish-with-links.csv")
            path = list_file(self.root, names, self.spec)
            for row in read_rows(path, ("Filename", _VERDICT[kind], "Finetuning Set")):
                self._take(path, kind, row)

    def folders(self) -> Sequence[Path]:
        """None: films that were judged unknown lie among the others."""
        return ()

    def remarks(self) -> Sequence[str]:
        """How many rows were left out, and why."""
        return [f"{number} rows left out: {why}" for why, number in sorted(self._left_out.items())]

    def _list(self) -> Iterator[MediaItem]:
        return iter(self._items)

    def _take(self, path: Path, kind: str, row: dict[str, str]) -> None:
        name, verdict = row["Filename"], row[_VERDICT[kind]]
        y_true = label_of(verdict)
        if name.startswith("#") or not name:
            self._leave_out(f"{kind} names destroyed by a spreadsheet")
            return
        if verdict.lower() == "unknown":
            self._leave_out(f"{kind}s judged unknown")
            return
        split = row["Finetuning Set"].lower()
        if y_true is None or split not in _SPLITS:
            raise malformed(
                path,
                f"the verdict {verdict!r} and the set {row['Finetuning Set']!r} for {name}",
                "Real, Fake or Unknown, and train or test",
            )
        video_id = f"{kind}/{PurePosixPath(name).stem}"
        self._items.append(
            MediaItem(
                path=Path(f"{kind}-data", name),
                video_id=video_id,
                source_id=video_id,
                y_true=y_true,
                method="in-the-wild" if y_true else REAL,
                split=split,
                groups={"media": kind},
            )
        )

    def _leave_out(self, why: str) -> None:
        self._left_out[why] = self._left_out.get(why, 0) + 1
