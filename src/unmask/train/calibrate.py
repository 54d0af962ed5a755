"""Fitting a calibration: detector score -> log10 likelihood ratio -> label.

The fit is a logistic curve with empirical bounds (ELUB), both from the library ``lir``, on faces
held out of training by original. How samples count: each class counts half; within a class, sets
that bring their own forgeries count two thirds and the forgeries that we made, with the portraits
they were made from, one third, so that neither the easy forgeries nor the large sets decide alone.

The threshold of "manipulation supported" belongs to the WORST set of real faces, not to the mean:
false alarms on an unusual camera are no better for being rare on usual ones. Sets with fewer than
100 faces are pooled.

What the numbers rest on is measured first: fitted on one half of the originals, measured on the
other. The shipped curve is then fitted on all. Held-out originals are not in training, but people
can be: the sets do not say who is in them.

Source: Vergeer et al., "Numerical likelihood ratios outputted by LR systems are often based on
extrapolation: when to stop extrapolating?", Science & Justice 56 (2016), for the bounds. What
differs: a bound that lies below the threshold of its label is moved to the threshold, because a
verdict that can never be reached would be no verdict; ``data`` in the file says where this was so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from unmask.calibration import Calibration, Curve
from unmask.errors import UsageError
from unmask.metrics import (
    cllr,
    cllr_min,
    expected_calibration_error,
    probability_from_log10_lr,
    roc_auc_score,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.train.calibration_scores import Scored

FILMS_ARE_SIMULATED = (
    "Films are simulated: 8 versions of one held-out picture under one shared reduction and "
    "compression, with small changes of place, scale, tilt, light and grain. Expression, pose, "
    "motion blur and flicker do not change, so the scores of a real film vary more than these."
)
HOW_SAMPLES_COUNT = (
    "Each class half; within a class 2/3 sets that bring forgeries, 1/3 portraits and forgeries "
    "made from them."
)
_FOUND_SHARE = 2 / 3
_SMALL_SET = 100
_COPIES = 20  # the fitting routine takes no weights: the rarest kind counts as so many copies
_POOLED = "small sets together"


@dataclass(frozen=True, slots=True)
class Rates:
    """Which error rates the labels must keep.

    Attributes:
        false_alarms: Share of untouched faces of the worst set that may be called manipulated.
        misses: Share of manipulated faces of the worst kind that may be called unsuspicious.
    """

    false_alarms: float = 0.01
    misses: float = 0.10


def calibrate(
    pictures: Scored, films: Scored, *, name: str, detector: str, weights_sha256: str, rates: Rates
) -> Calibration:
    """Fit both curves and measure them.

    Args:
        pictures: Held-out faces scored as pictures.
        films: The same, scored as simulated films.
        name: Id of the calibration.
        detector: Id of the detector.
        weights_sha256: Digest of the weights that made the scores.
        rates: Error rates that the thresholds keep.

    Raises:
        UsageError: A class is missing, or the scores do not rise with manipulation.
    """
    data: dict[str, str | int | float] = {
        "films": FILMS_ARE_SIMULATED,
        "weights": HOW_SAMPLES_COUNT,
        "target_false_alarm_rate": rates.false_alarms,
        "target_miss_rate": rates.misses,
    }
    measured: dict[str, float] = {}
    curves = {}
    for kind, scored in (("image", pictures), ("film", films)):
        curve, notes = fit_curve(scored, rates)
        curves[kind] = curve
        data |= {f"{kind}_{key}": value for key, value in (notes | _counts(scored)).items()}
        numbers = cross_measure(scored, rates)
        measured |= {f"{kind}_{key}": round(value, 4) for key, value in numbers.items()}
    return Calibration(
        id=name,
        detector=detector,
        weights_sha256=weights_sha256,
        made=datetime.now(UTC).date().isoformat(),
        image=curves["image"],
        film=curves["film"],
        data=data,
        measured=measured,
    )


def fit_curve(scored: Scored, rates: Rates) -> tuple[Curve, dict[str, str | float]]:
    """Fit one curve with its bounds and thresholds.

    Returns:
        The curve, and notes: the worst sets, and ELUB bounds where they were moved.

    Raises:
        UsageError: A class is missing, or the scores do not rise with manipulation.
    """
    slope, intercept = _logistic(scored)
    raw = slope * scored.score + intercept
    elub_lower, elub_upper = _elub(raw, scored.y_true)
    supported, worst_real = _supported_from(scored, raw, rates.false_alarms)
    none, worst_fake = _none_up_to(scored, raw, rates.misses)
    none = min(none, 0.0, supported - 1e-6)
    lower, upper = min(elub_lower, none), max(elub_upper, supported)
    alarms = raw[_real_sets(scored)[worst_real]] >= supported
    missed = raw[_fake_kinds(scored)[worst_fake]] <= none
    notes: dict[str, str | float] = {"worst_real": worst_real, "worst_fake": worst_fake}
    if lower < elub_lower:
        notes["elub_lower_moved_from"] = round(elub_lower, 4)
    if upper > elub_upper:
        notes["elub_upper_moved_from"] = round(elub_upper, 4)
    curve = Curve(
        slope=slope,
        intercept=intercept,
        lower=lower,
        upper=upper,
        threshold_supported=supported,
        threshold_none=none,
        false_alarm_rate=float(alarms.mean()),
        false_alarm_interval=_exact_interval(int(alarms.sum()), len(alarms)),
        miss_rate=float(missed.mean()),
    )
    return curve, notes


def cross_measure(scored: Scored, rates: Rates) -> dict[str, float]:
    """Fit on half of the originals and measure on the other half; both ways, then the mean.

    Returns:
        ``auc``, ``cllr``, ``cllr_min``, ``ece`` (even odds, samples weighted as in the fit, 10
        bins), ``false_alarms_SET`` and ``supported_KIND``: shares called manipulated; and
        ``missed_KIND``: shares called unsuspicious.
    """
    half = np.array([_second_half(str(group)) for group in scored.group])
    folds = [_measure(scored.where(half == i), scored.where(half != i), rates) for i in (0, 1)]
    shared = [name for name in folds[0] if name in folds[1]]
    return {name: (folds[0][name] + folds[1][name]) / 2 for name in shared}


def _measure(fitted: Scored, seen: Scored, rates: Rates) -> dict[str, float]:
    curve, _ = fit_curve(fitted, rates)
    log10_lr = np.array([curve.log10_lr(score) for score in seen.score])
    probability = probability_from_log10_lr(log10_lr)
    numbers = {
        "auc": roc_auc_score(seen.y_true, seen.score),
        "cllr": cllr(seen.y_true, log10_lr),
        "cllr_min": cllr_min(seen.y_true, seen.score),
        "ece": expected_calibration_error(seen.y_true, probability, sample_weight=weights_of(seen)),
    }
    supported, none = log10_lr >= curve.threshold_supported, log10_lr <= curve.threshold_none
    for name, mask in _real_sets(seen).items():
        numbers[f"false_alarms_{name.replace(' ', '_')}"] = float(supported[mask].mean())
    for name, mask in _fake_kinds(seen).items():
        numbers[f"supported_{name}"] = float(supported[mask].mean())
        numbers[f"missed_{name}"] = float(none[mask].mean())
    return numbers


def weights_of(scored: Scored) -> NDArray[np.float64]:
    """(N,) weights that sum to 1; see the module's docstring for who counts how much."""
    with_found = set(scored.source[scored.method == "found"].tolist())
    found = np.isin(scored.source, list(with_found))
    weights = np.zeros(len(scored.score))
    for label in (0, 1):
        mine = scored.y_true == label
        parts = [(mine & found, _FOUND_SHARE), (mine & ~found, 1 - _FOUND_SHARE)]
        parts = [(mask, share) for mask, share in parts if mask.any()]
        total = sum(share for _, share in parts)
        for mask, share in parts:
            weights[mask] = 0.5 * share / total / mask.sum()
    return weights


def _logistic(scored: Scored) -> tuple[float, float]:
    """Slope and intercept of log10 LR over score."""
    from lir.algorithms.logistic_regression import LogitCalibrator

    if len(np.unique(scored.y_true)) < 2:
        raise UsageError(
            "Calibrating needs held-out faces of both classes; one is missing.",
            hint="Use a recipe whose sets bring forgeries, or portraits to forge.",
        )
    weights = weights_of(scored)
    copies = np.maximum(1, np.rint(weights / weights.min() * _COPIES)).astype(int)
    score, y_true = np.repeat(scored.score, copies), np.repeat(scored.y_true, copies)
    # Next to no regularisation: a thousand samples determine two numbers.
    calibrator = LogitCalibrator(C=1e6).fit(score.reshape(-1, 1), y_true)
    ends = calibrator.transform(np.array([[0.0], [1.0]])).ravel()
    slope, intercept = float(ends[1] - ends[0]), float(ends[0])
    if not slope > 0:
        raise UsageError(
            f"The scores do not rise with manipulation (slope {slope:.3g}).",
            hint="Train longer; these weights cannot be calibrated.",
        )
    return slope, intercept


def _elub(log10_lr: NDArray[np.float64], y_true: NDArray[np.int64]) -> tuple[float, float]:
    """Empirical lower and upper bounds of log10 LR."""
    from lir.algorithms.bayeserror import elub

    lower, upper = elub(log10_lr.copy(), y_true, add_misleading=1)  # it writes into its input
    return round(float(lower), 4), round(float(upper), 4)


def _real_sets(scored: Scored) -> dict[str, NDArray[np.bool_]]:
    """Untouched faces by set, small sets pooled; a pool that is small, too, joins everything."""
    real = scored.y_true == 0
    names, counts = np.unique(scored.source[real], return_counts=True)
    sets = {
        str(name): real & (scored.source == name)
        for name, count in zip(names, counts, strict=True)
        if count >= _SMALL_SET
    }
    rest = real & ~np.isin(scored.source, list(sets))
    if rest.sum() >= _SMALL_SET:
        sets[_POOLED] = rest
    return sets or {"all": real}


def _fake_kinds(scored: Scored) -> dict[str, NDArray[np.bool_]]:
    """Manipulated faces by how they were made."""
    fake = scored.y_true == 1
    return {str(m): fake & (scored.method == m) for m in np.unique(scored.method[fake])}


def _supported_from(
    scored: Scored, log10_lr: NDArray[np.float64], rate: float
) -> tuple[float, str]:
    """The lowest threshold at which no set has more than ``rate`` at or above it; that set."""
    worst = {}
    for name, mask in _real_sets(scored).items():
        ordered = np.sort(log10_lr[mask])[::-1]
        # The first that must not be reached; strictly above it lies the threshold.
        worst[name] = float(ordered[min(int(rate * len(ordered)), len(ordered) - 1)])
    name = max(worst, key=worst.__getitem__)
    return float(np.nextafter(worst[name], np.inf)) + 1e-9, name


def _none_up_to(scored: Scored, log10_lr: NDArray[np.float64], rate: float) -> tuple[float, str]:
    """The highest threshold at which no kind has more than ``rate`` at or below it; that kind."""
    worst = {}
    for name, mask in _fake_kinds(scored).items():
        ordered = np.sort(log10_lr[mask])
        worst[name] = float(ordered[min(int(rate * len(ordered)), len(ordered) - 1)])
    name = min(worst, key=worst.__getitem__)
    return float(np.nextafter(worst[name], -np.inf)) - 1e-9, name


def _exact_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson 1934)."""
    from scipy.stats import binomtest

    interval = binomtest(hits, count).proportion_ci(confidence_level=0.95, method="exact")
    return float(interval.low), float(interval.high)


def _second_half(group: str) -> bool:
    # Other digits of the hash than those that held the group out.
    return int(hashlib.sha256(group.encode()).hexdigest()[8:16], 16) % 2 == 1


def _counts(scored: Scored) -> dict[str, int]:
    counts = {}
    for name in np.unique(scored.source[scored.y_true == 0]):
        mask = (scored.y_true == 0) & (scored.source == name)
        counts[f"real_{name}"] = int(mask.sum())
    for name, mask in _fake_kinds(scored).items():
        counts[f"fake_{name}"] = int(mask.sum())
    return counts | {"originals": len(np.unique(scored.group))}
