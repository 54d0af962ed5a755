"""The map that a network gives beside its score: its own, its class activation map, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from unmask.networks.base import DetectorNetwork

MapKind = Literal["manipulated_pixels", "class_activation", "none"]
_SAME = 1e-3
_ROUNDING = 1e-5


@torch.no_grad()
def map_kind_of(network: DetectorNetwork) -> MapKind:
    """What map an image network has; found by asking it for the map of two pictures of noise.

    A class activation map counts only if its mean is the logit: otherwise the network ends in
    more than a mean over places, and the map would not explain the score.

    Args:
        network: Of modality ``image``; its mode is left as it was.
    """
    was_training = network.training
    network.eval()
    try:
        side = network.input_px
        drawn = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(5))
        pixels = (drawn * 2 - 1).to(next(network.parameters()).device)
        output = network(pixels)
        if output.maps is not None:
            return "manipulated_pixels"
        cells = network.activation_map(pixels)
        if cells is None:
            return "none"
        return "class_activation" if explains(cells, output.logits) else "none"
    finally:
        network.train(was_training)


def explains(cells: Tensor, logits: Tensor) -> bool:
    """Whether the mean of the places' logits (B, h, w) is the logit (B,) of each crop.

    Measured by how much the places differ: the logits of an untrained network are all next to 0.
    """
    gap = (cells.mean((1, 2)) - logits).abs()
    return bool((gap <= _SAME * cells.std((1, 2)) + _ROUNDING * logits.abs()).all())


def scores_and_map(
    network: DetectorNetwork, pixels: Tensor, kind: MapKind
) -> tuple[Tensor, Tensor | None]:
    """One pass over the network.

    Args:
        network: In evaluation mode.
        pixels: (B, 3, S, S).
        kind: From :func:`map_kind_of`.

    Returns:
        logits (B,), and the map (B, h, w) in 0..1 or None. A class activation map is given as the
        probability that the network would state if the whole crop looked like this place, so that
        its values mean the same on every face.
    """
    if kind == "class_activation":
        cells = network.activation_map(pixels)
        if cells is None:  # map_kind_of has asked; said for the type checker
            raise ValueError(f"{network.spec.id} has no class activation map")
        return cells.mean((1, 2)), cells.sigmoid()
    output = network(pixels)
    return output.logits, None if output.maps is None else output.maps.sigmoid()
