"""From the scores of one data set to its section: rows with intervals, and plain counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unmask import metrics
from unmask.bench.results import Row, Unit
from unmask.types import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.scoring import FileScore

    Labels = NDArray[np.int64]
    Values = NDArray[np.float64]

RESAMPLES = 1000
SEED = 20260101
ECE_BINS = 10


def ranking_rows(scores: Sequence[FileScore]) -> list[Row]:
    """AUC over all files and over those in scope, EER, and TPR at two false-positive rates."""
    ranked = [one for one in scores if one.logit is not None]
    judged = [one for one in scores if one.log10_lr is not None]
    note = f"{len(ranked)} of {len(scores)} files have a face and so a score"

    def tpr_at(max_fpr: float) -> Callable[[Labels, Values], float]:
        return lambda y_true, y_score: metrics.tpr_at_fpr(y_true, y_score, max_fpr)

    return [
        _auc_over_all(scores),
        _row("auc_in_scope", "AUC, files with a verdict only", "score", metrics.roc_auc_score,
             judged, "logit", note=f"{len(judged)} files"),
        _row("eer", "Equal error rate", "share", metrics.equal_error_rate, ranked, "logit",
             note=note),
        _row("tpr_at_fpr_1", "TPR at FPR 1 %", "share", tpr_at(0.01), ranked, "logit", note=note),
        _row("tpr_at_fpr_10", "TPR at FPR 10 %", "share", tpr_at(0.10), ranked, "logit",
             note=note),
    ]  # fmt: skip


def decision_rows(scores: Sequence[FileScore]) -> list[Row]:
    """What the labels at the shipped threshold are worth, over all files."""
    real, fake = _split(scores)
    accuracy = share_row(
        "accuracy", "Accuracy at the shipped threshold",
        scores, [one.called == bool(one.y_true) for one in scores],
        note="called = manipulation_supported; every abstention counts as not called",
    )  # fmt: skip
    return [
        accuracy,
        share_row("false_alarms", "False alarms (real, called manipulated)", real,
                  [one.called for one in real]),
        share_row("detections", "Detections (fake, called manipulated)", fake,
                  [one.called for one in fake]),
        share_row("misses", "Misses (fake, no manipulation found)", fake,
                  [one.label == Label.NO_MANIPULATION_FOUND for one in fake]),
    ]  # fmt: skip


def coverage_rows(scores: Sequence[FileScore]) -> list[Row]:
    """In how many files a face was found, and in how many the verdict abstained, by class."""
    rows = [
        share_row("faces_found", "Faces found", scores, [one.faces_found > 0 for one in scores])
    ]
    for name, files in zip(("real", "fake"), _split(scores), strict=True):
        if not files:
            continue
        outcomes = {
            f"faces_found_{name}": ("faces found", [one.faces_found > 0 for one in files]),
            f"inconclusive_{name}": (
                "inconclusive: ratio between the thresholds",
                [one.label == Label.INCONCLUSIVE and one.log10_lr is not None for one in files],
            ),
            f"out_of_scope_{name}": (
                "no ratio: no face, or none that can be judged",
                [one.log10_lr is None for one in files],
            ),
        }
        rows += [
            share_row(key, f"{name.capitalize()}, {text}", files, outcome)
            for key, (text, outcome) in outcomes.items()
        ]
    return rows


def calibration_rows(scores: Sequence[FileScore]) -> list[Row]:
    """How far the likelihood ratios of the files with a verdict can be taken at their word."""
    judged = [one for one in scores if one.log10_lr is not None]
    note = f"{len(judged)} files with a verdict"
    at_equal_priors = f"{note}; probability and weights at equal priors"

    def ece(binning: metrics.Binning) -> Callable[[Labels, Values], float]:
        return lambda y_true, ratios: metrics.expected_calibration_error(
            y_true, metrics.probability_from_log10_lr(ratios), bins=ECE_BINS, binning=binning,
            sample_weight=metrics.prior_weights(y_true),
        )  # fmt: skip

    def weighted(loss: Callable[..., float]) -> Callable[[Labels, Values], float]:
        return lambda y_true, ratios: loss(
            y_true, metrics.probability_from_log10_lr(ratios), metrics.prior_weights(y_true)
        )

    by_chance = f"{at_equal_priors}; {ECE_BINS} bins; by chance alone {_ece_by_chance(judged)}"
    return [
        _row("cllr", "Cllr", "bits", metrics.cllr, judged, "log10_lr", note=note),
        _row("cllr_min", "Cllr_min (PAV on the log10 LR)", "bits", metrics.cllr_min, judged,
             "log10_lr", note="what the best rising calibration of these scores would cost"),
        _row("ece", "ECE, bins of equal width", "score", ece("equal_width"), judged, "log10_lr",
             note=by_chance),
        _row("ece_equal_mass", "ECE, bins of equal mass", "score", ece("equal_mass"), judged,
             "log10_lr", note=f"{ECE_BINS} bins"),
        _row("log_loss", "Log loss", "nats", weighted(metrics.log_loss), judged, "log10_lr",
             note=at_equal_priors),
        _row("brier", "Brier loss", "score", weighted(metrics.brier_loss), judged, "log10_lr",
             note=at_equal_priors),
    ]  # fmt: skip


def label_rows(scores: Sequence[FileScore]) -> list[Row]:
    """How often each label was given, for real and fake files apart."""
    rows = []
    for name, files in zip(("real", "fake"), _split(scores), strict=True):
        counts = Counter(one.label for one in files)
        rows += [
            Row(
                key=f"{label}_{name}",
                text=f"{name.capitalize()}: {label}",
                value=float(counts[label]),
                unit="count",
                note=f"of {len(files)}",
            )
            for label in Label
            if files
        ]
    return rows


def spread_rows(scores: Sequence[FileScore]) -> list[Row]:
    """Where the scores of a set of one class lie: five quantiles of the logit."""
    logits = [one.logit for one in scores if one.logit is not None]
    if not logits:
        return [_unmeasured("logit_median", "Logit, median", "score", "no file has a score")]
    quantiles = ((0.05, "5 %"), (0.25, "25 %"), (0.5, "median"), (0.75, "75 %"), (0.95, "95 %"))
    return [
        Row(
            key="logit_median" if name == "median" else f"logit_{name.partition(' ')[0]}",
            text=f"Logit, {name}",
            value=float(np.quantile(logits, at)),
            unit="score",
            note=f"{len(logits)} of {len(scores)} files have a score",
        )
        for at, name in quantiles
    ]


def pair_row(scores: Sequence[FileScore]) -> Row:
    """Share of pairs in which the fake scores above its own original.

    A fake counts against every untouched file of its group. Where either has no score nothing
    ranks them: the pair counts one half, like a tie.
    """
    real, fake = _split(scores)
    pairs = [(f, r) for f in fake for r in real if f.group == r.group]
    outcomes = np.array([
        0.5 if f.logit is None or r.logit is None
        else metrics.pair_order_share([f.logit], [r.logit])
        for f, r in pairs
    ])  # fmt: skip
    unscored = sum(f.logit is None or r.logit is None for f, r in pairs)
    note = f"{int((outcomes == 1).sum())} of {len(pairs)} pairs; {unscored} without both scores"
    return _interval_row(
        "pair_order", "Pairs with the fake above its original", "share",
        lambda _, values: float(values.mean()),
        [0] * len(pairs), outcomes, [f.group for f, _ in pairs], note,
    )  # fmt: skip


def share_row(
    key: str, text: str, files: Sequence[FileScore], outcome: Sequence[bool], *, note: str = ""
) -> Row:
    """The share of files for which something holds, with its count."""
    if not files:
        return _unmeasured(key, text, "share", "no such file")
    count = f"{sum(outcome)} of {len(files)}"
    note = f"{count}; {note}" if note else count
    groups = [one.group for one in files]
    row = _interval_row(
        key, text, "share", lambda _, values: float(values.mean()),
        [0] * len(files), np.array(outcome, float), groups, note,
    )  # fmt: skip
    if 0 < sum(outcome) < len(files):
        return row
    # Where all agree every resample agrees too, and the bootstrap would claim certainty. The exact
    # binomial interval (Clopper and Pearson 1934) has a closed form at both ends.
    tail = 1.0 - 0.025 ** (1.0 / len(set(groups)))
    low, high = (0.0, tail) if row.value == 0.0 else (1.0 - tail, 1.0)
    return Row(key=key, text=text, value=row.value, unit="share", low=low, high=high, note=note)


def _auc_over_all(scores: Sequence[FileScore]) -> Row:
    key, text = "auc", "AUC, all files"
    missing = sum(one.logit is None for one in scores)
    note = f"{missing} without a score; a pair with one of them counts half"

    def auc(y_true: Labels, index: Values) -> float:
        logits = [scores[int(i)].logit for i in index]
        known = np.array([logit is not None for logit in logits])
        share = known[y_true == 1].mean() * known[y_true == 0].mean()
        if share == 0:
            return 0.5
        values = np.array([logit for logit in logits if logit is not None])
        return float(share * metrics.roc_auc_score(y_true[known], values) + (1 - share) * 0.5)

    return _interval_row(
        key, text, "score", auc, [one.y_true for one in scores],
        np.arange(len(scores), dtype=float), [one.group for one in scores], note, two_classes=True,
    )  # fmt: skip


def _row(
    key: str,
    text: str,
    unit: Unit,
    metric: Callable[[Labels, Values], float],
    files: Sequence[FileScore],
    column: str,
    *,
    note: str,
) -> Row:
    """A metric of labels and one column, over files that all have it."""
    values = np.array([getattr(one, column) for one in files], float)
    return _interval_row(
        key, text, unit, metric, [one.y_true for one in files], values,
        [one.group for one in files], note, two_classes=True,
    )  # fmt: skip


def _interval_row(  # noqa: PLR0913 - one line of a table has so many parts
    key: str,
    text: str,
    unit: Unit,
    metric: Callable[[Labels, Values], float],
    y_true: Sequence[int],
    values: Values,
    groups: Sequence[str],
    note: str,
    *,
    two_classes: bool = False,
) -> Row:
    if not len(values) or (two_classes and len(set(y_true)) < 2):
        return _unmeasured(key, text, unit, "too few files with a score on both sides")
    found = metrics.bootstrap_interval(metric, y_true, values, groups, n=RESAMPLES, seed=SEED)
    return Row(
        key=key, text=text, value=found.value, unit=unit, low=found.low, high=found.high, note=note
    )


def _unmeasured(key: str, text: str, unit: Unit, why: str) -> Row:
    return Row(key=key, text=text, value=None, unit=unit, note=why)


def _split(scores: Sequence[FileScore]) -> tuple[list[FileScore], list[FileScore]]:
    real = [one for one in scores if one.y_true == 0]
    fake = [one for one in scores if one.y_true == 1]
    return real, fake


def _ece_by_chance(judged: Sequence[FileScore]) -> str:
    """Mean ECE of truths drawn from the stated probabilities: the floor for so many files."""
    if not judged:
        return "unknown"
    rng = np.random.default_rng(SEED)
    prob = metrics.probability_from_log10_lr([one.log10_lr or 0.0 for one in judged])
    drawn = [
        metrics.expected_calibration_error(rng.binomial(1, prob), prob, bins=ECE_BINS)
        for _ in range(200)
    ]
    return f"{np.mean(drawn):.3f}"
