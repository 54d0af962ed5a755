"""How well scores put manipulated samples above untouched ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.metrics._arrays import labels_and_scores, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def roc_curve(
    y_true: ArrayLike, y_score: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """False-positive and true-positive rate at every threshold that changes either.

    A sample counts as called when its score is at or above the threshold. Equal scores move
    together, so the curve does not depend on the order of the samples.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion.

    Returns:
        ``fpr``, ``tpr`` and ``thresholds``, each (K + 1,) for K distinct scores. The first point
        is (0, 0) at an infinite threshold, the last (1, 1) at the lowest score.

    Raises:
        ValueError: See :func:`unmask.metrics.roc_auc_score`.

    Source:
        Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 27 (2006), algorithm
        1. No point is dropped for lying on a straight line.
    """
    is_fake, scores = labels_and_scores(y_true, y_score)
    order = np.argsort(-scores, kind="stable")
    ranked, fakes = scores[order], is_fake[order]
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    true_positives = np.cumsum(fakes)[last_of_ties]
    false_positives = np.cumsum(~fakes)[last_of_ties]
    tpr = np.append(0.0, true_positives / true_positives[-1])
    fpr = np.append(0.0, false_positives / false_positives[-1])
    return fpr, tpr, np.append(np.inf, ranked[last_of_ties])


def roc_auc_score(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Area under the ROC curve.

    Equal to the probability that a manipulated sample drawn at random scores above an untouched
    one, where a tie counts one half; 0.5 is chance, 1 is perfect.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion; ties and infinities may occur, NaN may not.

    Returns:
        A value in 0..1.

    Raises:
        ValueError: Shapes differ, a label is neither 0 nor 1, a score is NaN, or only one class
            is there.

    Source:
        Hanley and McNeil, Radiology 143 (1982): the area is the Mann-Whitney statistic.
    """
    fpr, tpr, _ = roc_curve(y_true, y_score)
    return float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1])) / 2)


def equal_error_rate(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Error rate at the point where misses and false alarms are equally frequent.

    The crossing of the ROC curve, its points joined by straight lines, with the diagonal
    ``tpr = 1 - fpr``. A point between two thresholds is reached by choosing between them at
    random, so the value is attainable also where scores tie.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion.

    Returns:
        A rate in 0..1; 0.5 is chance.

    Raises:
        ValueError: See :func:`unmask.metrics.roc_auc_score`.

    Source:
        NIST Speaker Recognition Evaluation plans. The curve is the ROC itself; its convex hull
        (ROCCH-EER of the BOSARIS toolkit) would give a lower or equal value.
    """
    fpr, tpr, _ = roc_curve(y_true, y_score)
    excess = tpr + fpr - 1.0  # rises from -1 to 1 along the curve
    right = int(np.argmax(excess >= 0.0))
    left = right - 1
    share = -excess[left] / (excess[right] - excess[left])
    return float(fpr[left] + share * (fpr[right] - fpr[left]))


def tpr_at_fpr(y_true: ArrayLike, y_score: ArrayLike, max_fpr: float) -> float:
    """Largest share of manipulated samples called while at most ``max_fpr`` untouched ones are.

    Only thresholds that exist count; nothing is read off between them. With fewer than
    ``1 / max_fpr`` untouched samples this is the rate at no false alarm at all.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; both must occur.
        y_score: (N,) rises with suspicion.
        max_fpr: Allowed false-positive rate, 0..1.

    Returns:
        A rate in 0..1.

    Raises:
        ValueError: ``max_fpr`` is outside 0..1; else see :func:`unmask.metrics.roc_auc_score`.

    Source:
        Fawcett (2006), section 5; the usual "TPR at FPR x %" of biometrics.
    """
    if not 0.0 <= max_fpr <= 1.0:
        raise ValueError(f"max_fpr is {max_fpr}; expected a rate in 0..1")
    fpr, tpr, _ = roc_curve(y_true, y_score)
    return float(tpr[fpr <= max_fpr].max())


def accuracy_at(y_true: ArrayLike, y_score: ArrayLike, threshold: float) -> float:
    """Share of samples on the right side of a threshold that was fixed beforehand.

    Args:
        y_true: (N,) 1 = manipulated, 0 = untouched; one class may be absent.
        y_score: (N,) rises with suspicion.
        threshold: A score at or above it calls the sample manipulated.

    Returns:
        A share in 0..1. On unequal classes the larger one dominates: state both counts.

    Raises:
        ValueError: Shapes differ, a label is neither 0 nor 1, or a score is NaN.
    """
    is_fake, scores = labels_and_scores(y_true, y_score, both_classes=False)
    return float(np.mean((scores >= threshold) == is_fake))


def pair_order_share(fake_scores: ArrayLike, original_scores: ArrayLike) -> float:
    """Share of pairs in which the manipulated film scores above its own original.

    Unlike the AUC this compares only what differs by the manipulation: same person, camera and
    encoding. A tie counts one half, so that a constant score gets 0.5.

    Args:
        fake_scores: (P,) scores of the manipulated members.
        original_scores: (P,) scores of their originals, in the same order.

    Returns:
        A share in 0..1.

    Raises:
        ValueError: The lengths differ, nothing is there, or a score is NaN.

    Source:
        The paired form of the Mann-Whitney statistic (probability of superiority; Grissom and
        Kim, Effect Sizes for Research, 2012, chapter 5).
    """
    fakes, originals = (
        vector(fake_scores, "fake_scores"),
        vector(original_scores, "original_scores"),
    )
    if fakes.shape != originals.shape:
        raise ValueError(f"{fakes.size} fake scores for {originals.size} originals; expected pairs")
    return float(np.mean((fakes > originals) + 0.5 * (fakes == originals)))
