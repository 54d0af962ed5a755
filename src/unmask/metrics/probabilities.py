"""How good stated probabilities are: sharp, and true to their word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from unmask.metrics._arrays import labels_and_scores, vector, weights_for

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Binning = Literal["equal_width", "equal_mass"]


class ReliabilityCurve(NamedTuple):
    """What was said against what came, for each bin that is not empty.

    Attributes:
        said: (B,) mean stated probability in the bin.
        came: (B,) share of manipulated samples in the bin.
        mass: (B,) share of all samples in the bin; sums to 1.
    """

    said: NDArray[np.float64]
    came: NDArray[np.float64]
    mass: NDArray[np.float64]


def probability_from_log10_lr(log10_lr: ArrayLike, prior: float = 0.5) -> NDArray[np.float64]:
    """Probability of manipulation after a finding, by Bayes' rule in odds form.

    Args:
        log10_lr: (N,) decimal logarithm of the likelihood ratio; infinities may occur.
        prior: Probability of manipulation before the finding, above 0 and below 1.

    Returns:
        (N,) probabilities in 0..1.

    Raises:
        ValueError: The prior is not strictly between 0 and 1, or a ratio is NaN.
    """
    _check_prior(prior)
    log_odds = vector(log10_lr, "log10_lr") * np.log(10.0) + np.log(prior / (1.0 - prior))
    # tanh saturates where exp would overflow
    probability: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return probability


def prior_weights(y_true: ArrayLike, prior: float = 0.5) -> NDArray[np.float64]:
    """Weights under which the manipulated samples together weigh ``prior``.

    A probability stated at equal priors has to be judged at equal priors, however many samples
    of each class a set happens to hold.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        prior: Total weight of the manipulated samples, above 0 and below 1.

    Returns:
        (N,) weights that sum to 1, for ``sample_weight`` of the losses below.

    Raises:
        ValueError: The prior is not strictly between 0 and 1, or a class is missing.
    """
    _check_prior(prior)
    is_fake, _ = labels_and_scores(y_true, np.zeros(np.shape(y_true)))
    weights: NDArray[np.float64] = np.where(
        is_fake, prior / is_fake.sum(), (1.0 - prior) / (~is_fake).sum()
    )
    return weights


def log_loss(y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Mean negative natural logarithm of the probability given to what was true.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched.
        y_prob: (N,) stated probability of manipulation, 0..1; drawn in by one float64 epsilon
            at both ends, so that a single wrong certainty does not make the mean infinite.
        sample_weight: (N,) weights, or None for equal ones.

    Returns:
        Nats, from 0 (perfect) up; always saying 0.5 costs ln 2 = 0.693.

    Raises:
        ValueError: Shapes differ, a label is neither 0 nor 1, or a probability is outside 0..1.

    Source:
        Good, Rational decisions, J. Royal Statistical Society B 14 (1952).
    """
    is_fake, prob, weights = _checked(y_true, y_prob, sample_weight)
    tiny = np.finfo(np.float64).eps
    prob = np.clip(prob, tiny, 1.0 - tiny)
    return float(-np.sum(weights * np.log(np.where(is_fake, prob, 1.0 - prob))))


def brier_loss(
    y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Mean squared difference between the stated probability and what was true.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched.
        y_prob: (N,) stated probability of manipulation, 0..1.
        sample_weight: (N,) weights, or None for equal ones.

    Returns:
        0 (perfect) to 1; always saying 0.5 costs 0.25.

    Raises:
        ValueError: Shapes differ, a label is neither 0 nor 1, or a probability is outside 0..1.

    Source:
        Brier, Monthly Weather Review 78 (1950), in its two-class form (half of his sum).
    """
    is_fake, prob, weights = _checked(y_true, y_prob, sample_weight)
    return float(np.sum(weights * (prob - is_fake) ** 2))


def reliability_curve(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "equal_width",
    sample_weight: ArrayLike | None = None,
) -> ReliabilityCurve:
    """Sort samples into bins of stated probability and compare with the share that came true.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched.
        y_prob: (N,) stated probability of manipulation, 0..1.
        bins: Number of bins, at least 1; empty ones are left out of the result.
        binning: ``equal_width`` cuts 0..1 into intervals open below and closed above (0 belongs to
            the first). ``equal_mass`` cuts the sorted samples into parts of equal weight; equal
            probabilities are never torn apart, so parts may differ in weight where many tie.
        sample_weight: (N,) weights, or None for equal ones.

    Returns:
        One entry for each bin that is not empty, in rising order.

    Raises:
        ValueError: As for :func:`unmask.metrics.brier_loss`, or ``bins`` or ``binning`` is wrong.

    Source:
        Equal width: Guo et al., On calibration of modern neural networks, ICML 2017. Equal mass:
        Nixon et al., Measuring calibration in deep learning, CVPR workshops 2019.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}; expected at least 1")
    is_fake, prob, weights = _checked(y_true, y_prob, sample_weight)
    if binning == "equal_width":
        index = _equal_width(prob, bins)
    elif binning == "equal_mass":
        index = _equal_mass(prob, weights, bins)
    else:
        raise ValueError(f"binning is {binning!r}; expected 'equal_width' or 'equal_mass'")
    mass = np.bincount(index, weights, minlength=bins).astype(np.float64)
    filled = mass > 0
    said = np.bincount(index, weights * prob, minlength=bins)[filled] / mass[filled]
    came = np.bincount(index, weights * is_fake, minlength=bins)[filled] / mass[filled]
    return ReliabilityCurve(said, came, mass[filled])


def expected_calibration_error(
    y_true: ArrayLike,
    y_prob: ArrayLike,
    *,
    bins: int = 10,
    binning: Binning = "equal_width",
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean distance between stated probability and share that came true, over bins, by weight.

    The value is never below 0, so chance alone lifts it: N samples in B bins give about
    ``sqrt(B / N)`` times 0.3 even when every probability is right. Compare like with like.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched.
        y_prob: (N,) stated probability of manipulation (not of the predicted class), 0..1.
        bins: Number of bins, at least 1.
        binning: See :func:`unmask.metrics.reliability_curve`.
        sample_weight: (N,) weights, or None for equal ones.

    Returns:
        0 (true to its word) to 1.

    Raises:
        ValueError: See :func:`unmask.metrics.reliability_curve`.

    Source:
        Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian
        binning, AAAI 2015.
    """
    curve = reliability_curve(
        y_true, y_prob, bins=bins, binning=binning, sample_weight=sample_weight
    )
    return float(np.sum(curve.mass * np.abs(curve.said - curve.came)))


def _checked(
    y_true: ArrayLike, y_prob: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    is_fake, prob = labels_and_scores(y_true, y_prob, both_classes=False)
    if (prob < 0).any() or (prob > 1).any():
        raise ValueError("y_prob leaves 0..1; scores have to be calibrated first")
    return is_fake, prob, weights_for(sample_weight, prob.size)


def _check_prior(prior: float) -> None:
    if not 0.0 < prior < 1.0:
        raise ValueError(f"the prior is {prior}; expected a probability between 0 and 1")


def _equal_width(prob: NDArray[np.float64], bins: int) -> NDArray[np.intp]:
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.searchsorted(edges[1:-1], prob, side="left")


def _equal_mass(
    prob: NDArray[np.float64], weights: NDArray[np.float64], bins: int
) -> NDArray[np.intp]:
    inverse = np.unique(prob, return_inverse=True)[1]
    mass = np.bincount(inverse, weights)
    below = np.append(0.0, np.cumsum(mass)[:-1])
    # the small push keeps a boundary that falls on a sample from wavering with rounding
    part = np.minimum((below * bins + 1e-9).astype(np.intp), bins - 1)
    return part[inverse]
