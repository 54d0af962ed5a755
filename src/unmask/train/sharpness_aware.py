"""Sharpness-aware minimisation: step along the gradient at the worst point nearby.

Source: Foret et al., "Sharpness-Aware Minimization for Efficiently Improving Generalization",
ICLR 2021, algorithm 1 and equation 2 (p = 2). What differs: the running statistics of batch norm
are left alone in the second pass, which looks at weights that nobody will use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_TINY = 1e-12


@contextmanager
def at_the_worst_point_nearby(module: nn.Module, rho: float) -> Iterator[None]:
    """While inside, the weights lie ``rho`` uphill, along the gradients that they have.

    Gradients are cleared on the way in, so that those of the second pass come in fresh; on the
    way out the weights are what they were, to the bit.

    Args:
        module: What is trained; parameters without a gradient stay.
        rho: Length of the step, over all parameters.
    """
    moved = [(p, p.grad) for p in module.parameters() if p.grad is not None]
    before = [parameter.detach().clone() for parameter, _ in moved]
    with torch.no_grad():
        norms = [gradient.norm() for _, gradient in moved]
        scale = rho / (torch.stack(norms).norm() + _TINY) if norms else torch.tensor(0.0)
        for parameter, gradient in moved:
            parameter.add_(gradient * scale)
            parameter.grad = None
    try:
        with _statistics_held(module):
            yield
    finally:
        with torch.no_grad():
            for (parameter, _), value in zip(moved, before, strict=True):
                parameter.copy_(value)


@contextmanager
def _statistics_held(module: nn.Module) -> Iterator[None]:
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [m.momentum for m in norms]
    counts = [None if m.num_batches_tracked is None else int(m.num_batches_tracked) for m in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, kept, counts, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.fill_(count)
