"""Maximum mean discrepancy: the features of both domains are drawn to one distribution.

Recipe::

    [adaptation]
    strategy = "mmd"
    options = { weight = 1.0 }
    target = [{ name = "celebdf", path = "celebdf" }]

Source: Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, equation 5 (the biased estimate)
and section 8 (bandwidth from the data); Long et al., "Learning Transferable Features with Deep
Adaptation Networks", ICML 2015 (several kernels). What differs: five fixed kernels of equal weight
instead of learned ones; all pairs of a batch instead of the estimate in linear time; the mean
squared distance instead of the median; one layer (the last features) instead of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from unmask.train.strategy import STRATEGIES, Strategy, StrategySpec

if TYPE_CHECKING:
    from torch import Tensor

    from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
_SMALLEST = 1e-12


def squared_mmd(first: Tensor, second: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two samples, over five Gaussian kernels.

    The kernels are exp(-d^2 / (b m)) with the mean squared distance m of all pairs of different
    points and each b of :data:`BANDWIDTHS`; m counts as a constant when gradients are taken.

    Args:
        first: (N, D) features.
        second: (M, D) features.

    Returns:
        The mean over the kernels, 0 or more; exactly 0 where both samples are the same.

    Source:
        Gretton et al., equation 5.
    """
    both = torch.cat([first, second])
    # Differences of centred points lose fewer digits.
    both = both - both.mean(0).detach()
    norms = both.square().sum(1)
    distances = (norms[:, None] + norms[None, :] - 2 * both @ both.T).clamp_min(0)
    count = len(both)
    mean = (distances.detach().sum() / max(count * (count - 1), 1)).clamp_min(_SMALLEST)
    kernel = torch.stack([torch.exp(-distances / (width * mean)) for width in BANDWIDTHS]).mean(0)
    n = len(first)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


@STRATEGIES.register
class MaximumMeanDiscrepancy(Strategy):
    """Squared discrepancy of the features of source and target, times ``weight``."""

    spec: ClassVar = StrategySpec(
        id="mmd",
        title="Maximum mean discrepancy (several Gaussian kernels)",
        paper="Gretton et al., JMLR 2012; Long et al., ICML 2015",
        options={"weight": 1.0},
    )

    def __init__(self, network: DetectorNetwork, *, weight: float = 1.0) -> None:
        del network
        self.weight = weight

    def loss_terms(
        self,
        network: DetectorNetwork,
        output: NetworkOutput,
        batch: TrainingBatch,
        target_output: NetworkOutput | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """``mmd``: the squared discrepancy, weighted."""
        del network, batch, progress
        assert target_output is not None  # noqa: S101 - the engine refuses recipes without one
        return {"mmd": self.weight * squared_mmd(output.features, target_output.features)}
