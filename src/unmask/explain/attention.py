"""Attention roll-out: how much of each patch reaches the class token of a transformer.

Source: Abnar & Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020, section 3: the
attention of a layer is averaged over heads, mixed half and half with the identity for the residual
connection, and multiplied through the layers. It knows nothing of the class: it says where the
network looks, not what it concludes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from unmask.networks import DetectorNetwork


def attention_layers(network: DetectorNetwork) -> list[nn.Module]:
    """The self-attention layers with a joint query-key-value projection (timm's), in order."""
    needed = ("qkv", "num_heads", "scale", "q_norm", "k_norm")
    return [one for one in network.modules() if all(hasattr(one, name) for name in needed)]


@torch.no_grad()
def rollout(network: DetectorNetwork, crop: Tensor) -> Tensor:
    """(h, w) share of the class token that comes from each patch; sums to less than 1.

    Args:
        network: A transformer whose first token is the class token.
        crop: (1, 3, S, S).
    """
    weights: list[Tensor] = []

    def keep(layer: Any, inputs: tuple[Tensor, ...]) -> None:
        weights.append(_attention(layer, inputs[0])[0].mean(0))

    hooks = [layer.register_forward_pre_hook(keep) for layer in attention_layers(network)]
    try:
        network(crop)
    finally:
        for hook in hooks:
            hook.remove()
    flow = torch.eye(len(weights[0]), device=crop.device)
    for attention in weights:
        mixed = 0.5 * attention + 0.5 * torch.eye(len(attention), device=crop.device)
        flow = mixed @ flow
    tokens = flow[0]
    side = math.isqrt(len(tokens) - 1)  # what is left before the patches are class and registers
    return tokens[len(tokens) - side * side :].reshape(side, side)


def _attention(layer: Any, tokens: Tensor) -> Tensor:
    """(B, heads, N, N): what the layer computes inside one fused call and does not show."""
    batch, count, _ = tokens.shape
    projected = layer.qkv(tokens).reshape(batch, count, 3, layer.num_heads, -1)
    query, key, _ = projected.permute(2, 0, 3, 1, 4).unbind(0)
    product = layer.q_norm(query) @ layer.k_norm(key).transpose(-2, -1)
    attention: Tensor = (product * layer.scale).softmax(-1)
    return attention
