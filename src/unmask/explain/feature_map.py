"""Finding the last feature map that a network's logit rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from unmask.networks import DetectorNetwork


def last_feature_map(network: DetectorNetwork, crop: Tensor) -> nn.Module | None:
    """The last layer with a spatial output that the logit depends on.

    By the order in which layers run, not in which they are written. Layers that feed something
    else only (a decoder, a map) are passed over, and those that run more than once, of which
    Grad-CAM could not say which run it means.

    Args:
        network: In evaluation mode, nothing in place, gradients enabled.
        crop: (1, 3, S, S).

    Returns:
        A leaf module with an output (1, C, h, w), h and w above 1; None: there is none.
    """
    outputs: list[tuple[nn.Module, Tensor]] = []
    runs: Counter[nn.Module] = Counter()

    def keep(module: nn.Module, _inputs: Any, output: Any) -> None:
        runs[module] += 1
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[-2:]) > 1:
            outputs.append((module, output))

    leaves = [one for one in network.modules() if not any(True for _ in one.children())]
    hooks = [leaf.register_forward_hook(keep) for leaf in leaves]
    try:
        logit = network(crop.detach().clone().requires_grad_()).logits.sum()
    finally:
        for hook in hooks:
            hook.remove()
    candidates = [(m, out) for m, out in outputs if runs[m] == 1 and out.requires_grad]
    if not logit.requires_grad or not candidates:
        return None
    tensors = [output for _, output in candidates]
    slopes: Sequence[Tensor | None] = torch.autograd.grad(logit, tensors, allow_unused=True)
    used = [m for (m, _), slope in zip(candidates, slopes, strict=True) if slope is not None]
    return used[-1] if used else None
