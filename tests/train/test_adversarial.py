from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from unmask.networks import NETWORKS, TrainingBatch
from unmask.train.adversarial import AdversarialTraining, adversarial_pixels
from unmask.train.strategy import STRATEGIES

PX, COUNT = 64, 16


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NETWORKS.get("mesonet-4")(input_px=PX).eval()


@pytest.fixture
def y_true():
    return torch.tensor([0.0, 1.0] * (COUNT // 2))


@pytest.fixture
def inputs(network):
    """Faces from black to white, normalised as the network's spec says."""
    torch.manual_seed(1)
    return normalised(network, torch.rand(COUNT, 3, PX, PX) * 255)


def normalised(network, values):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (network.spec.mean, network.spec.std))
    return (values - mean) / std


@pytest.mark.parametrize("steps", [1, 3])
def test_pixels_stay_in_the_ball_and_in_the_range(network, inputs, y_true, steps):
    changed = adversarial_pixels(network, inputs, y_true, epsilon=4, steps=steps)
    # On the 0..255 scale, whatever the network's own is.
    moved = (changed - inputs).abs().amax((0, 2, 3)) * torch.tensor(network.spec.std)
    assert float(moved.max()) == pytest.approx(4, abs=1e-3)
    low, high = (normalised(network, torch.full((3, 1, 1), value)) for value in (0.0, 255.0))
    assert bool(((changed >= low) & (changed <= high)).all())
    assert not changed.requires_grad


def test_they_cost_the_network_more_than_noise_of_the_same_size(network, inputs, y_true):
    noisy = inputs + 4 / 255 * (torch.rand_like(inputs) * 2 - 1).sign()
    changed = adversarial_pixels(network, inputs, y_true, epsilon=4, steps=3)
    losses = [float(cross_entropy(network.scores(x), y_true)) for x in (noisy, changed)]
    assert losses[1] > losses[0] + 1e-4


def test_the_strategy_adds_a_loss_of_its_weight_and_needs_no_target(network, inputs, y_true):
    assert STRATEGIES.get("adversarial") is AdversarialTraining
    assert not AdversarialTraining.spec.needs_target
    batch = TrainingBatch(inputs, y_true, torch.zeros(COUNT, PX, PX), torch.ones(COUNT).bool())
    losses = []
    for weight in (1.0, 0.5):
        torch.manual_seed(0)
        strategy = AdversarialTraining(network, epsilon=8, steps=1, weight=weight)
        terms = strategy.loss_terms(network, network(inputs), batch, None, 0.5)
        losses.append(terms["adversarial"])
    assert losses[1].item() == pytest.approx(losses[0].item() / 2)
    assert strategy.modules() == {}
    losses[0].backward()
    assert all(one.grad is not None for one in network.parameters())


def test_making_them_leaves_no_gradient_on_the_weights(network, inputs, y_true):
    adversarial_pixels(network, inputs, y_true, epsilon=8, steps=2)
    assert all(one.grad is None for one in network.parameters())
