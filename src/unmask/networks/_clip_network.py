"""What networks that judge clips share: the shape of a clip, and losses of frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch.nn.functional as nnf
from torch import Tensor

from unmask.errors import UsageError
from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch


class ClipNetwork(DetectorNetwork):
    """Base of networks whose ``pixels`` are (B, T, 3, S, S).

    ``logits`` are of the whole clip. Where a network also judges frames, ``extra["frame_logits"]``
    holds (B, T) logits; what a frame's logit may see of the other frames differs from network to
    network and is said there.

    Attributes:
        small: Arguments of a configuration that trains on two processor cores.
        frame_loss_weight: Weight of the mean cross-entropy of the frames' logits; 0: none.
    """

    small: ClassVar[Mapping[str, Any]] = {}
    frame_loss_weight: ClassVar[float] = 0.0

    def loss_terms(self, output: NetworkOutput, batch: TrainingBatch) -> dict[str, Tensor]:
        """Cross-entropy of the clip and, where it has a weight, of its frames."""
        losses = super().loss_terms(output, batch)
        if self.frame_loss_weight:
            losses["frames"] = self.frame_loss_weight * frame_loss(output, batch)
        return losses


def frame_loss(output: NetworkOutput, batch: TrainingBatch) -> Tensor:
    """Mean cross-entropy of the frames, each with the label of its clip."""
    frames = (output.extra or {})["frame_logits"]
    target = batch.y_true[:, None].expand_as(frames)
    return nnf.binary_cross_entropy_with_logits(frames, target)


def clip_shape(pixels: Tensor) -> tuple[int, int]:
    """Clips and frames of (B, T, 3, S, S) pixels.

    Raises:
        UsageError: They are no clips.
    """
    if pixels.ndim != 5 or pixels.shape[2] != 3:
        raise UsageError(
            f"A clip network got pixels of shape {tuple(pixels.shape)}; it needs "
            "(clips, frames, 3, side, side).",
            hint="Give clips of consecutive faces, or choose a network whose modality is image.",
        )
    return pixels.shape[0], pixels.shape[1]


def fold_frames(pixels: Tensor) -> Tensor:
    """(B, T, 3, S, S) -> (B T, 3, S, S): frames side by side, for what sees one at a time."""
    clip_shape(pixels)
    return pixels.flatten(0, 1)


def time_second(pixels: Tensor) -> Tensor:
    """(B, T, 3, S, S) -> (B, 3, T, S, S), as three-dimensional convolutions want it."""
    clip_shape(pixels)
    return pixels.transpose(1, 2)


def scaled(width: int, factor: float) -> int:
    """``width`` channels scaled by ``factor``, in steps of four, at least four."""
    return max(4, round(width * factor / 4) * 4)


def require_frames(frames: int, most: int, network_id: str) -> None:
    """Refuse clips longer than the places that a network has learnt.

    Raises:
        UsageError: There are more frames than places.
    """
    if frames > most:
        raise UsageError(
            f"{network_id} got clips of {frames} frames; it has places for at most {most}.",
            hint="Cut the film into shorter clips.",
        )
