"""Recipes: every key is checked, and said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.errors import NotFound, UsageError
from unmask.train.recipe import Recipe, read_recipe

GOOD = """
detector = "unmask-base"
seed = 1
[data]
sets = [{ name = "a", kind = "reals", path = "a" }]
[mixture]
pairs = 2
found = 0
forgeries = { self_blending = 1 }
source_weights = { a = 1.0 }
[[phases]]
steps = 3
size = 64
[[phases]]
steps = 2
size = 96
"""


def read(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_the_shipped_recipe_is_valid(repository: Path) -> None:
    recipe = read_recipe(repository / "recipes" / "base.toml")
    assert recipe.detector == "unmask-base"
    assert recipe.data.held_out_share == 0.08


def test_values_defaults_and_phases(tmp_path: Path) -> None:
    recipe = read(tmp_path, GOOD)
    assert recipe.mixture.found == 0.0
    assert isinstance(recipe.mixture.found, float)
    assert recipe.optimiser.head_rate == 1.5e-3
    assert recipe.steps == 5
    assert [recipe.phase_at(step).size for step in range(6)] == [64, 64, 64, 96, 96, 96]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed = 1", "sead = 1", "seed"),
        ("pairs = 2", "pears = 2", "pairs"),
        ("pairs = 2", 'pairs = "two"', "expected int"),
        ("pairs = 2", "pairs = true", "expected int"),
        ("pairs = 2", "pairs = 0", "at least 1"),
        ("pairs = 2", "pairs = 2\nmargin = [1.1]", "expected 2"),
        ("pairs = 2", "pairs = 2\nmargin = [1.5, 1.1]", "margin"),
        ("seed = 1", "", "seed"),
        ("size = 96", "size = 100", "multiple of 32"),
        ("source_weights = { a = 1.0 }", "source_weights = { b = 1.0 }", "unknown set 'b'"),
        ("found = 0", "found = -1", "negative"),
        ("[mixture]", "[mixture", "not valid TOML"),
        ('kind = "reals"', "kind = 3", "expected str"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1 or old == "[mixture]"
    with pytest.raises(UsageError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert said in str(caught.value)


def test_an_absent_recipe(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        read_recipe(tmp_path / "none.toml")
