"""Recipes of networks: every key is checked, said so, and on the page that lists them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import get_type_hints

import pytest

from unmask.errors import NotFound, UsageError
from unmask.train.network_recipe import (
    NetworkRecipe,
    is_network_recipe,
    network_recipe_from,
    read_network_recipe,
)


def test_shipped_recipes_are_valid(repository: Path) -> None:
    paths = sorted((repository / "recipes" / "networks").glob("*.toml"))
    assert paths
    for path in paths:
        assert is_network_recipe(path)
        assert read_network_recipe(path).network
    assert not is_network_recipe(repository / "recipes" / "base.toml")
    assert not is_network_recipe(repository / "absent.toml")


def test_values_and_defaults(network_recipe) -> None:
    recipe = network_recipe()
    assert (recipe.network, recipe.steps, recipe.optimiser.rate) == ("mesonet-4", 6, 2e-3)
    assert recipe.data.stores[0].labels == ("real", "fake")
    assert recipe.mixture.balance == "method"
    assert recipe.steps_for(1000) == 6
    in_epochs = network_recipe(("steps = 6", "epochs = 2"))
    assert in_epochs.steps_for(1001) == 251


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 5", "sead = 5", "Did you mean seed"),
        ("batch = 8", 'batch = "8"', "expected int"),
        ("batch = 8", "batch = 7", "multiple of 2"),
        ("batch = 8", "batch = 8\n[compute]\naccumulate = 3", "multiple of 6"),
        ("steps = 6", "", "either steps or epochs"),
        ("steps = 6", "steps = 6\nepochs = 1", "either steps or epochs"),
        ("steps = 6", "steps = 0\nepochs = -1", "steps or epochs"),
        ("strength = 0.5", 'parts = ["blurr"]', "Did you mean blur"),
        ("strength = 0.5", "margin = [1.2]", "smallest, largest"),
        ("strength = 0.5", "strength = 2", "0..1"),
        ("rate = 2e-3", 'kind = "adam"', "Did you mean adamw"),
        ("rate = 2e-3", "rate = 0", "positive"),
        ("rate = 2e-3", "sam_rho = -0.1", "sam_rho"),
        ("every = 3", 'metric = "image_acu"', "Did you mean image_auc"),
        ("every = 3", "patience = -1", "negative"),
        ("seed = 5", "seed = 5\noptions = { widths = [1, 2] }", "expected a number, a text"),
        ('split = "train"', 'splt = "train"', "Did you mean split"),
        ('split = "train"', 'labels = ["forged"]', "Choose from: real, fake"),
        ("[crops]", '[mixture]\nbalance = "none"\npaired = true\n[crops]', "balanced"),
        ("[crops]", "[mixture]\nfound = 0\n[crops]", "all 0"),
        ("[crops]", '[compute]\nprecision = "bf16-mix"\n[crops]', "Did you mean bf16-mixed"),
        ("[crops]", "[adaptation]\ntarget = [{ name = 't', path = 't' }]\n[crops]", "strategy"),
    ],
)
def test_what_is_wrong_is_named(network_recipe, old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        network_recipe((old, new))
    assert said in str(caught.value)


def test_an_absent_recipe(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_network_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("network = ", encoding="utf-8")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_network_recipe(tmp_path / "bad.toml")


def test_the_digest_is_of_what_changes_the_result(network_recipe) -> None:
    recipe = network_recipe()
    elsewhere = dataclasses.replace(
        recipe,
        compute=dataclasses.replace(recipe.compute, devices=2, accumulate=2, save_every=7),
        tracking=dataclasses.replace(recipe.tracking, mlflow=True),
    )
    assert elsewhere.digest() == recipe.digest()
    assert dataclasses.replace(recipe, seed=6).digest() != recipe.digest()
    half = dataclasses.replace(recipe.compute, precision="bf16-mixed")
    assert dataclasses.replace(recipe, compute=half).digest() != recipe.digest()
    again = network_recipe_from(json.loads(json.dumps(dataclasses.asdict(recipe))), "again")
    assert again == recipe


def test_every_key_is_on_the_page(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "network-recipes.md").read_text(encoding="utf-8")
    sections = page.split("\n## ")

    def keys(cls: type, title: str) -> None:
        section = next(part for part in sections if part.startswith(title))
        for field in dataclasses.fields(cls):
            assert f"| `{field.name}` |" in section, f"{title}: {field.name}"

    keys(NetworkRecipe, "The recipe")
    hints = get_type_hints(NetworkRecipe)
    for name in ("data", "mixture", "crops", "optimiser", "evaluation", "compute", "tracking",
                 "adaptation"):  # fmt: skip
        keys(hints[name], f"`[{name}]`")
    keys(get_type_hints(hints["data"])["stores"].__args__[0], "A store")
