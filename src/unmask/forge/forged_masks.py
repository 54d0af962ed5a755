"""The mask and matrix of every forged face, kept beside a conversion: free labels for detectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import OutputRefused
from unmask.forge.alignments import (
    FILE,
    VERSION,
    Alignments,
    FaceRecord,
    SourceRecord,
    write_alignments,
)
from unmask.forge.cutting import face_record
from unmask.media import write_picture

if TYPE_CHECKING:
    from unmask.forge.cutting import Placed
    from unmask.forge.merging import Patch
    from unmask.types import MediaInfo

MASKS = "masks"


class MaskKeeper:
    """Writes ``masks/FRAME_FACE.png`` and, at the end, ``alignments.json``.

    Masks are grey pictures of the size of the frame: the share of foreign pixels, 0..255, rounded
    up, so that what was changed is never 0. Frame numbers are those of the input.

    Args:
        folder: Made if need be.
        info: Of the input.
        size_px: Side of the crops that were painted.
        margin: Their side over that of the face.

    Raises:
        OutputRefused: The folder cannot be made, or holds what ``unmask forge extract`` wrote.
    """

    def __init__(self, folder: Path, info: MediaInfo, size_px: int, margin: float) -> None:
        self._folder, self._info = folder, info
        self._size_px, self._margin = size_px, margin
        self._records: list[FaceRecord] = []
        if (folder / FILE).is_file() and not (folder / MASKS).is_dir():
            raise OutputRefused(
                f"{folder} holds the {FILE} of an extraction, which masks would overwrite.",
                hint="Choose another folder with --keep-masks.",
            )
        try:
            (folder / MASKS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputRefused(
                f"{folder} cannot be written: {error.strerror or error}.",
                hint="Choose another folder with --keep-masks.",
            ) from error

    def add(self, face: Placed, place: int, patch: Patch | None, shape: tuple[int, ...]) -> None:
        """Keep one face's mask.

        Args:
            face: What was painted.
            place: Which forged face of its frame.
            patch: What it changed; None: nothing, an empty mask.
            shape: Of the frame.
        """
        height, width = shape[:2]
        empty = np.zeros((height, width), np.uint8)
        mask = empty if patch is None else patch.whole_mask(height, width)
        name = f"{MASKS}/{face.frame.number:06d}_{place}.png"
        write_picture(self._folder / name, mask)
        matrix = face.region.matrix(self._size_px)
        self._records.append(face_record(name, self._info.name, face, matrix))

    def finish(self) -> None:
        """Write ``alignments.json``."""
        source = SourceRecord(
            name=self._info.name,
            sha256=self._info.sha256,
            kind="picture" if self._info.kind == "image" else "film",
            frame_rate=self._info.frame_rate or 0.0,
            width_px=self._info.width_px,
            height_px=self._info.height_px,
        )
        write_alignments(
            self._folder,
            Alignments(
                version=VERSION,
                size_px=self._size_px,
                margin=self._margin,
                one_region=False,
                digest="",
                sources=[source],
                faces=self._records,
            ),
        )
