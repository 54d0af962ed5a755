"""Domain-adversarial training: features from which nobody can tell the two domains apart.

    labelled source ──┐               ┌── fake classifier ── cross-entropy (source only)
                      ├── features ───┤
    unlabelled target ┘               └── reversal ── domain classifier ── cross-entropy (both)

The domain classifier learns to tell source from target. On the way back into the features its
gradient changes sign, so the features learn to defeat it. A network that was first trained on the
source alone (``init = "<run>/weights.pt"``) and is then trained on with this is the
cross-distribution system: preliminary network, then adapted network.

Recipe::

    init = "runs/preliminary/weights.pt"

    [adaptation]
    strategy = "gradient_reversal"
    options = { weight = 1.0, hidden = 256, sharpness = 10 }
    target = [{ name = "celebdf", path = "celebdf" }]

Source: Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015,
sections 3 and 4 (lambda_p = 2 / (1 + exp(-10 p)) - 1); Ganin et al., "Domain-Adversarial Training
of Neural Networks", JMLR 17, 2016. What differs: one hidden layer of 256 in the domain classifier
instead of two of 1024; the learning rate follows the recipe's schedule.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from unmask.train.adaptation.forward_probe import feature_width
from unmask.train.strategy import STRATEGIES, Strategy, StrategySpec

if TYPE_CHECKING:
    from unmask.networks.base import DetectorNetwork, NetworkOutput, TrainingBatch


class GradientReversal(torch.autograd.Function):
    """Identity forward; the gradient times ``-strength`` backward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        """Pass ``values`` on unchanged."""
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Turn the gradient round."""
        return -ctx.strength * gradients[0], None


def reversed_gradient(values: Tensor, strength: float) -> Tensor:
    """``values``, whose gradient comes back times ``-strength``."""
    passed: Tensor = GradientReversal.apply(values, strength)  # type: ignore[no-untyped-call]
    return passed


def ramp(progress: float, sharpness: float = 10.0) -> float:
    """Rise from 0 to nearly 1, so that a domain classifier that knows nothing yet does no harm.

    Args:
        progress: Share of training that is done, 0..1.
        sharpness: How fast it rises.

    Source:
        Ganin and Lempitsky, section 4: 2 / (1 + exp(-sharpness p)) - 1.
    """
    return 2.0 / (1.0 + math.exp(-sharpness * progress)) - 1.0


class DomainClassifier(nn.Module):
    """Features -> logit that they are of the target domain.

    Args:
        width: D of the features.
        hidden: Width of the hidden layer.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D) -> (B,)."""
        logits: Tensor = self.layers(features)
        return logits.squeeze(1)


@STRATEGIES.register
class GradientReversalStrategy(Strategy):
    """Cross-entropy of a domain classifier behind a gradient reversal.

    Options: ``weight`` is the largest strength of the reversal, ``hidden`` the width of the domain
    classifier, ``sharpness`` that of the ramp.
    """

    spec: ClassVar = StrategySpec(
        id="gradient_reversal",
        title="Domain-adversarial training (gradient reversal)",
        paper="Ganin and Lempitsky, ICML 2015; Ganin et al., JMLR 2016",
        options={"weight": 1.0, "hidden": 256.0, "sharpness": 10.0},
    )

    def __init__(
        self,
        network: DetectorNetwork,
        *,
        weight: float = 1.0,
        hidden: float = 256.0,
        sharpness: float = 10.0,
    ) -> None:
        self.weight, self.sharpness = weight, sharpness
        self.domain_classifier = DomainClassifier(feature_width(network), max(1, round(hidden)))

    def modules(self) -> dict[str, nn.Module]:
        """The domain classifier."""
        return {"domain_classifier": self.domain_classifier}

    def loss_terms(
        self,
        network: DetectorNetwork,
        output: NetworkOutput,
        batch: TrainingBatch,
        target_output: NetworkOutput | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """``domain``: cross-entropy of the domain; ln 2 where it cannot be told."""
        del network, batch
        assert target_output is not None  # noqa: S101 - the engine refuses recipes without one
        features = torch.cat([output.features, target_output.features])
        is_target = torch.zeros(len(features), device=features.device)
        is_target[len(output.features) :] = 1.0
        strength = self.weight * ramp(progress, self.sharpness)
        logits = self.domain_classifier(reversed_gradient(features, strength))
        return {"domain": nnf.binary_cross_entropy_with_logits(logits, is_target)}
