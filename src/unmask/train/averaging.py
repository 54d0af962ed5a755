"""A running average of weights, which generalises better than the last ones.

Source: Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM J.
Control Optim. 1992; the exponential form with a rising decay is that of Tarvainen & Valpola,
"Mean teachers", NeurIPS 2017. What differs: statistics of batch norm are averaged, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential average of a module's parameters and buffers.

    Args:
        module: Whose weights are averaged; where they lie decides where the average lies.
        decay: Share of the old average that a step keeps, in the long run.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after step number ``step`` (from 1).

        Early averages forget faster, or the first, random weights would stay in for long.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1 - decay)
            else:
                self.state[name].copy_(value)

    @contextmanager
    def lent_to(self, module: nn.Module) -> Iterator[None]:
        """While inside, ``module`` has the averaged weights."""
        own: dict[str, Tensor] = {k: v.detach().clone() for k, v in module.state_dict().items()}
        module.load_state_dict(self.state)
        try:
            yield
        finally:
            module.load_state_dict(own)
