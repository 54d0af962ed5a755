"""How good stated likelihood ratios are, in the measure of forensic speaker comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.metrics._arrays import labels_and_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def cllr(y_true: ArrayLike, log10_lr: ArrayLike) -> float:
    """Log-likelihood-ratio cost: what the ratios cost whoever decides by them, over all priors.

    Mean of ``log2(1 + 1 / LR)`` over the manipulated samples and of ``log2(1 + LR)`` over the
    untouched ones, each class weighing half.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        log10_lr: (N,) decimal logarithm of the likelihood ratio for manipulation. An infinite one
            on the wrong side costs infinitely much.

    Returns:
        Bits, from 0 (perfect) up; 1 is what saying nothing (LR = 1) costs; above 1 the ratios
        mislead.

    Raises:
        ValueError: Shapes differ, a label is neither 0 nor 1, a ratio is NaN, or a class is
            missing.

    Source:
        Brummer and du Preez, Application-independent evaluation of speaker detection, Computer
        Speech and Language 20 (2006), equation 10.
    """
    is_fake, log10 = labels_and_scores(y_true, log10_lr)
    log_ratio = log10 * np.log(10.0)
    cost_fake = np.mean(np.logaddexp(0.0, -log_ratio[is_fake]))
    cost_real = np.mean(np.logaddexp(0.0, log_ratio[~is_fake]))
    return float((cost_fake + cost_real) / (2.0 * np.log(2.0)))


def cllr_min(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """The smallest Cllr that any rising calibration of these very scores could have reached.

    It measures discrimination alone. ``cllr - cllr_min`` is what was lost in calibration.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion; any scale.

    Returns:
        Bits in 0..1.

    Raises:
        ValueError: See :func:`unmask.metrics.cllr`.

    Source:
        Brummer and du Preez (2006), section 6: calibration by pool-adjacent-violators on the
        test scores themselves.
    """
    return cllr(y_true, pav_log10_lr(y_true, y_score))


def pav_log10_lr(y_true: ArrayLike, y_score: ArrayLike) -> NDArray[np.float64]:
    """The rising map from scores to likelihood ratios that fits these samples best.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion; equal scores get equal ratios.

    Returns:
        (N,) log10 likelihood ratios, infinite where only one class lies beyond a score.

    Raises:
        ValueError: See :func:`unmask.metrics.cllr`.

    Source:
        Ayer et al., Annals of Mathematical Statistics 26 (1955); posterior turned into a ratio by
        taking the prior of the set out, as in Brummer and du Preez (2006).
    """
    is_fake, scores = labels_and_scores(y_true, y_score)
    _, inverse, count = np.unique(scores, return_inverse=True, return_counts=True)
    fakes = np.bincount(inverse, is_fake).astype(np.float64)
    posterior = _rising_means(fakes, count)
    with np.errstate(divide="ignore"):
        log10_odds = np.log10(posterior) - np.log10(1.0 - posterior)
    log10_prior_odds = np.log10(is_fake.sum() / (~is_fake).sum())
    ratios: NDArray[np.float64] = (log10_odds - log10_prior_odds)[inverse]
    return ratios


def _rising_means(totals: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Pool neighbours until the means ``totals / counts`` nowhere fall."""
    pools: list[tuple[float, int, int]] = []  # total, count, members
    for total, count in zip(totals.tolist(), counts.tolist(), strict=True):
        pool = (total, count, 1)
        # compared crosswise: counts are whole numbers, so this is exact
        while pools and pools[-1][0] * pool[1] >= pool[0] * pools[-1][1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    means = np.array([total / count for total, count, _ in pools])
    return np.repeat(means, [members for _, _, members in pools])
