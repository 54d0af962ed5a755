"""What every generator gets from its base: one step down a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators.base import Generator, GeneratorConfig  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.generators.material import Material


class Two(Generator):
    """Two weights, each with an optimiser of rate 1."""

    averaged: ClassVar = ()

    def build(self) -> dict[str, torch.nn.Module]:
        layers = {name: torch.nn.Linear(2, 1, bias=False) for name in ("first", "second")}
        for layer in layers.values():
            torch.nn.init.zeros_(layer.weight)
        return dict(layers)

    def build_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: torch.optim.SGD(one.parameters(), 1.0) for name, one in self.networks.items()}


@pytest.fixture
def two(material_for: Callable[[str], Material]) -> Two:
    return Two(GeneratorConfig(), material_for("films"))


def loss_of(two: Two) -> torch.Tensor:
    at = torch.tensor([[3.0, 4.0]])
    return (two.networks["first"](at) + two.networks["second"](at)).sum()


def weights(two: Two) -> list[list[float]]:
    return [one.weight.detach()[0].tolist() for one in two.networks.values()]  # type: ignore[operator]


def test_only_named_optimisers_step_and_old_gradients_are_forgotten(two: Two) -> None:
    loss_of(two).backward()
    assert two.descend(loss_of(two), "first") == 0
    assert weights(two) == [[-3, -4], [0, 0]]
    two.descend(loss_of(two), "second")  # the first step left a gradient here
    assert weights(two) == [[-3, -4], [-3, -4]]
    two.descend(loss_of(two), "first", "second")
    assert weights(two) == [[-6, -8], [-6, -8]]


def test_long_gradients_are_cut_for_each_optimiser(two: Two) -> None:
    longest = two.descend(loss_of(two) + loss_of(two), "first", "second", clip_norm=1.0)
    assert longest == pytest.approx(10)
    for weight in weights(two):
        assert weight == pytest.approx([-0.6, -0.8], abs=1e-4)
