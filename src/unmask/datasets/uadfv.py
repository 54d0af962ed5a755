"""UADFV: 49 films and 49 face swaps of them, the first public set.

Layout::

    real/0000.mp4         or below real/videos
    fake/0000_fake.mp4    the swap of real/0000.mp4

There is neither a list nor a split: the films are those that are there, and of each fake its
original and of each original its fake, so that a missing half is named. The people are not told.
Folders and names confirmed from public readers; no publication of the authors states them.

Source: Yang, Li and Lyu, "Exposing Deep Fakes Using Inconsistent Head Poses", ICASSP 2019; counts
from Li et al. 2020, table 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from unmask.datasets._listing import FILM_SUFFIXES, REAL, SetReader, media_below, with_videos_level
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem

_FAKE = "_fake"


@DATASETS.register
class UADFV(SetReader):
    """UADFV."""

    spec: ClassVar = DataSetSpec(
        id="uadfv",
        title="UADFV",
        paper="Yang et al., Exposing Deep Fakes Using Inconsistent Head Poses, ICASSP 2019",
        home="https://arxiv.org/abs/1811.00661",
        licence="Terms to use UADFV: non-commercial research, on request",
        media="film",
        splits=(),
        counts={"real": 49, "fake": 49},
    )

    def folders(self) -> Sequence[Path]:
        """Both film folders."""
        return [with_videos_level(self.root, "real"), with_videos_level(self.root, "fake")]

    def _list(self) -> Iterator[MediaItem]:
        reals, fakes = self.folders()
        names = {path.stem for path in media_below(self.root / reals, FILM_SUFFIXES)}
        names |= {
            path.stem.removesuffix(_FAKE)
            for path in media_below(self.root / fakes, FILM_SUFFIXES)
            if path.stem.endswith(_FAKE)
        }
        for name in sorted(names):
            yield MediaItem(reals / f"{name}.mp4", name, name, 0, REAL)
        for name in sorted(names):
            yield MediaItem(
                path=fakes / f"{name}{_FAKE}.mp4",
                video_id=f"{name}{_FAKE}",
                source_id=name,
                y_true=1,
                method="faceswap",
                original=reals / f"{name}.mp4",
            )
