"""What one training step computes: forward pass and losses, in one module.

Losses are computed inside the module's forward pass, so that DistributedDataParallel, which
watches forward passes, sees everything that is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch
from unmask.train.scoring import normalised

if TYPE_CHECKING:
    from unmask.train.strategy import Strategy


class Piece(NamedTuple):
    """A piece of a batch, as tensors on one device; see :class:`unmask.train.samples.RawBatch`.

    Attributes:
        target_images: As many unlabelled faces of the target domain, or None.
    """

    images: Tensor
    y_true: Tensor
    masks: Tensor
    mask_known: Tensor
    target_images: Tensor | None = None

    def to(self, device: torch.device) -> Piece:
        """The same on another device."""
        target = self.target_images
        return Piece(
            self.images.to(device, non_blocking=True),
            self.y_true.to(device, non_blocking=True),
            self.masks.to(device, non_blocking=True),
            self.mask_known.to(device, non_blocking=True),
            None if target is None else target.to(device, non_blocking=True),
        )


class TrainingStep(nn.Module):
    """A network, the modules of a strategy, and their losses.

    Args:
        network: What is trained.
        strategy: Losses beside the network's own, or None.
        paired: Batches hold pairs.
    """

    def __init__(
        self, network: DetectorNetwork, strategy: Strategy | None, *, paired: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.extras = nn.ModuleDict(strategy.modules() if strategy else {})
        self.paired = paired
        self._strategy = strategy

    def forward(self, piece: Piece, progress: float) -> dict[str, Tensor]:
        """Losses by name; training minimises their sum."""
        images, count = piece.images, len(piece.images)
        if self._strategy is not None and piece.target_images is not None:
            images = torch.cat([images, piece.target_images])
        pixels = normalised(images, self.network.spec)
        output = self.network(pixels)
        # Losses of half precision lose the small differences that training ends with.
        with torch.autocast(pixels.device.type, enabled=False):
            labelled = _rows(output, 0, count)
            batch = TrainingBatch(
                pixels[:count], piece.y_true, piece.masks, piece.mask_known, self.paired
            )
            losses = self.network.loss_terms(labelled, batch)
            if self._strategy is not None:
                unlabelled = _rows(output, count, len(images)) if len(images) > count else None
                losses |= self._strategy.loss_terms(
                    self.network, labelled, batch, unlabelled, progress
                )
        return losses


def _rows(output: NetworkOutput, start: int, stop: int) -> NetworkOutput:
    """Some rows of an output, as float32. What is not one entry a row is handed on whole."""
    total = len(output.logits)

    def part(value: Tensor) -> Tensor:
        value = value.float() if value.is_floating_point() else value
        return value[start:stop] if value.ndim and len(value) == total else value

    return NetworkOutput(
        part(output.logits),
        part(output.features),
        None if output.maps is None else part(output.maps),
        None if output.extra is None else {k: part(v) for k, v in output.extra.items()},
    )
