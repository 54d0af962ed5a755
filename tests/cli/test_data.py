"""``unmask data``: what it prints where, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from unmask import cli
from unmask.datasets import DATASETS
from unmask.media import write_film, write_picture

if TYPE_CHECKING:
    from unmask.types import Image

Data = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(capfd: pytest.CaptureFixture[str]) -> Data:
    """Call ``unmask data``: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main(["data", *map(str, words)])
        return (code, *capfd.readouterr())

    return call


@pytest.fixture
def root(portrait: Image, face_models: Path, tmp_path: Path) -> Path:
    """A folder of real and fake pictures, as the reader ``folder`` knows it."""
    assert face_models.is_dir()
    face = cv2.resize(portrait[:300, 80:380], (240, 240), interpolation=cv2.INTER_AREA)
    for split in ("train", "test"):
        for label in ("real", "fake"):
            (tmp_path / "set" / split / label).mkdir(parents=True)
            image = np.ascontiguousarray(np.roll(face, 9 * (split == "test"), 1))
            if label == "fake":
                image[120:150, 100:140] = 120
            write_picture(tmp_path / "set" / split / label / f"{split}.png", image)
    return tmp_path / "set"


def test_list_names_every_registered_set(data: Data) -> None:
    code, out, _ = data("list", "--format", "json")
    rows = {row["id"]: row for row in json.loads(out)}
    assert code == 0
    assert list(rows) == DATASETS.ids()
    for spec in (entry.spec for entry in DATASETS):
        assert rows[spec.id]["licence"] == spec.licence
        assert rows[spec.id]["splits"] == list(spec.splits)
    code, out, _ = data("list")
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["id", "media", "splits", "licence", "title"]
    assert [line[0] for line in lines[1:]] == DATASETS.ids()


def test_check_ends_with_3_and_the_name_where_something_is_wrong(data: Data, root: Path) -> None:
    code, out, err = data("check", "folder", root)
    assert (code, err.strip()) == (0, "folder: whole."), out
    for path in root.glob("*/fake/*"):
        path.write_bytes(b"")
    code, out, err = data("check", "folder", root, "--format", "json")
    assert code == 3
    found = json.loads(out)
    assert any("test/fake/test.png" in finding["names"] for finding in found)
    assert "to look at" in err


def test_prepare_then_show(data: Data, root: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    words = ("prepare", "folder", root, "-o", out, "--option", "pairs=stem")
    code, stdout, err = data(*words)
    assert (code, stdout.strip()) == (0, str(out)), err
    assert "4 faces of 4 films and pictures." in err
    code, _, err = data(*words)
    assert code == 0
    assert "Everything was there already." in err
    code, stdout, _ = data("show", out, "--format", "json")
    shown = json.loads(stdout)
    assert code == 0
    assert (shown["faces"], shown["data_set"], shown["options"]["pairs"]) == (4, "folder", "stem")
    assert [(row["split"], row["label"], row["faces"]) for row in shown["counts"]] == [
        ("test", "fake", 1), ("test", "real", 1), ("train", "fake", 1), ("train", "real", 1),
    ]  # fmt: skip
    code, stdout, _ = data("show", out)
    assert code == 0
    assert shown["preprocessing_hash"] in stdout
    assert "test\tfake\tfake\t\t1\t1\t1" in stdout


def test_prepare_names_what_it_leaves_out_and_ends_with_3(
    data: Data, root: Path, tmp_path: Path
) -> None:
    write_picture(root / "train" / "real" / "wall.png", np.full((90, 90, 3), 80, np.uint8))
    code, _, err = data("prepare", "folder", root, "-o", tmp_path / "s", "--split", "train", "-q")
    assert code == 3
    assert "left out: train/real/wall.png: No face was found" in err
    assert "2 faces of 2 films and pictures. Left out: 1 wholly" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("prepare", "foldr", "ROOT", "-o", "OUT"), 2, "Did you mean folder"),
        (("prepare", "folder", "ROOT/none", "-o", "OUT"), 3, "not_found"),
        (("prepare", "folder", "ROOT", "-o", "OUT", "--option", "pairs"), 2, "NAME=VALUE"),
        (("prepare", "folder", "ROOT", "-o", "OUT", "--option", "pair=stem"), 2, "pairs"),
        (("prepare", "folder", "ROOT", "-o", "OUT", "--split", "dev"), 2, "dev"),
        (("prepare", "folder", "ROOT", "-o", "OUT", "--frames", "9", "--burst", "4"), 2, "bursts"),
        (("prepare", "folder", "ROOT", "-o", "ROOT"), 2, "holds other files"),
        (("show", "ROOT"), 3, "no manifest.parquet"),
        (("compress", "ROOT/none", "-o", "OUT"), 3, "no film"),
        (("compress", "ROOT", "-o", "OUT", "--crf", "77"), 2, "77"),
    ],
)
def test_a_wrong_call_says_what_to_do(
    data: Data, root: Path, tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    places = {"ROOT": str(root), "OUT": str(tmp_path / "out")}
    for name, place in places.items():
        words = tuple(word.replace(name, place) for word in words)
    came, out, err = data(*words)
    assert (came, out) == (code, "")
    assert told in err
    assert "Traceback" not in err


def test_compress_makes_films_and_names_those_that_fail(
    data: Data, portrait: Image, tmp_path: Path
) -> None:
    videos = tmp_path / "set" / "raw" / "videos"
    videos.mkdir(parents=True)
    write_film(videos / "a.mp4", [np.roll(portrait, n, 1)[:128, :128] for n in range(4)], 10)
    (videos / "b.mp4").write_bytes(b"nothing")
    code, out, err = data("compress", tmp_path / "set", "-o", tmp_path / "set", "--crf", 40)
    assert (code, out.strip()) == (3, str(tmp_path / "set"))
    assert "failed: raw/videos/b.mp4:" in err
    assert "1 films made" in err
    assert (tmp_path / "set" / "c40" / "videos" / "a.mp4").is_file()
