from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.comparison.costs import measure_costs
from unmask.bench.comparison.embedding import domain_mixing, embed


@pytest.fixture(scope="module")
def costs():
    return measure_costs("mesonet-4", 64, seconds=0.1)


def test_parameters_and_arithmetic_are_those_counted_by_hand(costs):
    # (side, channels in, channels out, kernel) of each convolution; then 64 x 16 and 16 x 1.
    layers = ((64, 3, 8, 3), (32, 8, 8, 5), (16, 8, 16, 5), (8, 16, 16, 5))
    operations = sum(2 * side**2 * c * d * k**2 for side, c, d, k in layers) + 2 * (64 * 16 + 16)
    weights = sum(c * d * k**2 + 3 * d for _, c, d, k in layers) + 64 * 16 + 16 + 16 + 1
    assert costs.flops == operations
    assert costs.parameters == weights
    assert weights * 4 < costs.disk_bytes < weights * 4 + 8000


def test_speed_and_memory_come_from_processes_of_their_own(costs):
    assert min(costs.images_per_s_1, costs.images_per_s_32) > 0
    assert 5e7 < costs.base_bytes < 1.1 * costs.peak_bytes_32


def test_a_network_is_measured_as_it_was_built():
    narrow, wide = (
        measure_costs("resnet-3d-18", 32, {"width": width}, seconds=0.01) for width in (4, 8)
    )
    assert narrow.parameters < wide.parameters


def test_what_is_fitted_at_once_counts_what_it_stores():
    assert measure_costs("dct-forest", 112, seconds=0.01).parameters > 1000


def test_mixing_is_0_for_sets_apart_and_1_for_sets_alike():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 8))
    domain = np.repeat(["a", "b"], 200)
    assert domain_mixing(features, domain) == pytest.approx(1.0, abs=0.08)
    assert domain_mixing(features + 50 * (domain == "a")[:, None], domain) == 0.0
    assert np.isnan(domain_mixing(features, np.full(400, "a")))


def test_a_layout_keeps_two_groups_apart_and_is_the_same_twice():
    rng = np.random.default_rng(0)
    domain = np.repeat(["a", "b"], 20)
    features = rng.normal(size=(40, 6)).astype(np.float32) + 30 * (domain == "a")[:, None]
    label = np.tile([0, 1], 20).astype(np.int8)
    first, again = (embed("x", features.astype(np.float32), domain, label) for _ in range(2))
    assert np.array_equal(first.xy, again.xy)
    assert first.mixing == 0.0
    centres = [first.xy[domain == name].mean(0) for name in ("a", "b")]
    spread = max(first.xy[domain == name].std() for name in ("a", "b"))
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread
