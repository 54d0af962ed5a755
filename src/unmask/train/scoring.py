"""Scores of a trained network on stored faces, at image level and at video level."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from unmask.faces.alignment import align_face
from unmask.metrics import equal_error_rate, log_loss, prior_weights, roc_auc_score
from unmask.train.footage import FootageStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceColumns, FaceStore
    from unmask.networks.base import DetectorNetwork, NetworkSpec
    from unmask.types import Image


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a network says of N faces, or of N clips.

    Attributes:
        logits: (N,) float64; higher = more manipulated.
        features: (N, D) float32, what the last classifier saw, or None.
        columns: What is known of the N faces; of the first frame, for clips.
    """

    logits: NDArray[np.float64]
    features: NDArray[np.float32] | None
    columns: FaceColumns


def crops_of(
    store: FaceStore, rows: NDArray[np.int64], size: int, margin: float
) -> NDArray[np.uint8]:
    """(N, size, size, 3) undegraded crops, cut as a scan cuts them."""
    crops = np.empty((len(rows), size, size, 3), np.uint8)
    for slot, row in enumerate(rows):
        face = store.face(int(row))
        crops[slot] = align_face(face.image, face.landmarks, size=size, margin=margin).image
    return crops


def normalised(images: Tensor, spec: NetworkSpec) -> Tensor:
    """(..., S, S, 3) uint8 -> (..., 3, S, S) float32 by the network's mean and deviation."""
    mean = torch.tensor(spec.mean, device=images.device)
    scale = 1.0 / torch.tensor(spec.std, device=images.device)
    pixels = images.float().sub_(mean).mul_(scale)
    # A view: pixels that lie channel by channel within a point are what "channels last" means.
    return pixels.movedim(-1, -3)


def score_store(
    network: DetectorNetwork,
    store: FaceStore,
    rows: NDArray[np.int64],
    *,
    margin: float | None = None,
    batch: int = 32,
    with_features: bool = True,
    half: bool = False,
) -> Scores:
    """Score stored faces in evaluation mode: each face, or each clip of those faces.

    Args:
        network: The network, on the device it shall run on; its mode is left as it was.
        store: Where the faces lie.
        rows: Rows to score, at least one; clip networks score the clips that they make up.
        margin: Crop margin; None: the network's.
        batch: Faces (or clips) at once.
        with_features: Return features, too.
        half: Compute in bfloat16.

    Raises:
        CorruptMedia: A stored face is damaged.
        UsageError: There are no rows.
    """
    margin = network.spec.crop_margin if margin is None else margin
    footage = FootageStore(store, rows, network.spec)
    logits, features = [], []
    for start in range(0, len(footage), batch):
        numbers = np.arange(start, min(start + batch, len(footage)))
        said, seen = _forward(network, footage.crops(numbers, network.input_px, margin), half=half)
        logits.append(said)
        if with_features:
            features.append(seen)
    return Scores(
        np.concatenate(logits),
        np.concatenate(features) if with_features else None,
        footage.columns,
    )


def _forward(
    network: DetectorNetwork, images: Image, *, half: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    # Fitted networks may hold buffers only.
    device = next(chain(network.parameters(), network.buffers())).device
    was_training = network.training
    network.eval()
    mixed: Any = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
    try:
        with torch.inference_mode(), mixed:
            output = network(normalised(torch.from_numpy(images).to(device), network.spec))
    finally:
        network.train(was_training)
    return output.logits.double().cpu().numpy(), output.features.float().cpu().numpy()


def mean_by_video(
    columns: FaceColumns, logits: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.str_]]:
    """Labels, mean logits and sources of the videos, in the order of their ids.

    Films of two sets may share a name, so a video is a set and a ``video_id``.
    """
    names = np.char.add(np.char.add(columns.data_set, "/"), columns.video_id)
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    means = np.bincount(inverse, logits) / np.bincount(inverse)
    return columns.y_true[first], means, columns.source_id[first]


def figures(columns: FaceColumns, logits: NDArray[np.float64]) -> dict[str, float]:
    """Image-level and video-level figures, as far as the labels allow.

    Returns:
        ``image_auc``, ``image_eer``, ``video_auc``, ``video_eer`` (mean logit over the frames),
        and ``loss``, the log loss of the logits with both classes weighed alike. Empty where a
        class is missing.
    """
    if len(np.unique(columns.y_true)) < 2:
        return {}
    probability = 0.5 * (1 + np.tanh(logits / 2))
    found = {"loss": log_loss(columns.y_true, probability, prior_weights(columns.y_true))}
    found["image_auc"] = roc_auc_score(columns.y_true, logits)
    found["image_eer"] = equal_error_rate(columns.y_true, logits)
    y_true, means, _ = mean_by_video(columns, logits)
    found["video_auc"] = roc_auc_score(y_true, means)
    found["video_eer"] = equal_error_rate(y_true, means)
    return found
