"""Recipes of the forge: they can be read, and nobody is on both sides of a split by persons."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators.base import GENERATORS

FOLDER = Path(__file__).parents[2] / "recipes" / "forge"
# Sources of the collection that show the same people.
SAME = (
    {"portraits/london", "portraits/london_smile"},
    {"clips/real/id2_vcd_swwp2s.mpg", "clips/real/pwij3p.mpg"},
)


@pytest.fixture(params=sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def recipe(request: pytest.FixtureRequest) -> dict[str, Any]:
    return tomllib.loads(request.param.read_text(encoding="utf-8"))


def test_there_is_one_for_every_method() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} >= set(GENERATORS.ids())


def test_its_configuration_is_that_of_its_method(recipe: dict[str, Any]) -> None:
    cls = GENERATORS.get(recipe["method"])
    config = cls.config_class.from_mapping(recipe["config"])
    assert config.size_px == recipe["config"]["size_px"]


def test_nobody_is_on_both_sides_of_the_split(recipe: dict[str, Any]) -> None:
    """With two people it is the ends of films that are held out, and both may be of one person."""
    if GENERATORS.get(recipe["method"]).spec.material == "two_people":
        for same in SAME:
            assert not (same & set(recipe["material"]["faces"]) and
                        same & set(recipe["material"]["other"]))  # fmt: skip
        return
    given = recipe["material"]["faces"]
    assert len(given) == len(set(given))
    for same in SAME:
        assert len(same & set(given)) <= 1, same
