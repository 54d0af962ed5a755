"""Aligned faces with what is known of them: what training and bench read, wherever it lies."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """One face of one frame.

    Attributes:
        image: (H, W, 3) uint8 RGB; the face with room around it (1.8 times its hull).
        landmarks: (468, 2) float32 mesh points in pixels of ``image``.
        mask: (H, W) float32 0..1, share of foreign pixels, or None where it is not known.
    """

    image: Image
    landmarks: Floats
    mask: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class FaceColumns:
    """What is known of N faces, one array each of length N.

    Attributes:
        sample_id: Unique in the store.
        data_set: Id of the set (``dfdc_faces``).
        video_id: Film or picture that the face was taken from.
        source_id: Original that it was made from; a bootstrap draws these.
        split: Official split or empty.
        method: Forgery or ``real``.
        compression: As the set names it, or empty.
        y_true: 1 = fake.
        frame_index: Frame in its film, 0 for pictures.
        pts_s: Time in its film, seconds.
        face_px: Longer side of the face hull in the original file, before any resizing.
        sharpness: As :mod:`unmask.faces.quality` measures it.
        yaw_deg: Turn of the head, 0 = frontal, sign = side.
        groups: Group labels of each face as a JSON object (``{}`` where there are none).
    """

    sample_id: NDArray[np.str_]
    data_set: NDArray[np.str_]
    video_id: NDArray[np.str_]
    source_id: NDArray[np.str_]
    split: NDArray[np.str_]
    method: NDArray[np.str_]
    compression: NDArray[np.str_]
    y_true: NDArray[np.int8]
    frame_index: NDArray[np.int32]
    pts_s: NDArray[np.float32]
    face_px: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    yaw_deg: NDArray[np.float32]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.y_true)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> FaceColumns:
        """The chosen rows."""
        return FaceColumns(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


class FaceStore(Protocol):
    """Random access to faces; safe to share between loader processes by forking."""

    columns: FaceColumns

    def __len__(self) -> int:
        """How many faces."""
        ...

    def face(self, row: int) -> StoredFace:
        """Read one face.

        Raises:
            CorruptMedia: Its bytes are damaged.
        """
        ...
