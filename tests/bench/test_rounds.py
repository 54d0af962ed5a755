"""Hardening rounds: the space forges what it says, the search finds what is planted in it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.bench.rounds.recipe import read_rounds
from unmask.bench.rounds.search import Distribution, search
from unmask.bench.rounds.space import SPACE, Setting, forge_with, narrowed, visible_change
from unmask.errors import UsageError
from unmask.forgeries.base import RealFace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.types import Image

PLAIN = Setting("self_blending", "oval", -0.03, 0.03, "none", "alpha", 1.0, 160, 0.0, "none")
RECIPE = Path(__file__).parents[2] / "recipes" / "studies" / "rounds.toml"


@pytest.fixture(scope="module")
def people(face_models: Path, portraits: dict[str, Image]) -> list[RealFace]:
    from unmask.faces.finder import FaceFinder

    assert face_models.is_dir()
    finder = FaceFinder(max_faces=1)
    return [RealFace(one, finder.find(one)[0].landmarks) for one in portraits.values()]


@pytest.mark.parametrize("family", SPACE["family"])
def test_every_family_changes_the_face_and_nothing_else(
    family: str, people: list[RealFace]
) -> None:
    setting = dataclasses.replace(PLAIN, family=family)
    made = [forge_with(setting, *people, np.random.default_rng(4)) for _ in range(2)]
    assert (made[0].image == made[1].image).all()
    changed = (made[0].image != made[0].original).any(2)
    assert changed.mean() > 0.005
    assert not changed[made[0].mask == 0].any()
    assert visible_change(made[0]) > 1


def test_settings_do_what_they_say(people: list[RealFace]) -> None:
    def made(**changed: object) -> tuple[float, float]:
        one = forge_with(dataclasses.replace(PLAIN, **changed), *people, np.random.default_rng(4))
        return float(one.mask.mean()), visible_change(one)

    assert made(grow=0.06)[0] > made(grow=-0.08)[0]
    assert made(mask="mouth")[0] < made()[0] / 3
    assert made(share=0.5)[0] == pytest.approx(made()[0] / 2, rel=0.02)


def test_a_face_painted_small_is_smoother_than_it_was_unless_it_is_sharpened(
    people: list[RealFace],
) -> None:
    def detail(image: Image, inside: np.ndarray) -> float:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return float(np.abs(cv2.Laplacian(grey, cv2.CV_64F))[inside].mean())

    setting = dataclasses.replace(PLAIN, family="reconstruction", side_px=96)
    soft, sharp = (
        forge_with(dataclasses.replace(setting, sharpen=amount), *people, np.random.default_rng(4))
        for amount in (0.0, 1.0)
    )
    inside = soft.mask > 0.9
    assert detail(soft.image, inside) < 0.8 * detail(soft.original, inside)
    assert detail(soft.image, inside) < 0.9 * detail(sharp.image, inside)


def test_the_real_face_goes_through_the_same_codec(people: list[RealFace]) -> None:
    setting = dataclasses.replace(PLAIN, compression="jpeg 60")
    made = forge_with(setting, *people, np.random.default_rng(4))
    assert (made.original != people[0].image).any()
    outside = made.mask == 0
    gap = np.abs(made.image.astype(int) - made.original.astype(int)).max(2)
    assert np.median(gap[outside]) == 0


def test_a_donor_is_needed_for_swaps(people: list[RealFace]) -> None:
    with pytest.raises(ValueError, match="donor"):
        forge_with(
            dataclasses.replace(PLAIN, family="landmark_swap"), people[0], None,
            np.random.default_rng(0),
        )  # fmt: skip


def planted(settings: Sequence[Setting], generation: int) -> tuple[np.ndarray, np.ndarray]:
    """A detector that misses soft mouths four times out of five, and others one in five."""
    weak = np.array([one.mask == "mouth" and one.edge >= 0.07 for one in settings])
    rng = np.random.default_rng(generation)
    visible = np.full(len(settings), 10)
    return rng.binomial(10, np.where(weak, 0.8, 0.2)), visible


def test_the_search_moves_to_what_is_missed() -> None:
    start = Distribution.uniform(narrowed(["self_blending", "landmark_swap"]))
    found, told = search(
        start, planted, generations=5, settings=60, fewest=3, rng=np.random.default_rng(1)
    )
    mouth = SPACE["mask"].index("mouth")
    assert found.shares["mask"][mouth] > 0.6
    assert sum(found.shares["edge"][2:]) > 0.8
    assert found.shares["colour"] == pytest.approx((0.5, 0.5), abs=0.3)
    missed = [float(one.missed.mean()) for one in told]
    assert missed[-1] > missed[0] + 2
    assert min(itertools.chain(*found.shares.values())) > 0.01
    assert Distribution.from_json(found.to_json(), found.space).shares == found.shares


def test_what_changes_nothing_never_leads_the_search() -> None:
    """Missed always, but invisible: it must not be where the search ends."""

    def trial(settings: Sequence[Setting], generation: int) -> tuple[np.ndarray, np.ndarray]:
        weak = np.array([one.share == 0.5 for one in settings])
        return np.where(weak, 1, 4), np.where(weak, 1, 10)

    found, _ = search(
        Distribution.uniform(SPACE), trial, generations=4, settings=40, fewest=3,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert found.shares["share"][0] < 0.15


def test_the_recipe_that_ships_can_be_read() -> None:
    plan = read_rounds(RECIPE)
    assert set(plan.rounds.families).isdisjoint(plan.rounds.held_out)
    assert plan.recipe(5, "", {"one": 1.0}).steps == 5


def test_a_family_that_is_searched_cannot_be_held_out(tmp_path: Path) -> None:
    text = RECIPE.read_text().replace('["face_warping"', '["self_blending"')
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(UsageError, match="searched and held out"):
        read_rounds(tmp_path / "wrong.toml")
    (tmp_path / "unknown.toml").write_text(text.replace('families = ["self', 'families = ["elf'))
    with pytest.raises(UsageError, match="elf_blending"):
        read_rounds(tmp_path / "unknown.toml")
