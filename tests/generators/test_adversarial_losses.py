"""Both sides of a game."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._adversarial_losses import (  # noqa: E402
    feature_distance,
    frozen,
    least_squares_loss,
    relativistic_loss,
)


def test_the_game_is_relative() -> None:
    logits = torch.full((4, 1), 3.0)
    # Neither is more real than the other, however real both are.
    assert float(relativistic_loss(logits, logits)) == pytest.approx(2 * math.log(2))
    judge, maker = relativistic_loss(logits + 5, logits), relativistic_loss(logits, logits + 5)
    assert float(judge) < 0.1 < float(maker)


def test_a_frozen_judge_passes_gradients_on_and_keeps_none() -> None:
    judge, picture = torch.nn.Linear(3, 1), torch.rand(2, 3, requires_grad=True)
    judge.bias.requires_grad_(False)
    with frozen(judge):
        loss = least_squares_loss(judge(picture), 1.0)
    loss.backward()
    assert picture.grad is not None
    assert judge.weight.grad is None
    assert judge.weight.requires_grad
    assert not judge.bias.requires_grad  # as it was


def test_features_are_compared_layer_by_layer_and_the_real_ones_stand_still() -> None:
    made = [torch.zeros(1, 1, 4, 4, requires_grad=True), torch.zeros(1, 2, 2, 2)]
    real = [torch.full((1, 1, 4, 4), 2.0, requires_grad=True), torch.full((1, 2, 2, 2), 4.0)]
    distance = feature_distance(made, real)
    assert distance.item() == pytest.approx(3)
    distance.backward()
    assert made[0].grad is not None
    assert real[0].grad is None
