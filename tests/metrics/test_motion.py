"""Measures of motion on points and frames whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.metrics.motion import average_keypoint_distance, flicker, landmark_error, pose_error


def test_distances_of_shifted_points() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (4, 20, 2))
    moved = points + np.array([3.0, 4.0])
    assert average_keypoint_distance(moved, points) == pytest.approx([5.0] * 4)
    side = np.ptp(points, axis=1).max(1)
    assert landmark_error(moved, points) == pytest.approx(5 / side)


def test_angles_go_the_short_way_round() -> None:
    assert pose_error([[179.0, 10.0]], [[-179.0, 10.0]]) == pytest.approx([1.0])


def test_steady_change_does_not_flicker_and_alternation_does() -> None:
    whole = [np.ones((6, 6))] * 5
    rising = [np.full((6, 6, 3), 10 * n, np.uint8) for n in range(5)]
    assert flicker(rising, whole) == pytest.approx([0, 0, 0])
    blinking = [np.full((6, 6, 3), 100 + 4 * (n % 2), np.uint8) for n in range(5)]
    assert flicker(blinking, whole) == pytest.approx([8, 8, 8])


def test_flicker_outside_the_mask_does_not_count() -> None:
    frames = [np.zeros((6, 6, 3), np.uint8) for _ in range(3)]
    frames[1][:, 3:] = 50
    left = np.zeros((6, 6))
    left[:, :3] = 1
    assert flicker(frames, [left] * 3) == pytest.approx([0])
    assert flicker(frames, [1 - left] * 3) == pytest.approx([100])


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="three or more"):
        flicker([np.zeros((4, 4, 3), np.uint8)] * 2, [np.ones((4, 4))] * 2)
    with pytest.raises(ValueError, match="no extent"):
        landmark_error(np.zeros((1, 5, 2)), np.zeros((1, 5, 2)))
