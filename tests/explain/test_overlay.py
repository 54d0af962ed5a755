from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.explain.checks import energy_inside, rank_similarity
from unmask.explain.heat_maps import HeatMap
from unmask.explain.overlay import panel


def heat(values: np.ndarray, method: str = "grad_cam") -> HeatMap:
    return HeatMap(method, values, values, 1.25)


def test_a_panel_shows_the_crop_and_each_map_where_it_is_hot() -> None:
    crop = np.full((64, 64, 3), 90, np.uint8)
    hot = np.zeros((64, 64), np.float32)
    hot[8:24, 40:56] = 1
    shown = panel(crop, [heat(hot), heat(np.zeros_like(hot), "own_map")])
    assert shown.dtype == np.uint8
    assert shown.shape == (64 + 18, 3 * 64 + 2 * 4, 3)
    assert np.array_equal(shown[:64, :64], crop)
    tinted = shown[:64, 68:132].astype(int)
    assert np.ptp(tinted[12:20, 44:52].mean((0, 1))) > 50  # coloured
    assert np.ptp(tinted[40:, :30].mean((0, 1))) < 2  # grey
    cold = shown[:64, 136:]
    assert np.abs(cold.astype(int) - 90).max() <= 1
    assert (shown[64:, :64] < 200).any()  # a caption
    assert panel(crop, []).shape == (82, 64, 3)


def test_the_measures_are_what_they_say() -> None:
    values = np.zeros((8, 8), np.float32)
    values[:2] = 3
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    assert energy_inside(values, mask) == 1.0
    assert energy_inside(np.ones((8, 8), np.float32), mask) == pytest.approx(0.5)
    assert energy_inside(np.zeros((8, 8), np.float32), mask) == 0.0
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(32, 32)).astype(np.float32)
    assert rank_similarity(noise, np.exp(noise)) == pytest.approx(1.0)
    assert rank_similarity(noise, -noise) == pytest.approx(-1.0)
    assert abs(rank_similarity(noise, rng.normal(size=(32, 32)).astype(np.float32))) < 0.2
    assert rank_similarity(noise, np.zeros_like(noise)) == 0.0
