"""What a study measures: AUC on both domains with intervals, and how well domains can be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.metrics import bootstrap_interval, equal_error_rate, roc_auc_score
from unmask.train.adaptation.cross_distribution.trial import PRELIMINARY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.train.adaptation.cross_distribution.domains import Faces
    from unmask.train.adaptation.cross_distribution.trial import Outcome

_RESAMPLES = 500
# Student's t, 97.5 %, by degrees of freedom (seeds less one).
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}


@dataclass(frozen=True, slots=True)
class Row:
    """One way of adapting to one target, over all seeds. AUCs are at image level.

    Attributes:
        target: Name of the target.
        method: How it was adapted.
        seeds: Target AUC of each seed.
        auc: Their mean.
        auc_low: Lower end of the 95 % interval of the mean over drawings of test originals.
        auc_high: Its upper end.
        gain: Mean AUC less that of the preliminary heads of the same seeds.
        gain_low: Lower end of the gain's interval over drawings of test originals.
        gain_high: Its upper end.
        gain_seeds: Half width of the gain's 95 % interval over seeds (Student's t).
        eer: Mean equal error rate on the target.
        source_auc: Mean AUC on the source's test faces.
        domain_probe: Balanced accuracy of a fresh linear classifier that tells the two domains
            apart by the adapted features, on faces that it has not seen; 0.5: it cannot.
        classifier_accuracy: The same of the strategy's own domain classifier; NaN: it has none.
        losses: At the end of training, mean over seeds.
    """

    target: str
    method: str
    seeds: tuple[float, ...]
    auc: float
    auc_low: float
    auc_high: float
    gain: float
    gain_low: float
    gain_high: float
    gain_seeds: float
    eer: float
    source_auc: float
    domain_probe: float
    classifier_accuracy: float
    losses: dict[str, float]


def measured(outcomes: Sequence[Outcome], source: Faces, targets: dict[str, Faces]) -> list[Row]:
    """One row a target and method, in the order in which they came."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.target, one.method), []).append(one)
    return [
        _row(found, groups[target, PRELIMINARY], source, targets[target])
        for (target, _), found in groups.items()
    ]


def _row(found: list[Outcome], before: list[Outcome], source: Faces, target: Faces) -> Row:
    y_true, logits = target.y_true, np.stack([one.target_logits for one in found])
    old = np.stack([one.target_logits for one in before])
    auc = tuple(roc_auc_score(y_true, one) for one in logits)
    gains = np.array(auc) - [roc_auc_score(y_true, one) for one in old]
    level = _over_originals(target, lambda y, rows: _mean_auc(y, logits[:, rows]))
    gain = _over_originals(
        target, lambda y, rows: _mean_auc(y, logits[:, rows]) - _mean_auc(y, old[:, rows])
    )
    return Row(
        found[0].target, found[0].method, auc, float(np.mean(auc)), *level,
        float(gains.mean()), *gain, _half_width(gains),
        float(np.mean([equal_error_rate(y_true, one) for one in logits])),
        _mean_auc(source.y_true, np.stack([one.source_logits for one in found])),
        float(np.mean([domain_probe(one.source_features, one.target_features) for one in found])),
        float(np.mean([one.classifier_accuracy for one in found])),
        {name: float(np.mean([one.losses[name] for one in found])) for name in found[0].losses},
    )  # fmt: skip


def domain_probe(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """Balanced accuracy of a linear classifier that tells two samples of features apart.

    It is fitted to every other row and judged by the rest.

    Source:
        Ben-David et al., "Analysis of Representations for Domain Adaptation", NeurIPS 2006: twice
        this accuracy, less 1, is half the proxy of the A-distance.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Without an order: neighbouring rows may come from one original.
    rng = np.random.default_rng(0)
    source, target = rng.permutation(source), rng.permutation(target)
    fitted = np.concatenate([source[::2], target[::2]])
    is_target = np.repeat([0, 1], [len(source[::2]), len(target[::2])])
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=500)
    )
    probe.fit(fitted, is_target)
    right_source = float((probe.predict(source[1::2]) == 0).mean())
    right_target = float((probe.predict(target[1::2]) == 1).mean())
    return (right_source + right_target) / 2


def _mean_auc(y_true: NDArray[np.int8] | NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    return float(np.mean([roc_auc_score(y_true, one) for one in logits]))


def _over_originals(
    target: Faces, value: Callable[[NDArray[np.int64], NDArray[np.int64]], float]
) -> tuple[float, float]:
    """95 % interval of a figure over drawings of the test originals."""
    interval = bootstrap_interval(
        lambda y, rows: value(y, rows.astype(np.int64)),
        target.y_true, np.arange(len(target.rows)), target.source_id, n=_RESAMPLES,
    )  # fmt: skip
    return interval.low, interval.high


def _half_width(values: NDArray[np.float64]) -> float:
    if len(values) < 2:
        return math.nan
    student = _STUDENT.get(len(values) - 1, 1.96)
    return float(student * values.std(ddof=1) / math.sqrt(len(values)))
