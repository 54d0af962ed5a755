"""The tile that the watermark repeats, and the chance that it is seen where it is not."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from unmask.provenance import _error_correction
from unmask.provenance import _watermark_tile as tile


@pytest.fixture(scope="module")
def vector():
    return tile.direction(_error_correction.encode(b"\x12\x34\x56\x78"))


def _cosine(first, second):
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_carriers_are_orthonormal():
    product = tile.carriers() @ tile.carriers().T
    assert np.allclose(product, np.eye(1 + _error_correction.CODED_BITS), atol=1e-5)


def test_the_carriers_are_those_of_every_release():
    """Another rotation would orphan every mark ever made."""
    rows = tile.carriers()
    assert rows.shape == (193, 484)
    assert rows[0, :3].tolist() == pytest.approx([0.01113, 0.02513, 0.11201], abs=1e-4)
    assert rows[192, -3:].tolist() == pytest.approx([-0.02412, 0.04246, -0.05725], abs=1e-4)


def test_a_tile_gives_back_its_vector(vector):
    plane = tile.tile_of(vector)
    assert abs(float(plane.mean())) < 1e-5
    assert float(plane.std()) == pytest.approx(1, abs=1e-5)
    assert _cosine(tile.vector_of(tile.band_of(plane)), vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (5, 9), (63, 1), (31, 40)])
def test_a_shift_is_undone(vector, down, right):
    plane = tile.laid(tile.tile_of(vector), 192, 256)
    seen = np.roll(plane, (down, right), (0, 1))
    back = tile.moved(tile.band_of(tile.folded(seen)), np.float32(down), np.float32(right))
    assert _cosine(tile.vector_of(back), vector) == pytest.approx(1, abs=1e-4)


def test_folding_adds_all_tiles_and_loses_nothing():
    plane = np.random.default_rng(0).normal(size=(100, 150)).astype(np.float32)
    folded = tile.folded(plane)
    assert folded.shape == (64, 64)
    assert float(folded.sum()) == pytest.approx(float(plane.sum()), abs=1e-2)
    assert folded[40, 0] == pytest.approx(plane[40, 0] + plane[40, 64] + plane[40, 128], abs=1e-5)


def test_the_stated_chance_is_the_chance():
    """Random directions come as near to a given one as often as is said."""
    rng = np.random.default_rng(1)
    size = tile.dimensions()
    random = rng.normal(size=(40_000, size)).astype(np.float32)
    cosines = random[:, 0] / np.linalg.norm(random, axis=1)
    for threshold in (0.02, 0.08, 0.12, 0.16):
        expected = 10 ** tile.log10_tail(threshold)
        observed = float((cosines >= threshold).mean())
        spread = math.sqrt(expected / len(random))
        assert observed == pytest.approx(expected, abs=4 * spread)


def test_the_stated_chance_falls_and_has_ends():
    values = [tile.log10_tail(c) for c in np.linspace(0.01, 0.999, 60)]
    assert all(later < earlier for earlier, later in pairwise(values))
    assert tile.log10_tail(0.0) == tile.log10_tail(-0.5) == 0.0
    assert tile.log10_tail(1.0) == -math.inf
    # Where the sum is known: half of all directions have a positive cosine.
    assert tile.log10_tail(1e-9) == pytest.approx(math.log10(0.5), abs=1e-3)
