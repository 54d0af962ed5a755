"""The loss of a map of manipulated pixels, over those faces whose mask is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as nnf

if TYPE_CHECKING:
    from torch import Tensor

    from unmask.networks.base import TrainingBatch


def known_mean(per_face: Tensor, known: Tensor) -> Tensor:
    """Mean over the faces that are known; 0, with a gradient of 0, where none is.

    Args:
        per_face: (B,) losses.
        known: (B,) bool.
    """
    weights = known.to(per_face.dtype)
    return (per_face * weights).sum() / weights.sum().clamp_min(1)


def masks_at(masks: Tensor, side: int) -> Tensor:
    """(B, S, S) shares -> (B, side, side) shares, by area."""
    return nnf.adaptive_avg_pool2d(masks[:, None], side).squeeze(1)


def map_loss(maps: Tensor, batch: TrainingBatch) -> Tensor:
    """Binary cross-entropy of map logits with the share of foreign pixels in each cell.

    Args:
        maps: (B, h, w) logits.
        batch: Whose masks to compare with; rows whose mask is not known do not count.

    Returns:
        Scalar.
    """
    wanted = masks_at(batch.masks.float(), maps.shape[-1])
    per_cell = nnf.binary_cross_entropy_with_logits(maps.float(), wanted, reduction="none")
    return known_mean(per_cell.mean((1, 2)), batch.mask_known)
