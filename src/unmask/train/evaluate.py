"""How a network does on the faces held out of training, while it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unmask.faces.alignment import align_face
from unmask.metrics import roc_auc_score
from unmask.train.loop import to_pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detectors._unmask_base_network import UnmaskBaseNetwork
    from unmask.train.facecache import FaceCache

CROP_MARGIN = 1.3
_BATCH = 32
_FALSE_ALARMS = 0.05


def score_rows(
    network: UnmaskBaseNetwork, cache: FaceCache, rows: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """(N,) logits of cached faces, undegraded, in bfloat16 as in training."""
    scores = []
    for start in range(0, len(rows), _BATCH):
        crops = []
        for row in rows[start : start + _BATCH]:
            face = cache.face(int(row))
            crop = align_face(face.image, face.landmarks, size=size, margin=CROP_MARGIN)
            crops.append(crop.image)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            logits, _ = network(to_pixels(np.stack(crops)))
        scores.append(logits.double().numpy())
    return np.concatenate(scores) if scores else np.zeros(0)


def evaluate(
    network: UnmaskBaseNetwork, cache: FaceCache, rows: NDArray[np.int64], size: int
) -> dict[str, float]:
    """Image-level numbers on held-out faces.

    Returns:
        ``auc``: over the sets that bring forgeries. ``false_alarms_SET``: share of the faces of a
        set of real pictures above the score that 5 % of the real faces among the former exceed.
        Numbers for which faces are missing are left out.
    """
    scores, labels, sources = score_rows(network, cache, rows, size), cache.label, cache.source
    labels, sources = labels[rows], sources[rows]
    paired = np.isin(sources, np.unique(sources[labels == 1]))
    found: dict[str, float] = {}
    if not (labels[paired] == 0).any():
        return found
    found["auc"] = roc_auc_score(labels[paired], scores[paired])
    threshold = np.quantile(scores[paired & (labels == 0)], 1 - _FALSE_ALARMS)
    for source in np.unique(sources[~paired]):
        mine = sources == source
        found[f"false_alarms_{source}"] = float((scores[mine] > threshold).mean())
    return found
