"""How faces move: keypoints against a reference, pose, and flicker from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Doubles = NDArray[np.float64]


def average_keypoint_distance(points: ArrayLike, reference: ArrayLike) -> Doubles:
    """(T,) mean distance of keypoints in each frame, in the points' own unit (pixels).

    Args:
        points: (T, N, 2).
        reference: (T, N, 2), of the frames they should equal.

    Raises:
        ValueError: Shapes differ.

    Source:
        The AKD of Siarohin et al., "First Order Motion Model", NeurIPS 2019, section 4. What
        differs: whatever keypoints are given; the paper takes those of a published detector.
    """
    one, other = _points(points, reference)
    found: Doubles = np.linalg.norm(one - other, axis=2).mean(1)
    return found


def landmark_error(points: ArrayLike, reference: ArrayLike) -> Doubles:
    """(T,) mean distance of landmarks as a share of the reference face's longer side.

    Args:
        points: (T, N, 2).
        reference: (T, N, 2).

    Raises:
        ValueError: Shapes differ, or a reference face has no extent.
    """
    one, other = _points(points, reference)
    side = np.ptp(other, axis=1).max(1)
    if (side <= 0).any():
        raise ValueError("a reference face has no extent")
    found: Doubles = np.linalg.norm(one - other, axis=2).mean(1) / side
    return found


def pose_error(degrees: ArrayLike, reference: ArrayLike) -> Doubles:
    """(T,) mean absolute difference of the angles of a pose, the short way round, in degrees.

    Args:
        degrees: (T, A) angles such as yaw, pitch and roll.
        reference: (T, A).

    Raises:
        ValueError: Shapes differ.
    """
    one, other = np.asarray(degrees, np.float64), np.asarray(reference, np.float64)
    if one.shape != other.shape or one.ndim != 2:
        raise ValueError(f"poses of shapes {one.shape} and {other.shape}; expected two alike")
    away = (one - other + 180) % 360 - 180
    found: Doubles = np.abs(away).mean(1)
    return found


def flicker(frames: Sequence[NDArray[np.uint8]], weights: Sequence[ArrayLike]) -> Doubles:
    """(T - 2,) mean absolute second difference over time, in grey levels of 255.

    Steady light and steady change cancel out; what is left is what turns back at once: flicker,
    noise and, in smaller part, motion. So it is to be read against that of the original.

    Args:
        frames: T pictures (H, W, 3) of one size, in order, evenly spaced in time.
        weights: T weights (H, W) of their pixels (masks); a triple of frames counts where all
            three do.

    Raises:
        ValueError: There are fewer than three frames, or sizes differ.
    """
    if len(frames) < 3 or len(frames) != len(weights):
        raise ValueError(f"{len(frames)} frames, {len(weights)} weights; expected three or more")
    if len({frame.shape for frame in frames}) != 1:
        raise ValueError("the frames differ in size")
    found = []
    for at in range(1, len(frames) - 1):
        before, now, after = (np.asarray(frames[at + step], np.float64) for step in (-1, 0, 1))
        share = np.minimum.reduce([np.asarray(weights[at + step], float) for step in (-1, 0, 1)])
        change = np.abs(before - 2 * now + after).mean(-1)
        total = share.sum()
        found.append(float((change * share).sum() / total) if total > 0 else np.nan)
    return np.array(found)


def _points(points: ArrayLike, reference: ArrayLike) -> tuple[Doubles, Doubles]:
    one, other = np.asarray(points, np.float64), np.asarray(reference, np.float64)
    if one.shape != other.shape or one.ndim != 3:
        raise ValueError(f"points of shapes {one.shape} and {other.shape}; expected two alike")
    return one, other
