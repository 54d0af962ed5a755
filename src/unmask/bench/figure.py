"""One small picture: ROC curve, scores of both classes, and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmask import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmask.bench.scoring import FileScore

_REAL, _FAKE, _INK = "#2a6f97", "#c8553d", "#6b7280"
_BINS = 10


def draw_figure(path: Path, scores: Sequence[FileScore]) -> bool:
    """Draw the scores of one data set into an SVG; the same scores give the same bytes.

    Returns:
        Whether there was something to draw: both classes need files with a verdict.
    """
    judged = [one for one in scores if one.log10_lr is not None and one.logit is not None]
    y_true = np.array([one.y_true for one in judged])
    if len(set(y_true.tolist())) < 2:
        return False
    import matplotlib as mpl
    from matplotlib.figure import Figure

    logits = np.array([one.logit for one in judged], float)
    ratios = np.array([one.log10_lr for one in judged], float)
    settings: Any = {"svg.hashsalt": "unmask", "svg.fonttype": "none", "font.size": 8}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9.0, 2.9), layout="constrained", facecolor="white")
        left, middle, right = figure.subplots(1, 3)
        _roc(left, y_true, logits)
        _spread(middle, y_true, logits)
        _reliability(right, y_true, ratios)
        for axes in (left, middle, right):
            axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    return True


def _roc(axes: Any, y_true: np.ndarray, logits: np.ndarray) -> None:
    fpr, tpr, _ = metrics.roc_curve(y_true, logits)
    axes.plot([0, 1], [0, 1], color=_INK, lw=0.7, ls=":")
    axes.plot(fpr, tpr, color=_FAKE, lw=1.4)
    area = metrics.roc_auc_score(y_true, logits)
    axes.set(
        title=f"ROC, files with a verdict (AUC {area:.3f})",
        xlabel="false-positive rate",
        ylabel="true-positive rate",
        aspect="equal",
    )


def _spread(axes: Any, y_true: np.ndarray, logits: np.ndarray) -> None:
    edges = np.linspace(logits.min(), logits.max() + 1e-9, 31)
    for label, colour, name in ((0, _REAL, "real"), (1, _FAKE, "fake")):
        axes.hist(logits[y_true == label], edges, color=colour, alpha=0.6, label=name)
    axes.set(title="Scores", xlabel="logit", ylabel="files")
    axes.legend(frameon=False)


def _reliability(axes: Any, y_true: np.ndarray, ratios: np.ndarray) -> None:
    curve = metrics.reliability_curve(
        y_true,
        metrics.probability_from_log10_lr(ratios),
        bins=_BINS,
        sample_weight=metrics.prior_weights(y_true),
    )
    axes.plot([0, 1], [0, 1], color=_INK, lw=0.7, ls=":")
    axes.plot(curve.said, curve.came, color=_FAKE, lw=1.0)
    axes.scatter(curve.said, curve.came, 8 + 240 * curve.mass, color=_FAKE, alpha=0.7, lw=0)
    axes.set(
        title="Reliability at equal priors",
        xlabel="stated probability",
        ylabel="share of fakes",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        aspect="equal",
    )
