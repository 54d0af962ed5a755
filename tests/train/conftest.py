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


class DrawnStore:
    """Drawn faces in memory: 12 originals, each filmed twice and forged by two methods.

    A forgery has a fine pattern in the middle of the face, which any network can learn.
    """

    def __init__(self, sources: int = 12, frames: int = 2, people: str = "drawn") -> None:
        from unmask.datasets.store import FaceColumns

        self.kinds = [(s, m, f) for s in range(sources)
                      for m in ("real", "swap", "reenactment") for f in range(frames)]  # fmt: skip
        count = len(self.kinds)
        names = [f"{people}{s:02d}" for s, _, _ in self.kinds]
        methods = np.array([m for _, m, _ in self.kinds])
        videos = [
            name if m == "real" else f"{name}_{m}" for name, m in zip(names, methods, strict=True)
        ]
        self.columns = FaceColumns(
            sample_id=np.array(
                [f"{v}/{f}" for v, (_, _, f) in zip(videos, self.kinds, strict=True)]
            ),
            data_set=np.full(count, people),
            video_id=np.array(videos),
            source_id=np.array(names),
            split=np.array(["val" if s % 4 == 0 else "train" for s, _, _ in self.kinds]),
            method=methods,
            compression=np.where(np.arange(count) % 3 == 0, "c40", "c23"),
            y_true=(methods != "real").astype(np.int8),
            frame_index=np.array([10 * f for _, _, f in self.kinds], np.int32),
            pts_s=np.zeros(count, np.float32),
            face_px=np.full(count, 80, np.float32),
            sharpness=np.full(count, 100, np.float32),
            yaw_deg=np.zeros(count, np.float32),
            groups=np.full(count, "{}"),
        )

    def __len__(self) -> int:
        return len(self.kinds)

    def face(self, row: int):
        from unmask.datasets.store import StoredFace

        source, method, frame = self.kinds[row]
        rng = np.random.default_rng(source)
        image = cv2.resize(rng.integers(60, 200, (6, 6, 3)).astype(np.uint8), (128, 128))
        image = np.clip(image.astype(np.int16) + 3 * frame, 0, 255).astype(np.uint8)
        mask = np.zeros((128, 128), np.float32)
        if method != "real":
            period = 4 if method == "swap" else 6
            x, y = np.meshgrid(np.arange(48), np.arange(48))
            pattern = np.where((x // (period // 2) + y // (period // 2)) % 2, 50, -50)
            middle = image[40:88, 40:88].astype(np.int16) + pattern[..., None]
            image[40:88, 40:88] = np.clip(middle, 0, 255)
            mask[40:88, 40:88] = 1
        return StoredFace(image, drawn_landmarks(), mask)


def drawn_landmarks() -> np.ndarray:
    """(468, 2) points of an upright oval face around the middle of 128 px."""
    turn = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    points = np.stack([64 + 36 * np.cos(turn), 64 + 40 * np.sin(turn)], 1)
    points[[33, 133, 362, 263]] = [[40, 56], [54, 56], [74, 56], [88, 56]]
    return points.astype(np.float32)


NETWORK_RECIPE = """
network = "mesonet-4"
input_px = 64
seed = 5
steps = 6
batch = 8

[data]
stores = [{ name = "drawn", path = "drawn", split = "train", validation_split = "val" }]

[crops]
strength = 0.5

[optimiser]
rate = 2e-3
warm_up_steps = 2

[evaluation]
every = 3

[tracking]
tensorboard = false
"""


@pytest.fixture(scope="session")
def drawn() -> DrawnStore:
    return DrawnStore()


@pytest.fixture(scope="session")
def drawn_store():
    """The class, for other sizes."""
    return DrawnStore


@pytest.fixture
def network_recipe(tmp_path: Path):
    """Reads the tiny recipe of a network, with parts of its text replaced."""
    from unmask.train.network_recipe import NetworkRecipe, read_network_recipe

    def read(*replaced: tuple[str, str], added: str = "") -> NetworkRecipe:
        text = NETWORK_RECIPE
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "tiny.toml"
        path.write_text(text + added, encoding="utf-8")
        return read_network_recipe(path)

    return read
