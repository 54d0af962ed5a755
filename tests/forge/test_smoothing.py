"""Smoothing takes out the tremble and leaves the motion."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from unmask.forge import smoothing
from unmask.forge.smoothing import runs, smoothed, smoothed_track

TIMES = np.arange(60) / 25


def face(centres: np.ndarray) -> np.ndarray:
    """(T, 468, 2): a round face of 100 pixels around each centre."""
    angle = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    circle = 50 * np.stack([np.cos(angle), np.sin(angle)], 1)
    return (centres[:, None] + circle).astype(np.float32)


def test_a_parabola_is_left_as_it_is():
    path = np.stack([3 * TIMES**2 - TIMES, 5 * TIMES + 1], 1).astype(np.float32)
    np.testing.assert_allclose(smoothed(path, TIMES), path, atol=1e-3)


def test_noise_is_averaged_and_a_nod_is_kept():
    nod = 20 * np.sin(2 * np.pi * 1.5 * TIMES)
    noise = np.random.default_rng(0).normal(0, 1, len(TIMES))
    assert np.std(smoothed(noise.astype(np.float32), TIMES)) < 0.6
    assert np.abs(smoothed(nod.astype(np.float32), TIMES) - nod).mean() < 1.0  # of 20
    tremble = np.diff(smoothed(noise.astype(np.float32), TIMES), 2)
    assert np.std(tremble) < 0.15 * np.std(np.diff(noise, 2))


def test_nothing_to_smooth():
    values = np.arange(3, dtype=np.float32)
    np.testing.assert_array_equal(smoothed(values, TIMES[:3], sigma_s=0), values)
    np.testing.assert_array_equal(smoothed(values[:2], TIMES[:2]), values[:2])
    # Frames far apart have no neighbours in reach.
    np.testing.assert_allclose(smoothed(values, [0.0, 10.0, 20.0]), values, atol=1e-6)


def test_without_smoothing_landmarks_come_back_to_the_bit():
    rng = np.random.default_rng(0)
    landmarks = rng.normal(100, 20, (30, 468, 2)).astype(np.float32)
    made = smoothed_track(landmarks, TIMES[:30], [0] * 30, sigma_s=0)
    np.testing.assert_array_equal(made, landmarks)


def test_memory_grows_with_the_film_and_not_with_its_square():
    """Six thousand frames: their square of doubles would be 288 MB."""
    count = 6000
    rng = np.random.default_rng(0)
    landmarks = rng.normal(100, 20, (count, 4, 2)).astype(np.float32)
    tracemalloc.start()
    made = smoothed_track(landmarks, np.arange(count) / 25, [0] * count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert np.isfinite(made).all()


def test_trust_is_the_whole_sum_of_weights():
    """The window leaves out only what is too small to be seen."""
    rng = np.random.default_rng(1)
    found = rng.normal(100, 20, (60, 5, 2)).astype(np.float32)
    calm = (found + rng.normal(0, 1, found.shape)).astype(np.float32)
    sides = (found.max(1) - found.min(1)).max(1)
    lag = np.linalg.norm(calm.mean(1) - found.mean(1), axis=1) / sides
    near = np.exp(-0.5 * ((TIMES[:, None] - TIMES) / 0.1) ** 2)
    whole = 1 / (1 + (near @ lag**2) / near.sum(1) / smoothing._LAG**2)
    np.testing.assert_allclose(smoothing._trust(found, calm, TIMES, 0.1), whole, rtol=1e-5)


@pytest.mark.parametrize("why", ["jump", "shot", "gap"])
def test_no_smoothing_over_a_cut(why):
    centres = np.zeros((60, 2))
    times, shots = TIMES.copy(), [0] * 60
    centres[30:] = 200 if why == "jump" else 10
    if why == "shot":
        shots[30:] = [1] * 30
    if why == "gap":
        times[30:] += 1.0
    landmarks = face(centres)
    assert [run.start for run in runs(landmarks, times, shots)] == [0, 30]
    np.testing.assert_allclose(smoothed_track(landmarks, times, shots), landmarks, atol=1e-3)


def test_a_shaken_head_is_followed_not_lagged_behind():
    shake = 25 * np.sin(2 * np.pi * 4 * TIMES)
    noise = np.random.default_rng(0).normal(0, 0.3, len(TIMES))
    moving = np.zeros((60, 2))
    moving[:, 0] = shake + noise
    plain = smoothed(face(moving), TIMES).mean(1)[:, 0]
    followed = smoothed_track(face(moving), TIMES, [0] * 60).mean(1)[:, 0]
    assert np.abs(plain - shake).mean() > 8  # what a parabola makes of it
    assert np.abs(followed - shake).mean() < 1
    still = np.zeros((60, 2))
    still[:, 0] = noise
    calm = smoothed_track(face(still), TIMES, [0] * 60).mean(1)[:, 0]
    assert np.std(np.diff(calm, 2)) < 0.25 * np.std(np.diff(noise, 2))
