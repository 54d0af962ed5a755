"""Stores that a study makes: from raw pictures, once, and what is missing is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'train' is not installed")

from unmask.bench.comparison.study import read_study
from unmask.bench.comparison.study_runs import Place, Stores
from unmask.bench.comparison.study_stores import make_stores
from unmask.datasets.shards import ShardStore
from unmask.errors import NotFound, UsageError
from unmask.media import write_picture

if TYPE_CHECKING:
    from unmask.types import Image

STUDY = """
title = "Made here"

[[prepare]]
path = "faces"
data_set = "folder"
root = "pictures"
options = { pairs = "none" }

[[forge]]
path = "forged"
faces = "faces"
methods = ["face_warping"]
splits = { test = 1.0 }

[training]
steps = 1

[training.data]
stores = [{ name = "forged", path = "forged" }]

[[networks]]
id = "mesonet-4"

[[tests]]
name = "forged"
path = "forged"
"""


def _place(folder: Path, data: Path, say: Callable[[str], None]) -> Place:
    return Place(folder / "out", Stores(folder / "shards"), data, 0, 1, say)


@pytest.fixture
def place(face_models: Path, portraits: dict[str, Image], tmp_path: Path) -> Place:
    assert face_models.is_dir()
    folder = tmp_path / "data" / "pictures" / "real"
    folder.mkdir(parents=True)
    for name, image in portraits.items():
        write_picture(folder / f"{name}.png", image)
    return _place(tmp_path, tmp_path / "data", lambda _: None)


def test_stores_are_made_once_from_what_lies_there(place: Place, tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    study = read_study(tmp_path / "study.toml").study
    make_stores(study.prepare, study.forge, place)
    assert len(ShardStore(place.stores.root / "faces")) == 2
    columns = ShardStore(place.stores.root / "forged").columns
    assert sorted(columns.method.tolist()) == ["face_warping"] * 2 + ["real"] * 2
    assert set(columns.split.tolist()) == {"test"}
    said: list[str] = []
    again = _place(tmp_path, tmp_path / "moved away", said.append)
    make_stores(study.prepare, study.forge, again)  # raw data are not looked for any more
    assert not said


def test_what_is_not_there_is_named_before_anything_is_trained(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "study.toml").write_text(STUDY.replace('root = "pictures"', 'root = "films"'))
    study = read_study(tmp_path / "study.toml").study
    with pytest.raises(NotFound, match="films, which is not there"):
        make_stores(study.prepare, study.forge, place)
    with pytest.raises(NotFound, match=r"neither in .*shards nor in .*data"):
        make_stores((), study.forge, place)


def test_a_mistyped_key_is_refused_with_the_near_match(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY.replace("data_set =", "dataset ="))
    with pytest.raises(UsageError, match="unknown key 'dataset'") as refused:
        read_study(tmp_path / "study.toml")
    assert refused.value.hint == "Did you mean data_set?"
