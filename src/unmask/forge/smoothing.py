"""Temporal smoothing of landmarks, so that what is pasted back does not tremble.

The mesh is fitted to each frame alone and moves by a good part of a pixel in a still face. A plain
average over time would take that out and lag behind a head that moves; a parabola fitted around
each frame follows position, speed and acceleration, and averages only what is left.

Source: Savitzky & Golay, "Smoothing and Differentiation of Data by Simplified Least Squares
Procedures", 1964. What differs: Gaussian weights instead of equal ones (Cleveland, "Robust Locally
Weighted Regression", 1979, without the robust passes), and frames need not be evenly spaced. Where
a head moves faster than a parabola can follow, less is smoothed: lag is seen, tremble is not
(Casiez et al., "1 EUR Filter", CHI 2012, do the same by speed).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

SIGMA_S = 0.1
# A face that is this many of its own sides further on after one frame is another shot.
_JUMP = 0.35
_GAP = 2.5
_REACH = 3.0
# In standard deviations: a Gaussian is below 2e-8 of its height out there.
_FAR = 6.0
# Share of the face by which the smoothed one may lie beside the found one before it counts as lag.
_LAG = 0.01


def smoothed(
    values: Floats,
    pts_s: Sequence[float] | NDArray[np.float64],
    *,
    sigma_s: float = SIGMA_S,
) -> Floats:
    """Fit a parabola over time around each frame and take its value there.

    Args:
        values: (T, ...) numbers that belong to the times.
        pts_s: (T,) rising times of one run without cuts.
        sigma_s: Standard deviation of the weights; 0: nothing is changed.

    Returns:
        (T, ...) float32. Frames without neighbours in reach stay as they are.
    """
    times = np.asarray(pts_s, np.float64)
    if sigma_s <= 0 or len(times) < 3:
        return np.asarray(values, np.float32)
    flat = values.reshape(len(times), -1)
    out = np.empty(flat.shape, np.float32)
    for number, near in enumerate(_windows(times, _REACH * sigma_s)):
        out[number] = _weights(times[near], times[number], sigma_s) @ flat[near].astype(np.float64)
    return out.reshape(values.shape)


def runs(landmarks: Floats, pts_s: Sequence[float], shots: Sequence[int]) -> list[slice]:
    """Cut the frames of one face where it may not be smoothed over.

    Args:
        landmarks: (T, 468, 2) in pixels of the frames.
        pts_s: (T,) rising times.
        shots: (T,) number of the shot that each frame belongs to.

    Returns:
        Consecutive slices that cover all frames. A cut lies at a new shot, where the face was
        away for more than two and a half usual steps, and where it jumps.
    """
    if len(landmarks) < 2:
        return [slice(0, len(landmarks))]
    steps = np.diff(np.asarray(pts_s, np.float64))
    centres = landmarks.mean(1)
    sides = (landmarks.max(1) - landmarks.min(1)).max(1)
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.maximum(sides[:-1], 1.0)
    grown = np.abs(np.log(np.maximum(sides[1:], 1.0) / np.maximum(sides[:-1], 1.0)))
    cut = (steps > _GAP * max(float(np.median(steps)), 1e-6)) | (np.diff(shots) != 0)
    cut |= (moved > _JUMP) | (grown > _JUMP)
    edges = [0, *(np.flatnonzero(cut) + 1).tolist(), len(landmarks)]
    return [slice(first, last) for first, last in pairwise(edges)]


def smoothed_track(
    landmarks: Floats, pts_s: Sequence[float], shots: Sequence[int], *, sigma_s: float = SIGMA_S
) -> Floats:
    """Smooth the landmarks of one face over time, never across a cut; (T, 468, 2) float32."""
    if sigma_s <= 0:
        return np.asarray(landmarks, np.float32)
    out = np.empty_like(landmarks, dtype=np.float32)
    for run in runs(landmarks, pts_s, shots):
        found = landmarks[run]
        calm = smoothed(found, pts_s[run], sigma_s=sigma_s)
        share = _trust(found, calm, pts_s[run], sigma_s)[:, None, None]
        out[run] = share * calm + (1 - share) * found
    return out


def _trust(found: Floats, calm: Floats, pts_s: Sequence[float], sigma_s: float) -> Floats:
    """(T,) 0..1: how much of the smoothing to take, by how far it lags around each frame."""
    sides = np.maximum((found.max(1) - found.min(1)).max(1), 1.0)
    lag = np.linalg.norm(calm.mean(1) - found.mean(1), axis=1) / sides
    times = np.asarray(pts_s, np.float64)
    around = np.empty(len(times))
    for number, near in enumerate(_windows(times, _FAR * sigma_s)):
        weights = np.exp(-0.5 * ((times[near] - times[number]) / sigma_s) ** 2)
        around[number] = (weights @ lag[near] ** 2) / weights.sum()
    return np.asarray(1 / (1 + around / _LAG**2), np.float32)


def _windows(times: NDArray[np.float64], reach_s: float) -> Iterator[slice]:
    """For each frame those within reach: what a film of any length costs, frame by frame."""
    first = np.searchsorted(times, times - reach_s)
    last = np.searchsorted(times, times + reach_s, side="right")
    for start, end in zip(first.tolist(), last.tolist(), strict=True):
        yield slice(start, end)


def _weights(times: NDArray[np.float64], now: float, sigma: float) -> NDArray[np.float64]:
    """Weights whose sum with the values is the fitted parabola's value at ``now``."""
    away = (times - now) / sigma
    gauss = np.exp(-0.5 * away**2)
    # A parabola through three points or fewer would be the points themselves.
    order = min(2, max(0, len(times) - 2))
    basis = away[:, None] ** np.arange(order + 1)
    weighted = basis * gauss[:, None]
    solution: NDArray[np.float64] = np.linalg.solve(basis.T @ weighted, weighted.T)[0]
    return solution
