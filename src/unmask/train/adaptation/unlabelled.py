"""Faces whose labels cannot be read: what a target domain is to a training strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.datasets.store import FaceColumns, StoredFace

if TYPE_CHECKING:
    from unmask.datasets.store import FaceStore

UNKNOWN = "unknown"
# Columns that say, or give away, what a face is.
_TELLING = ("y_true", "method", "groups")
_OTHERS = tuple(name for name in FaceColumns.__slots__ if name not in _TELLING)


class UnlabelledFaces:
    """A face store without labels, methods and masks.

    Those of the store underneath are never read, so that nothing can leak from them: ``y_true`` is
    0 everywhere, ``method`` is ``unknown``, masks are None.

    Args:
        store: The faces.
    """

    def __init__(self, store: FaceStore) -> None:
        self._store = store
        known = {name: getattr(store.columns, name) for name in _OTHERS}
        self.columns = FaceColumns(
            **known,
            y_true=np.zeros(len(store), np.int8),
            method=np.full(len(store), UNKNOWN),
            groups=np.full(len(store), "{}"),
        )

    def __len__(self) -> int:
        return len(self._store)

    def face(self, row: int) -> StoredFace:
        """Pixels and landmarks of one face.

        Raises:
            CorruptMedia: Its bytes are damaged.
        """
        face = self._store.face(row)
        return StoredFace(face.image, face.landmarks, None)
