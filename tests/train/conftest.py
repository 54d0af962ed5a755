"""A tiny face cache made from portraits that come inside packages, and a tiny recipe for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from unmask.train.facecache import FaceCache
from unmask.train.prepare import items_of, prepare
from unmask.train.recipe import Recipe, read_recipe

if TYPE_CHECKING:
    from unmask.types import Image

RECIPE = """
detector = "unmask-base"
seed = 3

[data]
held_out_share = 0.0
sets = [
  { name = "films", kind = "pairs", path = "films/manifest.csv" },
  { name = "people", kind = "reals", path = "people" },
]

[mixture]
pairs = 2
found = 0.3
strength = 1.0
forgeries = { self_blending = 0.4, landmark_swap = 0.3 }
source_weights = { films = 0.5, people = 0.5 }

[optimiser]
backbone_rate = 1e-3
head_rate = 3e-3
warm_up_steps = 2

[[phases]]
steps = 4
size = 64

[[phases]]
steps = 4
size = 96
frozen_blocks = 2
"""


@pytest.fixture(scope="session")
def data_root(
    face_models: Path, portraits: dict[str, Image], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two sets as a user would lay them out: pairs with a manifest, and a folder of portraits."""
    assert face_models.is_dir()
    root = tmp_path_factory.mktemp("data")
    (root / "films").mkdir()
    (root / "people").mkdir()
    heads = {
        "astronaut": _square(portraits["astronaut"], (225, 130), 110),
        "hopper": _square(portraits["hopper"], (258, 230), 160),
    }
    rows = ["file,split,label,video,original,face_px"]
    for name, head in heads.items():
        fake = head.copy()
        patch = fake[70:150, 70:150].astype(np.int16) + np.int16([30, -10, 5])
        fake[70:150, 70:150] = np.clip(patch, 0, 255)
        _write(root / "films" / f"{name}.png", head)
        _write(root / "films" / f"{name}_fake.png", fake)
        rows += [
            f"{name}.png,train,real,{name}.mp4,{name}.mp4,120",
            f"{name}_fake.png,train,fake,{name}_fake.mp4,{name}.mp4,120",
        ]
        _write(root / "people" / f"{name}.png", np.ascontiguousarray(head[:, ::-1]))
    rows.append("absent.png,val,real,absent.mp4,absent.mp4,120")  # another split: never opened
    (root / "films" / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    _write(root / "people" / "wall.png", np.full((160, 160, 3), 90, np.uint8))  # has no face
    return root


def _square(image: Image, centre: tuple[int, int], half: int) -> Image:
    x, y = centre
    crop = image[max(0, y - half) : y + half, max(0, x - half) : x + half]
    return np.asarray(cv2.resize(crop, (224, 224), interpolation=cv2.INTER_AREA), np.uint8)


def _write(path: Path, image: Image) -> None:
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return read_recipe(path)


@pytest.fixture(scope="session")
def cache(data_root: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> FaceCache:
    folder = tmp_path_factory.mktemp("cache")
    return prepare(items_of(recipe.data, data_root), folder)


def changed(recipe: Recipe, **mixture: object) -> Recipe:
    """The recipe with other values in its mixture."""
    return dataclasses.replace(recipe, mixture=dataclasses.replace(recipe.mixture, **mixture))


@pytest.fixture(scope="session")
def with_mixture():
    return changed
