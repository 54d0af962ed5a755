"""The pictures of a comparison: ranking, ROC, DET, reliability, robustness, costs, features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask import metrics
from unmask.bench.comparison.svg import DASHES, INK, MARKERS, OTHERS, PAPER, SERIES, drawing

if TYPE_CHECKING:
    from markupsafe import Markup
    from numpy.typing import NDArray

    from unmask.bench.comparison.costs import Costs
    from unmask.bench.comparison.embedding import Embedding
    from unmask.bench.comparison.entries import Entry
    from unmask.bench.comparison.measures import Measure
    from unmask.bench.comparison.stress import StressPoint
    from unmask.bench.comparison.tables import Record

NAMED = len(SERIES)
"""How many detectors a plot of curves names; the others are grey and stand in the tables."""
_RATES = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)


def ranking_plot(records: Sequence[Record], *, name: str) -> Markup:
    """AUC with its interval, one line a detector, the best on top."""
    told = [one for one in records if one.cell["auc"].value is not None]

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for place, one in enumerate(reversed(told)):
            auc = one.cell["auc"]
            if auc.low is not None:
                axes.plot([auc.low, auc.high], [place, place], color=SERIES[0], lw=2.2, alpha=0.45,
                          solid_capstyle="butt")  # fmt: skip
            axes.plot(auc.value, place, "o", color=SERIES[0], ms=5)
        axes.axvline(0.5, color=INK, lw=0.6, ls=":")
        axes.set_yticks(range(len(told)), [one.detector for one in reversed(told)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=INK, alpha=0.12, lw=0.5)
        axes.set(xlabel="AUC and 95 % interval; dotted: chance", ylim=(-0.7, len(told) - 0.3))

    said = "AUC by detector: " + ", ".join(
        f"{one.detector} {one.cell['auc'].value:.3f}" for one in told
    )
    return drawing(draw, name=name, said=said + ".", size_in=(7.2, 0.75 + 0.27 * len(told)))


def roc_and_det(found: Sequence[Entry], *, name: str) -> Markup:
    """ROC and DET curves, the best detectors named; over several seeds, that of the mean logit.

    Source:
        Martin et al., The DET curve in assessment of detection task performance, Eurospeech 1997.
    """
    curves = [_curve(entry) for entry in found]

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for place, entry in reversed(list(enumerate(found))):
            fpr, tpr = curves[place]
            style = _style(place)
            left.plot(fpr, tpr, label=entry.detector if place < NAMED else None, **style)
            inner = (fpr > 0) & (fpr < 1) & (tpr > 0) & (tpr < 1)
            right.plot(_probit(fpr[inner]), _probit(1 - tpr[inner]), **style)
        left.plot([0, 1], [0, 1], color=INK, lw=0.6, ls=":")
        left.set(title="ROC", xlabel="false alarms", ylabel="hits", aspect="equal")
        _rate_axes(right)
        right.set(title="DET", xlabel="false alarms", ylabel="misses", aspect="equal")
        _legend(figure, left, len(found))

    said = f"ROC and DET curves of {len(found)} detectors; the numbers stand in the tables."
    return drawing(draw, name=name, said=said, size_in=(7.4, 4.3))


def reliability_plot(found: Sequence[Entry], *, name: str) -> Markup:
    """Stated probability against what came, at equal priors, for the best detectors."""
    shown = list(found)[:NAMED]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)

    def draw(figure: Any) -> None:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(shown):
                axes.set_visible(False)
                continue
            entry = shown[place]
            y_true, probability = _probabilities(entry)
            curve = metrics.reliability_curve(
                y_true, probability, sample_weight=metrics.prior_weights(y_true)
            )
            axes.plot([0, 1], [0, 1], color=INK, lw=0.6, ls=":")
            axes.plot(curve.said, curve.came, color=SERIES[place], lw=1.2)
            axes.scatter(curve.said, curve.came, 6 + 160 * curve.mass, color=SERIES[place],
                         alpha=0.75, lw=0)  # fmt: skip
            axes.set(title=entry.detector, aspect="equal", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
        figure.supxlabel("stated probability of a fake", fontsize=9)
        figure.supylabel("share of fakes", fontsize=9)

    said = "Reliability of the best detectors: stated probability against the share of fakes."
    return drawing(draw, name=name, said=said, size_in=(2.45 * columns + 0.4, 2.5 * rows + 0.3))


def stress_plot(points: Sequence[StressPoint], order: Sequence[str], *, name: str) -> Markup:
    """A metric against strength, one panel a kind of stress, intervals shaded for the named.

    Args:
        points: Points of any kinds; a clean one (no strength) starts each curve.
        order: Detectors, the best first: what is named.
        name: See :func:`unmask.bench.comparison.svg.drawing`.
    """
    kinds = list(dict.fromkeys((one.kind, one.title, one.unit) for one in points if one.kind))
    metric, scale = points[0].metric, 100.0 if points[0].in_percent else 1.0
    here = {one.detector for one in points}
    order = [detector for detector in order if detector in here]
    columns = min(3, len(kinds))
    rows = -(-len(kinds) // columns)

    def draw(figure: Any) -> None:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(kinds):
                axes.set_visible(False)
                continue
            kind, title, unit = kinds[place]
            for rank, detector in reversed(list(enumerate(order))):
                mine = [p for p in points if p.detector == detector and p.kind in (kind, "")]
                _stress_curve(axes, mine, rank, scale)
            labels = _strengths(points, kind)
            axes.set_xticks(range(len(labels)), labels)
            if len(labels) > 7:
                axes.tick_params(axis="x", rotation=60)
            axes.axhline(0.5 * scale, color=INK, lw=0.6, ls=":")
            axes.set(title=title, xlabel=unit)
            if place % columns == 0:
                axes.set_ylabel(f"{metric}, %" if scale > 1 else metric)
        _legend(figure, grid.flat[0], len(order))

    said = f"{metric} against strength for {', '.join(title for _, title, _ in kinds)}."
    size = (2.5 * columns + 0.2, 2.25 * rows + 0.6)
    return drawing(draw, name=name, said=said, size_in=size)


def cost_plot(pairs: Sequence[tuple[str, float, Costs]], *, name: str) -> Markup:
    """AUC against speed at batch 1 on one thread; the area of a dot is the size on disk."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for label, auc, costs in pairs:
            area = 14 + 3.0 * costs.disk_bytes / 1e6
            axes.scatter(costs.images_per_s_1, auc, area, color=SERIES[0], alpha=0.55, lw=0)
            axes.annotate(label, (costs.images_per_s_1, auc), xytext=(0, 3 + np.sqrt(area) / 2),
                          textcoords="offset points", fontsize=8, ha="center")  # fmt: skip
        axes.set_xscale("log")
        axes.margins(0.12)
        axes.grid(color=INK, alpha=0.12, lw=0.5)
        axes.set(xlabel="samples a second, batch 1, one thread (logarithmic)", ylabel="AUC")

    said = "AUC against speed: " + ", ".join(
        f"{label} {auc:.3f} at {costs.images_per_s_1:.1f} a second" for label, auc, costs in pairs
    )
    return drawing(draw, name=name, said=said + ".", size_in=(7.2, 4.0))


def embedding_plot(found: Sequence[Embedding], *, name: str) -> Markup:
    """t-SNE of features: colour is the domain, a filled mark is a fake, a ring is real."""
    domains = list(dict.fromkeys(d for one in found for d in one.domain.tolist()))

    def draw(figure: Any) -> None:
        grid = figure.subplots(1, len(found), squeeze=False)
        for axes, one in zip(grid.flat, found, strict=True):
            for place, domain in enumerate(domains):
                colour, marker = SERIES[place % NAMED], MARKERS[place % NAMED]
                for label, face in ((0, PAPER), (1, colour)):
                    mine = (one.domain == domain) & (one.y_true == label)
                    axes.scatter(*one.xy[mine].T, 12, marker=marker, facecolor=face, linewidth=0.7,
                                 edgecolor=colour, alpha=0.85,
                                 label=f"{domain}, {('real', 'fake')[label]}")  # fmt: skip
            axes.set(title=one.title, xticks=[], yticks=[])
            axes.set_aspect("equal", adjustable="datalim")
            axes.spines[:].set_visible(False)
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))

    said = "t-SNE of features by domain and label: " + ", ".join(one.title for one in found)
    return drawing(draw, name=name, said=said + ".", size_in=(3.7 * len(found), 4.1))


def _curve(entry: Entry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scored = entry.samples.scored()
    fpr, tpr, _ = metrics.roc_curve(scored.y_true, scored.logit)
    return fpr, tpr


def _probabilities(entry: Entry) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    scored = entry.samples.scored()
    return scored.y_true, metrics.probability_from_log10_lr(scored.logit / np.log(10.0))


def _style(place: int) -> dict[str, Any]:
    if place >= NAMED:
        return {"color": OTHERS, "lw": 0.8, "alpha": 0.6, "zorder": 1}
    return {"color": SERIES[place], "ls": DASHES[place], "zorder": 3 + NAMED - place}


def _legend(figure: Any, axes: Any, count: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    handles, labels = handles[::-1], labels[::-1]
    if count > NAMED:
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], **_style(NAMED)))
        labels.append(f"{count - NAMED} others")
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))


def _probit(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import norm

    found: NDArray[np.float64] = norm.ppf(rate)
    return found


def _rate_axes(axes: Any) -> None:
    ticks = _probit(np.array(_RATES))
    labels = [f"{rate * 100:g} %" for rate in _RATES]
    axes.set_xticks(ticks, labels, rotation=60)
    axes.set_yticks(ticks, labels)
    low, high = _probit(np.array([0.0008, 0.992]))
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.plot([low, high], [low, high], color=INK, lw=0.4, alpha=0.5)
    axes.grid(color=INK, alpha=0.1, lw=0.5)


def _strengths(points: Sequence[StressPoint], kind: str) -> list[str]:
    found = dict.fromkeys(p.strength for p in points if p.kind == kind and p.strength is not None)
    return ["clean", *(f"{strength:g}" for strength in found)]


def _stress_curve(axes: Any, points: Sequence[StressPoint], rank: int, scale: float) -> None:
    """Steps of equal width: strengths of one kind have no common measure."""
    measured = [(i, p.value) for i, p in enumerate(points) if p.value.value is not None]
    if not measured:
        return
    style = _style(rank)
    x = [i for i, _ in measured]
    y = [scale * (value.value or 0.0) for _, value in measured]
    label = points[0].detector if rank < NAMED else None
    axes.plot(x, y, label=label, **style)
    if rank < NAMED:
        axes.plot(x, y, MARKERS[rank], ms=3, color=style["color"])
        for first, second in pairwise(measured):
            _band(axes, first, second, scale, style["color"])


def _band(
    axes: Any,
    first: tuple[int, Measure],
    second: tuple[int, Measure],
    scale: float,
    colour: str,
) -> None:
    """Shade the intervals between two points where both have one."""
    ends = [(one.low, one.high) for _, one in (first, second)]
    if all(low is not None for low, _ in ends):
        low, high = ([scale * (end[place] or 0.0) for end in ends] for place in (0, 1))
        axes.fill_between([first[0], second[0]], low, high, color=colour, alpha=0.07, lw=0)
