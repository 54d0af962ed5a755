"""Deep CORAL: the covariances of the features of both domains are drawn together.

Recipe::

    [adaptation]
    strategy = "coral"
    options = { weight = 1.0 }
    target = [{ name = "celebdf", path = "celebdf" }]

The loss is small where features are many or small. The paper sets the weight so that in the end
the loss of the class and this one are about as large; the log of a run shows both.

Source: Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV 2016
workshops, section 3.1, equations 1 to 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from unmask.train.strategy import STRATEGIES, Strategy, StrategySpec

if TYPE_CHECKING:
    from torch import Tensor

    from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch


def coral_distance(first: Tensor, second: Tensor) -> Tensor:
    """Squared Frobenius distance of two covariances, over 4 D^2.

    Args:
        first: (N, D) features, N at least 2.
        second: (M, D) features, M at least 2.

    Source:
        Sun and Saenko, equation 1; covariances with N - 1, equations 2 and 3.
    """
    width = first.shape[1]
    return (_covariance(first) - _covariance(second)).square().sum() / (4 * width**2)


def _covariance(features: Tensor) -> Tensor:
    centred = features - features.mean(0)
    return centred.T @ centred / max(len(features) - 1, 1)


@STRATEGIES.register
class CorrelationAlignment(Strategy):
    """Distance of the covariances of source and target features, times ``weight``."""

    spec: ClassVar = StrategySpec(
        id="coral",
        title="Correlation alignment (Deep CORAL)",
        paper="Sun and Saenko, Deep CORAL, ECCV workshops 2016",
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
        """``coral``: the distance, weighted."""
        del network, batch, progress
        assert target_output is not None  # noqa: S101 - the engine refuses recipes without one
        return {"coral": self.weight * coral_distance(output.features, target_output.features)}
