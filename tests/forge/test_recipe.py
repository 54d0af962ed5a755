"""Recipes of generators, and the material that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import NotFound, UnknownEntry, UsageError
from unmask.forge.recipe import (
    ForgeRecipe,
    MaterialRecipe,
    gather,
    hold_out,
    read_recipe,
)
from unmask.generators.material import FaceTrack

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
method = "autoencoder_swap"
steps = 300
seed = 4
[config]
batch = 4
[material]
faces = ["one.mp4"]
other = ["two.mp4"]
margin = 1.4
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_is_read(tmp_path: Path) -> None:
    found = read_recipe(written(tmp_path, WHOLE))
    assert (found.method, found.steps, found.seed) == ("autoencoder_swap", 300, 4)
    assert found.generator_config().batch == 4
    assert found.material == MaterialRecipe(("one.mp4",), ("two.mp4",), margin=1.4)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps", "stepps", "Did you mean steps"),
        ("margin", "magin", "Did you mean margin"),
        ("batch = 4", "bach = 4", "unknown key 'bach'"),
        ("steps = 300", 'steps = "many"', "expected int"),
        ('faces = ["one.mp4"]', 'faces = "one.mp4"', "expected tuple"),
        ('method = "autoencoder_swap"', "", "lacks the key 'method'"),
        ("[config]", "[config", "is not valid TOML"),
        ("batch = 4", "batch = true", "expected int"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_recipe(written(tmp_path, WHOLE.replace(old, new, 1)))
    assert said in str(caught.value)


def test_an_unknown_method_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownEntry, match="autoencoder_swap"):
        read_recipe(written(tmp_path, WHOLE.replace("autoencoder_swap", "autoencoder_swop")))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no recipe"):
        read_recipe(tmp_path / "none.toml")


def test_a_swap_of_two_wants_two(tmp_path: Path) -> None:
    one = ForgeRecipe("autoencoder_swap", material=MaterialRecipe(faces=("a",)))
    with pytest.raises(UsageError, match="the faces of one came"):
        gather(one, tmp_path)


def track(name: str, frames: int) -> FaceTrack:
    images = np.zeros((frames, 8, 8, 3), np.uint8)
    return FaceTrack(name, images, np.zeros((frames, 468, 2), np.float32), np.arange(frames) / 25)


def test_films_and_the_ends_of_the_others_are_held_out() -> None:
    tracks = [track(f"film {number}", 40) for number in range(9)] + [track("short", 4)]
    kept, out = hold_out(tracks, MaterialRecipe(held_out_share=0.2, held_out_ends=0.25), seed=0)
    assert sum(map(len, kept)) + sum(map(len, out)) == 9 * 40 + 4
    whole = [one for one in out if one.name not in {another.name for another in kept}]
    ends = [one for one in out if one not in whole]
    assert len(whole) == 2
    assert {len(one) for one in ends} == {10}
    assert min(one.pts_s[0] for one in ends) == max(one.pts_s[-1] for one in kept) + 1 / 25
    assert not any(one.name == "short" for one in ends)


def test_the_shipped_recipes_are_sound(repository: Path) -> None:
    found = sorted((repository / "recipes" / "forge").glob("*.toml"))
    assert found
    assert all(read_recipe(path).material.faces for path in found)
