"""One seed of a study: a preliminary head, and what every way of adapting makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unmask.networks.base import TrainingBatch
from unmask.train.adaptation.cross_distribution.heads import (
    FeatureHead,
    Labelled,
    copied,
    preliminary_head,
    train_on,
)
from unmask.train.adaptation.few_shot import adapt_to_few
from unmask.train.adaptation.gradient_reversal import GradientReversalStrategy
from unmask.train.strategy import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from unmask.train.adaptation.cross_distribution.recipe import Study

PRELIMINARY, LONGER, FEW, CEILING = "preliminary", "trained_longer", "few_shot", "target_labels"


@dataclass(frozen=True, slots=True, eq=False)
class DomainFeatures:
    """Frozen features of one target domain.

    Attributes:
        unlabelled: (M, D) of the faces to adapt to.
        test: (K, D) of the faces to test on.
        adaptation_labels: (M,) for few-shot adaptation and for the ceiling, and nothing else.
    """

    unlabelled: Tensor
    test: Tensor
    adaptation_labels: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one head says.

    Attributes:
        target: Name of the target; empty for the preliminary head on the source.
        method: How it was adapted.
        seed: Seed.
        source_logits: (S,) on the source's test faces.
        target_logits: (K,) on the target's test faces.
        source_features: (S, hidden).
        target_features: (K, hidden).
        losses: At the end of training, by name.
        classifier_accuracy: Of the strategy's own domain classifier on both test sets, each
            weighing half; NaN where it has none.
    """

    target: str
    method: str
    seed: int
    source_logits: NDArray[np.float64]
    target_logits: NDArray[np.float64]
    source_features: NDArray[np.float32]
    target_features: NDArray[np.float32]
    losses: dict[str, float]
    classifier_accuracy: float = float("nan")


def trial(
    study: Study,
    source: Labelled,
    source_test: Tensor,
    targets: dict[str, DomainFeatures],
    seed: int,
) -> Iterator[Outcome]:
    """Train one preliminary head and adapt it to every target in every way of the study."""
    preliminary = preliminary_head(source, study.training, seed)
    longer = copied(preliminary)
    losses = train_on(longer, source, study.training, seed + 1000)
    for name, domain in targets.items():
        yield _outcome(preliminary, source_test, domain, name, PRELIMINARY, seed, {})
        yield _outcome(longer, source_test, domain, name, LONGER, seed, losses)
        for strategy in study.strategies:
            yield _adapted(study, preliminary, source, source_test, domain, (name, strategy, seed))
        few = copied(preliminary)
        chosen = few_of_each(domain.adaptation_labels, study.few, seed)
        told = adapt_to_few(few, domain.unlabelled[chosen], domain.adaptation_labels[chosen])
        yield _outcome(few, source_test, domain, name, FEW, seed, {"class": told[-1]})
        ceiling = copied(preliminary)
        labelled = Labelled(domain.unlabelled, domain.adaptation_labels)
        losses_there = train_on(ceiling, labelled, study.training, seed + 1000)
        yield _outcome(ceiling, source_test, domain, name, CEILING, seed, losses_there)


def few_of_each(y_true: Tensor, few: int, seed: int) -> Tensor:
    """Rows of ``few`` real and as many fake faces."""
    drawn = torch.Generator().manual_seed(seed)
    rows = [torch.nonzero(y_true == label).flatten() for label in (0.0, 1.0)]
    return torch.cat([one[torch.randperm(len(one), generator=drawn)[:few]] for one in rows])


def _adapted(
    study: Study,
    preliminary: FeatureHead,
    source: Labelled,
    source_test: Tensor,
    domain: DomainFeatures,
    label: tuple[str, str, int],
) -> Outcome:
    name, method, seed = label
    head = copied(preliminary)
    cls: Any = STRATEGIES.get(method)
    torch.manual_seed(seed + 2000)
    strategy = cls(head, **{**cls.spec.options, **study.options.get(method, {})})
    losses = train_on(
        head, source, study.training, seed + 1000, strategy=strategy, unlabelled=domain.unlabelled
    )
    losses |= _alignment_losses(head, strategy, source, domain)
    accuracy = float("nan")
    if isinstance(strategy, GradientReversalStrategy):
        accuracy = _classifier_accuracy(strategy, head, source_test, domain.test)
    return _outcome(head, source_test, domain, name, method, seed, losses, accuracy)


def _alignment_losses(
    head: FeatureHead, strategy: Any, source: Labelled, domain: DomainFeatures
) -> dict[str, float]:
    """The strategy's loss on everything at once, in evaluation mode."""
    seen, other = head.see(source.features), head.see(domain.unlabelled)
    nothing = torch.zeros(len(source.y_true), 1, 1)
    batch = TrainingBatch(source.features, source.y_true, nothing, nothing.flatten().bool())
    with torch.no_grad():
        terms = strategy.loss_terms(head, seen, batch, other, 1.0)
    return {f"{name}_in_the_end": float(value) for name, value in terms.items()}


@torch.no_grad()
def _classifier_accuracy(
    strategy: GradientReversalStrategy, head: FeatureHead, source: Tensor, target: Tensor
) -> float:
    classifier = strategy.domain_classifier
    right_source = (classifier(head.see(source).features) < 0).float().mean()
    right_target = (classifier(head.see(target).features) >= 0).float().mean()
    return float(right_source + right_target) / 2


def _outcome(
    head: FeatureHead,
    source_test: Tensor,
    domain: DomainFeatures,
    target: str,
    method: str,
    seed: int,
    losses: dict[str, float],
    accuracy: float = float("nan"),
) -> Outcome:
    here, there = head.see(source_test), head.see(domain.test)
    return Outcome(
        target, method, seed,
        here.logits.double().numpy(), there.logits.double().numpy(),
        here.features.numpy(), there.features.numpy(), losses, accuracy,
    )  # fmt: skip
