"""Every recipe that ships can be read, and names only what exists."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.bench.comparison.study import read_study
from unmask.networks import NETWORKS
from unmask.train.network_recipe import read_network_recipe
from unmask.train.recipe import read_recipe

RECIPES = Path(__file__).parents[1] / "recipes"
# These have readers of their own, which test them.
OTHERS = {"cross-distribution", "families", "families-left-out", "rounds"}
STUDIES = [path for path in sorted(RECIPES.glob("studies/*.toml")) if path.stem not in OTHERS]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_detector_recipes(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.steps > 0
    if recipe.start:
        assert (path.parent / recipe.start).is_file()


@pytest.mark.parametrize("path", sorted(RECIPES.glob("networks/*.toml")), ids=lambda p: p.stem)
def test_network_recipes(path: Path) -> None:
    assert read_network_recipe(path).network in NETWORKS.ids()


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_studies(path: Path) -> None:
    study = read_study(path).study
    assert study.networks
    assert all(choice.id in NETWORKS.ids() for choice in study.networks)
    assert study.tests
