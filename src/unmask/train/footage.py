"""Faces as networks see them: one picture, or the frames of a clip laid on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.datasets.store import StoredFace
from unmask.errors import UsageError
from unmask.faces.alignment import align_region
from unmask.faces.mesh import Region, upright_region
from unmask.forgeries.clip import RealClip
from unmask.train.clips import ClipReader, clip_index, clip_region, similarity
from unmask.train.still_films import moved_still

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceColumns, FaceStore
    from unmask.networks.base import NetworkSpec
    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """Frames of one face, all in one plane; one frame for pictures."""

    frames: list[StoredFace]

    def region(self, margin: float) -> Region:
        """The square to cut: the same in all frames."""
        if len(self.frames) == 1:
            return upright_region(self.frames[0].landmarks, margin)
        return clip_region(np.stack([frame.landmarks for frame in self.frames]), margin)

    def cut(self, region: Region, size: int) -> list[Image]:
        """(size, size, 3) crops of all frames."""
        return [align_region(frame.image, region, size).image for frame in self.frames]

    def clip(self) -> RealClip:
        """The same, as clip forgeries want it."""
        return RealClip(
            [frame.image for frame in self.frames],
            np.stack([frame.landmarks for frame in self.frames]),
        )

    @classmethod
    def of(cls, clip: RealClip, masks: list[Floats] | None) -> Footage:
        """Frames of a clip, with masks where they are known."""
        known: Sequence[Floats | None] = masks or [None] * len(clip)
        return cls(
            [
                StoredFace(image, points, mask)
                for image, points, mask in zip(clip.images, clip.landmarks, known, strict=True)
            ]
        )


class FootageStore:
    """Everything of a store that a network can be shown: its faces, or clips of them.

    A clip of a single picture is made to move a little, the same way each time the same random
    state comes; see :mod:`unmask.train.still_films`.

    Attributes:
        store: The faces.
        rows: (C, T) rows of the store of each footage; T is 1 for pictures.
        columns: What is known of the first frame of each.

    Args:
        store: The faces.
        rows: Rows that may be used.
        spec: Of the network.

    Raises:
        UsageError: There are no rows.
    """

    def __init__(self, store: FaceStore, rows: NDArray[np.int64], spec: NetworkSpec) -> None:
        self.store = store
        rows = np.asarray(rows, np.int64)
        if not len(rows):
            raise UsageError(
                "There are no faces to look at.", hint="Check the filters of the data."
            )
        self._reader: ClipReader | None = None
        if spec.modality == "clip":
            self._reader = ClipReader(store)
            rows = clip_index(store, spec.clip_frames, rows=rows).rows
        self.rows = rows if rows.ndim == 2 else rows[:, None]
        self.columns: FaceColumns = store.columns.take(self.rows[:, 0])

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, number: int, rng: np.random.Generator | None = None) -> Footage:
        """Footage number ``number``.

        Args:
            number: Which.
            rng: How a still moves, where it must; None: a draw that belongs to the number.

        Raises:
            CorruptMedia: The bytes of a face are damaged.
        """
        return self.frames(self.rows[number], rng or np.random.default_rng(number))

    def frames(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Footage:
        """Footage of any (T,) rows of the store; see :meth:`read`."""
        if self._reader is None:
            return Footage([self.store.face(int(row)) for row in rows])
        read = self._reader.read(rows)
        if len(np.unique(rows)) > 1:
            return Footage.of(read.frames, read.masks)
        still = read.frames.face(0)
        moved = moved_still(still, len(rows), rng)
        mask = read.masks[0] if read.masks else None
        return Footage.of(
            moved, None if mask is None else _moved_along(mask, still.landmarks, moved)
        )

    def crops(self, numbers: NDArray[np.int64], size: int, margin: float) -> NDArray[np.uint8]:
        """Undegraded crops, cut as a scan cuts them.

        Returns:
            (N, size, size, 3) uint8 RGB, or (N, T, size, size, 3) for clips.
        """
        cut = []
        for number in numbers:
            shown = self.read(int(number))
            frames = shown.cut(shown.region(margin), size)
            cut.append(frames[0] if self._reader is None else np.stack(frames))
        return np.stack(cut)


def _moved_along(mask: Floats, landmarks: Floats, moved: RealClip) -> list[Floats]:
    """The mask of a still on each frame of the clip that was made of it."""
    size = (mask.shape[1], mask.shape[0])
    moves = [similarity(landmarks, points) for points in moved.landmarks]
    return [np.asarray(cv2.warpAffine(mask, move, size), np.float32) for move in moves]
