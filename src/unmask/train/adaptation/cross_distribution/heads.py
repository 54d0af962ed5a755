"""Detectors on frozen features: one hidden layer, in which domains are aligned, and a logit."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from unmask.networks.base import DetectorNetwork, NetworkOutput, NetworkSpec, TrainingBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.train.adaptation.cross_distribution.recipe import Training
    from unmask.train.strategy import Strategy


class Labelled(NamedTuple):
    """Frozen features with their labels.

    Attributes:
        features: (N, D) float32.
        y_true: (N,) float32, 1 = fake.
    """

    features: Tensor
    y_true: Tensor


class FeatureHead(DetectorNetwork):
    """Feature extractor (one hidden layer) and fake classifier, over frozen features.

    Its "pixels" are (B, D) frozen features, so that strategies and losses work as over any network.

    Args:
        width: D.
        hidden: Width of the hidden layer.
        dropout: Share of the frozen features left out in training.
    """

    spec: ClassVar = NetworkSpec(
        id="feature-head", title="Head on frozen features", paper="own", family="generalising"
    )
    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(width, hidden)
        self.classifier = nn.Linear(hidden, 1)

    def standardise_by(self, features: Tensor) -> None:
        """Bring every frozen feature to mean 0 and deviation 1 as it is in ``features``."""
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp_min(1e-6).reciprocal())

    def example_input(self) -> Tensor:
        """(1, D): what it can be tried with."""
        return torch.randn(1, len(self.mean), generator=torch.Generator().manual_seed(0))

    def forward(self, pixels: Tensor) -> NetworkOutput:
        """(B, D) frozen features -> logits (B,), features (B, hidden)."""
        features = torch.relu(self.hidden(self.dropout((pixels - self.mean) * self.scale)))
        return NetworkOutput(self.classifier(features).squeeze(1), features)

    @torch.no_grad()
    def see(self, frozen: Tensor) -> NetworkOutput:
        """Logits and features in evaluation mode, without gradients."""
        self.eval()
        output: NetworkOutput = self(frozen)
        return output


def preliminary_head(source: Labelled, training: Training, seed: int) -> FeatureHead:
    """Train a head on the labelled source alone, by cross-entropy."""
    torch.manual_seed(seed)
    head = FeatureHead(source.features.shape[1], training.hidden, training.dropout)
    head.standardise_by(source.features)
    train_on(head, source, training, seed)
    return head


def copied(head: FeatureHead) -> FeatureHead:
    """A head of its own to adapt."""
    return copy.deepcopy(head)


def train_on(
    head: FeatureHead,
    labelled: Labelled,
    training: Training,
    seed: int,
    *,
    strategy: Strategy | None = None,
    unlabelled: Tensor | None = None,
) -> dict[str, float]:
    """Train a head, with a strategy beside its own loss where one is given.

    Args:
        head: Changed in place.
        labelled: What is labelled; every batch is half real, half fake.
        training: How.
        seed: Of the draws.
        strategy: Losses beside the head's own.
        unlabelled: (M, D) frozen features of the target domain, for the strategy.

    Returns:
        Mean of each loss over the last tenth of the steps.
    """
    extras = nn.ModuleDict(strategy.modules() if strategy else {})
    parameters = [*head.parameters(), *extras.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=training.rate, weight_decay=training.weight_decay)
    drawn = torch.Generator().manual_seed(seed)
    by_class = [torch.nonzero(labelled.y_true == label).flatten() for label in (0.0, 1.0)]
    torch.manual_seed(seed)  # dropout
    sums: dict[str, float] = {}
    last = max(1, training.steps // 10)
    for step in range(training.steps):
        head.train()
        optimiser.param_groups[0]["lr"] = training.rate * _cosine(step / training.steps)
        losses = _losses(head, _batch(labelled, by_class, training.batch, drawn), strategy,
                         _some_of(unlabelled, training.batch, drawn),
                         step / training.steps)  # fmt: skip
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step >= training.steps - last:
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / last
    return sums


def _losses(
    head: FeatureHead,
    batch: TrainingBatch,
    strategy: Strategy | None,
    target: Tensor | None,
    progress: float,
) -> dict[str, Tensor]:
    output = head(batch.pixels)
    losses = head.loss_terms(output, batch)
    if strategy is not None:
        seen = None if target is None else head(target)
        losses |= strategy.loss_terms(head, output, batch, seen, progress)
    return losses


def _batch(
    labelled: Labelled, by_class: Sequence[Tensor], size: int, drawn: torch.Generator
) -> TrainingBatch:
    rows = torch.cat([
        rows[torch.randint(len(rows), (size // 2,), generator=drawn)] for rows in by_class
    ])  # fmt: skip
    nothing = torch.zeros(len(rows), 1, 1)
    return TrainingBatch(
        labelled.features[rows], labelled.y_true[rows], nothing, torch.zeros(len(rows)).bool()
    )


def _some_of(unlabelled: Tensor | None, size: int, drawn: torch.Generator) -> Tensor | None:
    if unlabelled is None:
        return None
    return unlabelled[torch.randint(len(unlabelled), (size,), generator=drawn)]


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))
