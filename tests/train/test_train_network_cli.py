"""``unmask train`` with the recipe of a network, on a store that lies on a disk."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.cli import main  # noqa: E402
from unmask.train import facecache, runs  # noqa: E402
from unmask.train.face_stores import CacheStore  # noqa: E402
from unmask.train.runs import load_network  # noqa: E402

CACHED = ('split = "train", validation_split = "val"', 'data_sets = ["drawn"]')


@pytest.fixture(scope="module")
def shards(drawn_store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores that holds the drawn faces as a face cache."""
    store = drawn_store(sources=30, frames=1)
    root = tmp_path_factory.mktemp("shards")
    folder = root / "drawn"
    folder.mkdir()
    faces = [store.face(row) for row in range(len(store))]
    with (folder / facecache.PIXELS).open("wb") as pixels:
        for face in faces:
            pixels.write(face.image.tobytes())
    count, size = len(store), 128
    columns = {
        "path": np.char.add(store.columns.video_id, ".png"),
        "source": store.columns.data_set,
        "label": store.columns.y_true,
        "group": store.columns.source_id,
        "offset": np.arange(count, dtype=np.int64) * size * size * 3,
        "height": np.full(count, size, np.int32),
        "width": np.full(count, size, np.int32),
        "landmarks": np.stack([face.landmarks for face in faces]),
    }
    facecache.write_index(folder, columns)
    return root


def words(shards: Path, tmp_path: Path, *more: str) -> list[str]:
    return ["train", str(tmp_path / "tiny.toml"), "--shards", str(shards), "--run",
            str(tmp_path / "run"), "--workers", "0", "--threads", "1", *more]  # fmt: skip


def test_train_stop_go_on(
    network_recipe,
    shards: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network_recipe(CACHED)
    real = runs.Tracker.add

    def interrupted(self, group, step, row) -> None:
        real(self, group, step, row)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(runs.Tracker, "add", interrupted)
        assert main(words(shards, tmp_path)) == 130
    said = capsys.readouterr()
    assert said.out == ""
    assert "Stopped after step 4 of 6" in said.err
    assert "To go on:" in said.err
    assert main(words(shards, tmp_path)) == 0
    said = capsys.readouterr().err
    assert "Done. mesonet-4, weights of step" in said
    assert "video_auc" in said
    assert load_network(tmp_path / "run").input_px == 64
    assert main(words(shards, tmp_path)) == 0  # nothing left to do
    assert main(words(shards, tmp_path, "--fresh")) == 0


@pytest.mark.parametrize(
    ("replaced", "more", "code", "said"),
    [
        ((), ("--prepare-only",), 2, "unmask data prepare"),
        ((('path = "drawn"', 'path = "absent"'),), (), 3, "no face store at"),
        ((("mesonet-4", "mesonet-5"),), (), 2, "mesonet-4"),
        ((('"train"', '"trian"'),), (), 2, "splits 'train'"),
        ((), ("--devices", "3"), 2, "multiple of 6"),
    ],
)
def test_what_is_wrong_is_named(
    network_recipe, shards: Path, tmp_path: Path, capsys, replaced, more, code: int, said: str
) -> None:
    network_recipe(*replaced)
    assert main(words(shards, tmp_path, *more)) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_cache_is_read_as_a_store(shards: Path, drawn_store) -> None:
    store = CacheStore(shards / "drawn")
    original = drawn_store(sources=30, frames=1)
    assert len(store) == len(original)
    assert np.array_equal(store.face(4).image, original.face(4).image)
    assert store.face(4).mask is None
    columns = store.columns
    assert set(columns.method) == {"real", "drawn"}
    assert set(columns.split) == {"train"}
    assert np.array_equal(columns.source_id, original.columns.source_id)
    assert columns.face_px == pytest.approx(np.full(len(store), 80), abs=0.1)
    assert len(np.unique(columns.sample_id)) == len(store)
    again = pickle.loads(pickle.dumps(store))  # noqa: S301
    assert len(pickle.dumps(store)) < 1000
    assert np.array_equal(again.face(5).image, store.face(5).image)
