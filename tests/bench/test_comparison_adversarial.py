from __future__ import annotations

import numpy as np
import pytest
import torch

from unmask.bench.comparison.adversarial import ATTACKS, attacked_logits, get_attack
from unmask.errors import MissingExtra, UnknownEntry
from unmask.networks import NETWORKS

PX, COUNT = 64, 24


@pytest.fixture(scope="module")
def pixels():
    """(24, 3, 64, 64) in 0..1; every other one is a little redder."""
    rng = np.random.default_rng(0)
    faces = rng.uniform(0.3, 0.6, (COUNT, 3, PX, PX)).astype(np.float32)
    faces[1::2, 0] += 0.1
    return faces


@pytest.fixture(scope="module")
def y_true():
    return (np.arange(COUNT) % 2).astype(np.int8)


@pytest.fixture(scope="module")
def network(pixels, y_true):
    """MesoNet-4 that tells the redder ones."""
    torch.manual_seed(0)
    network = NETWORKS.get("mesonet-4")(input_px=PX)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    inputs, wanted = inputs_of(network, pixels), wanted_of(y_true)
    for _ in range(25):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(inputs).logits, wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # statistics of the last weights at once
    with torch.no_grad():
        network(inputs)
    return network.eval()


def inputs_of(network, pixels):
    """Pixels in 0..1 as the network's spec normalises them."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (network.spec.mean, network.spec.std))
    return (torch.from_numpy(pixels) * 255 - mean) / std


def wanted_of(y_true):
    return torch.from_numpy(y_true.astype(np.float32))


def accuracy(logits, y_true, threshold=0.0):
    return float(((logits >= threshold) == y_true).mean())


@pytest.mark.parametrize("name", ["fgsm", "pgd", "square"])
def test_an_attack_misleads_a_network_that_was_right(network, pixels, y_true, name):
    before = pixels.copy()
    attack, strengths = get_attack(name), (0.0, 24.0)
    found = dict(attacked_logits(network, pixels, y_true, attack, strengths))
    assert accuracy(found[0.0], y_true) > 0.9
    assert accuracy(found[24.0], y_true) < accuracy(found[0.0], y_true) - 0.2
    assert np.array_equal(pixels, before)


def test_without_change_the_logits_are_the_networks_own(network, pixels, y_true):
    ((_, found),) = attacked_logits(network, pixels, y_true, ATTACKS["fgsm"], (0.0,), threshold=1.5)
    own = network.scores(inputs_of(network, pixels)).numpy()
    assert found == pytest.approx(own, abs=1e-4)


def test_transfer_takes_the_gradients_of_another_network(network, pixels, y_true):
    torch.manual_seed(5)
    other = NETWORKS.get("mesonet-4")(input_px=PX).eval()
    attack = ATTACKS["transfer"]
    ((_, through),) = attacked_logits(network, pixels, y_true, attack, (8.0,), surrogate=other)
    ((_, white),) = attacked_logits(network, pixels, y_true, attack, (8.0,))
    sign = np.where(y_true == 1, 1, -1)
    assert (white * sign).mean() < (through * sign).mean()


def test_an_unknown_attack_names_the_known():
    with pytest.raises(UnknownEntry) as caught:
        get_attack("pdg")
    assert "pgd" in caught.value.hint


def test_without_the_toolbox_the_extra_is_named(network, pixels, y_true, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="unmask\\[adversarial\\]"):
        next(attacked_logits(network, pixels, y_true, ATTACKS["fgsm"], (1.0,)))
