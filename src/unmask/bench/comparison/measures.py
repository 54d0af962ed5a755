"""The metrics of one cell of a table, each with its interval and what must be said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmask import metrics
from unmask.bench.comparison import resampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES, SEED, LEVEL = 1000, 20260101, 0.95
LEAST_OF_A_CLASS = 20
"""Below this many samples of a class a cell says so instead of a number."""
LEAST_SOURCES = 10
"""The same for the sources that the bootstrap draws."""
_FPR = {"tpr_at_fpr_1": 0.01, "tpr_at_fpr_01": 0.001}


@dataclass(frozen=True, slots=True)
class Metric:
    """Facts about a metric: key, name for people, whether more is better, and its unit."""

    key: str
    title: str
    more_is_better: bool
    unit: str = "share"


METRICS: tuple[Metric, ...] = (
    Metric("auc", "AUC", True, "score"),
    Metric("eer", "EER", False),
    Metric("accuracy", "Accuracy", True),
    Metric("balanced_accuracy", "Balanced accuracy", True),
    Metric("tpr_at_fpr_1", "TPR at FPR 1 %", True),
    Metric("tpr_at_fpr_01", "TPR at FPR 0.1 %", True),
    Metric("false_alarms", "False alarms", False),
    Metric("hits", "Hits", True),
    Metric("log_loss", "Log loss", False, "score"),
    Metric("brier", "Brier", False, "score"),
    Metric("ece", "ECE", False, "score"),
    Metric("cllr", "Cllr", False, "score"),
)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95 % interval, or the reason why there is none.

    Attributes:
        value: The metric, mean over seeds; None where it cannot be told.
        low: Lower end of the interval.
        high: Upper end of the interval.
        note: What must be said of it.
        seed_sd: Deviation over seeds where there are several.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    seed_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What a cell rests on."""

    reals: int
    fakes: int
    sources: int
    unscored: int = 0
    seeds: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """All metrics of one detector on one selection of samples."""

    counts: Counts
    measures: Mapping[str, Measure]
    threshold: float = 0.0
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, key: str) -> Measure:
        return self.measures[key]


def measure(
    y_true: NDArray[np.int8],
    logits: Floats,
    source_id: NDArray[np.str_],
    *,
    thresholds: Floats | float = 0.0,
    resamples: int = RESAMPLES,
) -> Cell:
    """Every metric with its interval, bootstrapped by source.

    Log loss, Brier and ECE read a logit as log odds and weigh each class one half, whatever the
    set holds of each; Cllr reads it as a natural-log likelihood ratio. Over several seeds values
    are means, and one draw of sources serves all seeds.

    Args:
        y_true: (N,) 1 = fake.
        logits: (K, N), one row a seed; NaN where a sample has no score, which leaves it out.
        source_id: (N,) what the bootstrap draws.
        thresholds: (K,) score from which a seed's detector calls a sample fake, or one for all.
        resamples: Of the bootstrap.

    Returns:
        A cell; where a class has too few samples or sources, its measures hold the reason.
    """
    logits = np.atleast_2d(logits)
    usable = ~np.isnan(logits).any(axis=0)
    is_fake, sources = y_true[usable].astype(bool), source_id[usable]
    scores = logits[:, usable]
    limits = np.broadcast_to(np.asarray(thresholds, np.float64), (len(scores),))
    counts = Counts(
        int((~is_fake).sum()), int(is_fake.sum()), len(np.unique(sources)),
        int((~usable).sum()), len(scores),
    )  # fmt: skip
    notes = (f"{counts.unscored:,} samples without a score are left out",) * bool(counts.unscored)
    keys = _keys_that_can_be_told(counts)
    reason = _too_few(counts)
    measures = {m.key: Measure(None, note=reason) for m in METRICS}
    if keys:
        measures |= _measures(is_fake, scores, sources, limits, keys, resamples)
        measures |= _with_notes(measures, counts)
    return Cell(counts, measures, float(limits.mean()), notes + _reversal(measures["auc"]))


def _keys_that_can_be_told(counts: Counts) -> set[str]:
    """Rates within one class need only that class; everything else compares the two."""
    enough_real, enough_fake = (n >= LEAST_OF_A_CLASS for n in (counts.reals, counts.fakes))
    if counts.sources < LEAST_SOURCES:
        return set()
    keys = {"false_alarms"} if enough_real else set()
    keys |= {"hits"} if enough_fake else set()
    return {m.key for m in METRICS} if enough_real and enough_fake else keys


def _too_few(counts: Counts) -> str:
    if counts.sources < LEAST_SOURCES:
        return f"too few sources: {counts.sources}"
    return f"too few: {counts.reals} real, {counts.fakes} fake"


def _measures(
    is_fake: NDArray[np.bool_],
    scores: Floats,
    sources: NDArray[np.str_],
    limits: Floats,
    keys: set[str],
    resamples: int,
) -> dict[str, Measure]:
    whole = np.ones((1, len(is_fake)))
    by_seed = [_values(is_fake, s, t, whole, keys) for s, t in zip(scores, limits, strict=True)]
    drawn: dict[str, list[Floats]] = {key: [] for key in keys}
    for weights in resampling.weight_chunks(sources, n=resamples, seed=SEED):
        kept = weights[_holds(is_fake, weights, keys)]
        if not len(kept):
            continue
        rows = [_values(is_fake, s, t, kept, keys) for s, t in zip(scores, limits, strict=True)]
        for key in keys:
            drawn[key].append(np.mean([row[key] for row in rows], axis=0))
    return {key: _summary([row[key][0] for row in by_seed], drawn[key]) for key in keys}


def _holds(is_fake: NDArray[np.bool_], weights: Floats, keys: set[str]) -> NDArray[np.bool_]:
    """Which resamples hold the classes that the metrics need."""
    holds = np.ones(len(weights), bool)
    if "hits" in keys:
        holds &= (weights * is_fake).sum(axis=1) > 0
    if "false_alarms" in keys:
        holds &= (weights * ~is_fake).sum(axis=1) > 0
    return holds


def _summary(by_seed: list[float], drawn: list[Floats]) -> Measure:
    value = float(np.mean(by_seed))
    spread = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None
    if not drawn:
        return Measure(value, seed_sd=spread, note="no interval: too few sources")
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(np.concatenate(drawn), (tail, 1.0 - tail))
    return Measure(value, float(low), float(high), seed_sd=spread)


def _values(
    is_fake: NDArray[np.bool_], logit: Floats, threshold: float, weights: Floats, keys: set[str]
) -> dict[str, Floats]:
    """(R,) values of every metric in ``keys`` under R weightings."""
    called = logit >= threshold
    found: dict[str, Floats] = {}
    if "hits" in keys:
        found["hits"] = resampling.shares(called, weights * is_fake)
    if "false_alarms" in keys:
        found["false_alarms"] = resampling.shares(called, weights * ~is_fake)
    if "auc" not in keys:
        return found
    roc = resampling.curves(is_fake, logit, weights)
    found["auc"] = resampling.areas(roc)
    found["eer"] = resampling.equal_error_rates(roc)
    found |= {key: resampling.hits_at(roc, rate) for key, rate in _FPR.items()}
    found["accuracy"] = resampling.shares(called == is_fake, weights)
    found["balanced_accuracy"] = (found["hits"] + 1.0 - found["false_alarms"]) / 2.0
    return found | _probability_values(is_fake, logit, weights)


def _probability_values(
    is_fake: NDArray[np.bool_], logit: Floats, weights: Floats
) -> dict[str, Floats]:
    halves = resampling.class_halves(is_fake, weights)
    probability = metrics.probability_from_log10_lr(logit / np.log(10.0))
    tiny = np.finfo(np.float64).eps
    inside = np.clip(probability, tiny, 1.0 - tiny)
    surprise = -np.log(np.where(is_fake, inside, 1.0 - inside))
    bits = np.logaddexp(0.0, np.where(is_fake, -logit, logit)) / np.log(2.0)
    return {
        "log_loss": halves @ surprise,
        "brier": halves @ (probability - is_fake) ** 2,
        "ece": resampling.calibration_errors(is_fake, probability, halves),
        "cllr": halves @ bits,
    }


def _with_notes(measures: Mapping[str, Measure], counts: Counts) -> dict[str, Measure]:
    """Say where there are too few reals for a false-positive rate to exist."""
    noted = {}
    for key, rate in _FPR.items():
        one = measures[key]
        if one.value is not None and counts.reals * rate < 1:
            note = f"at no false alarm: {counts.reals} reals cannot show {rate * 100:g} %"
            noted[key] = Measure(one.value, one.low, one.high, note, one.seed_sd)
    return noted


def _reversal(auc: Measure) -> tuple[str, ...]:
    if auc.high is None or auc.high >= 0.5:
        return ()
    return ("reals score above fakes: are the labels, or the sign of the score, reversed?",)


def eer_threshold(y_true: NDArray[np.int8], logit: Floats) -> float:
    """Score at which misses and false alarms are nearest to equal, midway between two samples.

    Args:
        y_true: (N,) 1 = fake; both classes must occur.
        logit: (N,) rises with suspicion.

    Raises:
        ValueError: See :func:`unmask.metrics.roc_curve`.
    """
    fpr, tpr, thresholds = metrics.roc_curve(y_true, logit)
    best = int(np.argmin(np.abs(fpr - (1.0 - tpr))))
    below = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    above = thresholds[best]
    return float((above + below) / 2.0) if np.isfinite(above) else float(below)
