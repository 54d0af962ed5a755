"""Whether a run that is gone on with is given the faces that it was begun with.

Names and numbers of faces stay the same when a folder is extracted anew or another film takes a
name. Bytes of the crops would say too much: they change with the last digit of a landmark, and so
with the number of threads. So a few dozen crops are kept as coarse pictures, and compared as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.generators.material import FaceTrack, Material
    from unmask.types import Floats

_CROPS, _GRID = 32, 4
# Grey levels of 255. The same film found by another machine's arithmetic differs by less than one.
_SAME = 3.0


def signature_of(material: Material) -> Tensor:
    """(N, 4, 4, 3) float32 grey levels: crops spread over each part of the material."""
    parts = (material.tracks, material.held_out, material.other, material.other_held_out)
    return torch.from_numpy(np.concatenate([_coarse(part) for part in parts]))


def same_material(one: Tensor, other: Tensor) -> bool:
    """Whether two signatures are of the same faces."""
    if one.shape != other.shape:
        return False
    # The mean over a crop, so that one cell on an edge does not decide.
    return bool((one - other).abs().mean(dim=(1, 2, 3)).lt(_SAME).all())


def _coarse(tracks: Sequence[FaceTrack]) -> Floats:
    ends = np.cumsum([len(track) for track in tracks], dtype=np.int64)
    if not len(ends) or not ends[-1]:
        return np.zeros((0, _GRID, _GRID, 3), np.float32)
    chosen = np.linspace(0, ends[-1] - 1, min(_CROPS, int(ends[-1]))).round().astype(int)
    cells = []
    for number in chosen.tolist():
        at = int(np.searchsorted(ends, number, side="right"))
        image = tracks[at].images[number - int(ends[at])]
        size = (_GRID, _GRID)
        cells.append(cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA))
    return np.asarray(np.stack(cells), np.float32)
