"""Numbers for detectors: ranking, probabilities, likelihood ratios, intervals. NumPy only.

``y_true`` holds 1 for a manipulated sample and 0 for an untouched one; ``y_score`` rises with the
suspicion of manipulation. What ends in ``_score`` is better when it rises, what ends in ``_loss``
when it falls.

Example:
    >>> from unmask.metrics import roc_auc_score
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
"""

from __future__ import annotations

from unmask.metrics.intervals import BootstrapInterval, bootstrap_interval
from unmask.metrics.likelihood_ratios import cllr, cllr_min, pav_log10_lr
from unmask.metrics.probabilities import (
    Binning,
    ReliabilityCurve,
    brier_loss,
    expected_calibration_error,
    log_loss,
    prior_weights,
    probability_from_log10_lr,
    reliability_curve,
)
from unmask.metrics.ranking import (
    accuracy_at,
    equal_error_rate,
    pair_order_share,
    roc_auc_score,
    roc_curve,
    tpr_at_fpr,
)

__all__ = [
    "Binning",
    "BootstrapInterval",
    "ReliabilityCurve",
    "accuracy_at",
    "bootstrap_interval",
    "brier_loss",
    "cllr",
    "cllr_min",
    "equal_error_rate",
    "expected_calibration_error",
    "log_loss",
    "pair_order_share",
    "pav_log10_lr",
    "prior_weights",
    "probability_from_log10_lr",
    "reliability_curve",
    "roc_auc_score",
    "roc_curve",
    "tpr_at_fpr",
]
