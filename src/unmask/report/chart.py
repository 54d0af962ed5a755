"""The score of one face over time as inline SVG.

Few points are drawn as they are; many are gathered into at most 400 bins of equal length, each
with its lowest, mean and highest score, so that a short peak is never averaged away.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.report.drawing import markup
from unmask.report.palette import LIGHT
from unmask.report.text import clock, signed
from unmask.types import TimelinePoint

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_BINS = 400
_DOTS_UP_TO = 64
_WIDTH, _HEIGHT = 720.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 14.0, 34.0
_GAP_FACTOR = 4.0
_LEAST_SPAN = 2.0


@dataclass(frozen=True, slots=True)
class Bin:
    """The scores of one stretch of time.

    Attributes:
        pts_s: Mean time of its points, seconds.
        low: Lowest score.
        mean: Mean score.
        high: Highest score.
        count: How many points it holds.
        in_scope: Whether any of its points was in scope.
    """

    pts_s: float
    low: float
    mean: float
    high: float
    count: int
    in_scope: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps seconds and scores to the drawing."""

    start_s: float
    end_s: float
    low: float
    high: float

    def x(self, pts_s: float) -> float:
        span = self.end_s - self.start_s
        part = 0.5 if span <= 0 else (pts_s - self.start_s) / span
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)

    def y(self, score: float) -> float:
        part = (score - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def gather(points: Sequence[TimelinePoint], max_bins: int = MAX_BINS) -> list[Bin]:
    """Return the points in order of time as at most ``max_bins`` bins.

    Points whose time or score is not a finite number are left out.

    Args:
        points: Any number of points in any order.
        max_bins: At least 1.
    """
    usable = sorted(
        (point for point in points if math.isfinite(point.pts_s) and math.isfinite(point.logit)),
        key=lambda point: point.pts_s,
    )
    if len(usable) <= max_bins:
        return [_bin([point]) for point in usable]
    start, span = usable[0].pts_s, usable[-1].pts_s - usable[0].pts_s
    groups: dict[int, list[TimelinePoint]] = {}
    for point in usable:
        part = (point.pts_s - start) / span if span > 0 else 0.0
        groups.setdefault(min(max_bins - 1, int(part * max_bins)), []).append(point)
    return [_bin(group) for _, group in sorted(groups.items())]


def _bin(points: Sequence[TimelinePoint]) -> Bin:
    scores = [point.logit for point in points]
    return Bin(
        pts_s=sum(point.pts_s for point in points) / len(points),
        low=min(scores),
        mean=sum(scores) / len(scores),
        high=max(scores),
        count=len(points),
        in_scope=any(point.in_scope for point in points),
    )


def timeline_chart(
    points: Sequence[TimelinePoint],
    *,
    threshold: float | None,
    duration_s: float | None = None,
    max_bins: int = MAX_BINS,
) -> Markup | None:
    """Draw the score of each frame over time, or return None where there is no point.

    Args:
        points: One face's timeline.
        threshold: Score at which a dashed line is drawn; None draws none.
        duration_s: Length of the media; the time axis then runs from its start to its end.
        max_bins: Most columns drawn.
    """
    bins = gather(points, min(max_bins, MAX_BINS))
    if not bins:
        return None
    frame = _frame(bins, threshold, duration_s)
    runs = _runs(bins)
    drawn = [_grid(frame), _band(runs, frame), _threshold(threshold, frame), _lines(runs, frame)]
    if len(points) <= _DOTS_UP_TO:
        drawn.append(_dots(bins, frame))
    return markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{describe(points, threshold)}">' + "".join(drawn) + "</svg>"
    )


def describe(points: Sequence[TimelinePoint], threshold: float | None) -> str:
    """Return what the chart shows in words, for those who cannot see it."""
    usable = gather(points, max(1, len(points)))
    if not usable:
        return "No frame has a score."
    highest = max(usable, key=lambda item: item.high)
    if len(usable) == 1:
        return f"One frame at {clock(highest.pts_s)}, score {signed(highest.high)}."
    lowest = min(usable, key=lambda item: item.low)
    mean = sum(item.mean for item in usable) / len(usable)
    text = (
        f"{len(usable):,} frames from {clock(usable[0].pts_s)} to {clock(usable[-1].pts_s)}: "
        f"mean score {signed(mean)}, lowest {signed(lowest.low)} at {clock(lowest.pts_s)}, "
        f"highest {signed(highest.high)} at {clock(highest.pts_s)}"
    )
    if threshold is None:
        return text + "."
    above = sum(item.high >= threshold for item in usable)
    return f"{text}; {above:,} of {len(usable):,} at or above {signed(threshold)}."


def _frame(bins: Sequence[Bin], threshold: float | None, duration_s: float | None) -> _Frame:
    scores = [item.low for item in bins] + [item.high for item in bins] + [0.0]
    if threshold is not None:
        scores.append(threshold)
    low, high = min(scores), max(scores)
    pad = 0.08 * max(high - low, _LEAST_SPAN)
    low, high = min(low - pad, -_LEAST_SPAN / 2), max(high + pad, _LEAST_SPAN / 2)
    start, end = bins[0].pts_s, bins[-1].pts_s
    if duration_s is not None and math.isfinite(duration_s):
        start, end = min(0.0, start), max(duration_s, end)
    return _Frame(start, end, low, high)


def _runs(bins: Sequence[Bin]) -> list[list[Bin]]:
    """Split where the face was away: a line across a gap would claim what was not seen."""
    steps = sorted(right.pts_s - left.pts_s for left, right in itertools.pairwise(bins))
    longest = _GAP_FACTOR * steps[len(steps) // 2] if steps else math.inf
    runs: list[list[Bin]] = [[bins[0]]]
    for left, right in itertools.pairwise(bins):
        if right.pts_s - left.pts_s > longest:
            runs.append([])
        runs[-1].append(right)
    return runs


def _nice_step(span: float, most: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten with at most ``most`` steps."""
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.9999)


def _grid(frame: _Frame) -> str:
    step = _nice_step(frame.high - frame.low, 5)
    first, last = math.ceil(frame.low / step), math.floor(frame.high / step)
    end = f"H{_WIDTH - _RIGHT:.0f}"
    rows = [(index, frame.y(index * step)) for index in range(first, last + 1)]
    faint = "".join(f"M{_LEFT:.0f} {y:.1f}{end}" for index, y in rows if index)
    labels = "".join(
        f'<text x="{_LEFT - 8:.0f}" y="{y + 4:.1f}">'
        f"{signed(index * step, 0 if step >= 1 else 1)}</text>"
        for index, y in rows
    )
    return (
        f'<path class="gridline" d="{faint}" stroke="{LIGHT["grid"]}" fill="none"/>'
        f'<path class="zero" d="M{_LEFT:.0f} {frame.y(0.0):.1f}{end}" stroke="{LIGHT["soft"]}" '
        f'fill="none"/>'
        f'<g class="tick" font-size="13" fill="{LIGHT["soft"]}"><g text-anchor="end">{labels}</g>'
        f"{_time_ticks(frame)}</g>"
    )


def _time_ticks(frame: _Frame) -> str:
    span = frame.end_s - frame.start_s
    places = (0.0, 0.25, 0.5, 0.75, 1.0) if span > 0 else (0.0,)
    digits = 0 if span >= 20 else 1 if span >= 2 else 2
    parts = []
    for part in places:
        at = frame.start_s + part * span
        anchor = "middle" if 0 < part < 1 or span <= 0 else ("start" if part == 0 else "end")
        parts.append(
            f'<text x="{frame.x(at):.1f}" y="{_HEIGHT - 8:.0f}" text-anchor="{anchor}">'
            f"{clock(at, digits)}</text>"
        )
    return "".join(parts)


def _threshold(threshold: float | None, frame: _Frame) -> str:
    if threshold is None or not math.isfinite(threshold):
        return ""
    y, top = frame.y(threshold), frame.y(frame.high)
    return (
        f'<rect class="above" x="{_LEFT:.0f}" y="{top:.1f}" width="{_WIDTH - _LEFT - _RIGHT:.0f}" '
        f'height="{y - top:.1f}" fill="{LIGHT["supported"]}" fill-opacity="0.06"/>'
        f'<path class="limit" d="M{_LEFT:.0f} {y:.1f}H{_WIDTH - _RIGHT:.0f}" '
        f'stroke="{LIGHT["supported"]}" stroke-width="1.5" stroke-dasharray="6 4" fill="none"/>'
    )


def _band(runs: Sequence[Sequence[Bin]], frame: _Frame) -> str:
    """Draw the reach from lowest to highest where bins hold several frames."""
    parts = []
    for run in runs:
        if all(item.count == 1 for item in run):
            continue
        upper = [f"{frame.x(item.pts_s):.1f} {frame.y(item.high):.1f}" for item in run]
        lower = [f"{frame.x(item.pts_s):.1f} {frame.y(item.low):.1f}" for item in reversed(run)]
        parts.append("M" + "L".join(upper + lower) + "z")
    if not parts:
        return ""
    return (
        f'<path class="band" d="{"".join(parts)}" fill="{LIGHT["band"]}" stroke="{LIGHT["band"]}" '
        f'stroke-width="0.8"/>'
    )


def _lines(runs: Sequence[Sequence[Bin]], frame: _Frame) -> str:
    path = "".join(
        "M"
        + "L".join(f"{frame.x(item.pts_s):.1f} {frame.y(item.mean):.1f}" for item in run)
        # A run of one has no line of its own; a dot-sized stroke keeps it in sight.
        + ("h0.1" if len(run) == 1 else "")
        for run in runs
    )
    return (
        f'<path class="plot" d="{path}" stroke="{LIGHT["plot"]}" stroke-width="2" fill="none" '
        f'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _dots(bins: Sequence[Bin], frame: _Frame) -> str:
    """Draw a dot for each frame; hollow where the frame was out of scope."""
    parts = []
    for in_scope, name in ((True, "dot"), (False, "dot-out")):
        circles = "".join(
            f'<circle cx="{frame.x(item.pts_s):.1f}" cy="{frame.y(item.mean):.1f}" r="4"/>'
            for item in bins
            if item.in_scope is in_scope
        )
        if circles:
            fill = LIGHT["plot" if in_scope else "paper"]
            parts.append(
                f'<g class="{name}" fill="{fill}" stroke="{LIGHT["plot"]}" '
                f'stroke-width="1.5">{circles}</g>'
            )
    return "".join(parts)
