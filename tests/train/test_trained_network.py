"""Networks as recipes build them: their own options go through, unknown ones are named."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.errors import UsageError
from unmask.train.network_recipe import NetworkRecipe
from unmask.train.trained_network import build_network


def test_a_recipe_gives_a_network_its_own_options(network_recipe) -> None:
    size, small = "input_px = 64", "input_px = 96\nsmall = true"
    plain = network_recipe(("mesonet-4", "cnn-lstm"), (size, small))

    def given(option: str) -> NetworkRecipe:
        options = f"{small}\noptions = {{ {option} }}"
        return network_recipe(("mesonet-4", "cnn-lstm"), (size, options))

    wide = given("memory = 24")
    assert build_network(wide).memory.hidden_size == 24  # over that of "small"
    assert build_network(plain).memory.hidden_size == 64
    assert wide.digest() != plain.digest()
    with pytest.raises(UsageError, match="no option 'memry'") as unknown:
        build_network(given("memry = 24"))
    assert unknown.value.hint == "Did you mean memory?"
    with pytest.raises(UsageError, match="cannot be built with backbone = 'lcnet_05x'"):
        build_network(given('backbone = "lcnet_05x"'))
    with pytest.raises(UsageError, match="no option 'input_px'"):
        build_network(given("input_px = 64"))
