"""From films and pictures to shards: what is cut, what is left out, and going on after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np
import pytest

from unmask.datasets.base import DataSetSpec, MediaItem
from unmask.datasets.prepare import OpenSet, Prepared, Progress, prepare
from unmask.datasets.preprocessing import Preprocessing, burst_numbers, crop_box
from unmask.datasets.shards import LEFT_OUT, MANIFEST, SHARDS, ShardStore
from unmask.errors import CorruptMedia, EnvironmentProblem, NotFound, UsageError
from unmask.media import write_film, write_picture

if TYPE_CHECKING:
    from unmask.types import Image

SIDE = 240
FRAMES = 12
PLACE = (slice(100, 150), slice(100, 150))  # what the forgeries change: nose and mouth
HOW = Preprocessing(frames=3)


class Tiny:
    """A reader of three lists: what is asked for, and nothing else."""

    spec: ClassVar = DataSetSpec("tiny", "Tiny", "-", "-", "-", "both", ("train", "test"))

    def __init__(self, items: list[MediaItem]) -> None:
        self._items = items

    def items(self, split: str | None = None) -> Iterator[MediaItem]:
        return (item for item in self._items if split in (None, item.split))


def an_item(name: str, **facts: Any) -> MediaItem:
    stem = Path(name).stem
    given = {"video_id": stem, "source_id": stem, "y_true": 0, "method": "real", "split": "train"}
    return MediaItem(Path(name), **(given | facts))


def a_fake(name: str, original: str, **facts: Any) -> MediaItem:
    return an_item(name, y_true=1, method="smear", source_id=Path(original).stem,
                   original=Path(original), **facts)  # fmt: skip


@pytest.fixture(scope="module")
def face(portrait: Image) -> Image:
    """(240, 240, 3): a face in the middle."""
    head = cv2.resize(portrait[:300, 80:380], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(head)


@pytest.fixture(scope="module")
def root(face: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set on disk: films, a forgery of each kind, pictures, and things that go wrong."""
    folder = tmp_path_factory.mktemp("set")

    def moving(change: Callable[[Image], Image]) -> list[Image]:
        return [change(np.roll(face, 2 * n, 1)) for n in range(FRAMES)]

    def smeared(image: Image) -> Image:
        forged = image.copy()
        forged[PLACE] = cv2.GaussianBlur(forged[PLACE], (0, 0), 9) // 2 + 90
        return forged

    def masked(image: Image) -> Image:
        mask = np.zeros_like(image)
        mask[120:, :] = 255
        return mask

    write_film(folder / "real.mp4", moving(lambda image: image), 10, crf=10)
    write_film(folder / "fake.mp4", moving(smeared), 10, crf=10)
    write_film(folder / "short.mp4", moving(smeared)[:7], 10, crf=10)
    write_film(folder / "mask.mp4", moving(masked), 10, crf=10)
    write_film(folder / "small.mp4", [cv2.resize(f, (160, 160)) for f in moving(smeared)], 10)
    write_film(folder / "aside.mp4", [np.roll(f, 90, 0) for f in moving(smeared)], 10)
    write_picture(folder / "real.png", face)
    write_picture(folder / "fake.png", smeared(face))
    write_picture(folder / "empty.png", np.full((120, 120, 3), 90, np.uint8))
    (folder / "broken.png").write_bytes((folder / "real.png").read_bytes()[:3000])
    return folder


Make = Callable[..., Prepared]


@pytest.fixture
def make(root: Path, tmp_path: Path, face_models: Path) -> Make:
    """Prepare some items into the test's own folder."""
    assert face_models.is_dir()

    def call(items: list[MediaItem], how: Preprocessing = HOW, **options: Any) -> Prepared:
        options = {"faces_per_shard": 6, "folder": tmp_path / "out"} | options
        return prepare(OpenSet(Tiny(items), root), options.pop("folder"), how, **options)

    return call


def test_a_forgery_is_cut_where_its_original_lies(make: Make, tmp_path: Path) -> None:
    made = make([an_item("real.mp4"), a_fake("fake.mp4", "real.mp4")])
    assert (made.items, made.faces, made.losses) == (2, 6, [])
    store = ShardStore(tmp_path / "out")
    real, fake = (np.flatnonzero(store.columns.y_true == label) for label in (0, 1))
    times = store.columns.pts_s
    assert np.allclose(times[real], times[fake])
    assert store.columns.frame_index[real].tolist() == [2, 6, 10]
    assert set(store.columns.source_id) == {"real"}
    assert store.column("mask_source")[fake].tolist() == ["difference"] * 3
    left = store.column("crop_xyxy")
    for one, other in zip(real, fake, strict=True):
        original, forged = store.face(int(one)), store.face(int(other))
        assert original.image.shape == forged.image.shape
        assert np.array_equal(original.landmarks, forged.landmarks)
        assert forged.mask is not None
        shift = 2 * int(store.columns.frame_index[one])
        x, y = (125 + np.array([shift, 0]) - left[one][:2]).astype(int)
        assert forged.mask[y, x] > 0.9  # the middle of what was changed
        assert forged.mask[:20].max() == 0  # the forehead was not
        changed = np.abs(original.image.astype(int) - forged.image).max(2) > 24
        assert forged.mask[changed].mean() > 0.8


def test_a_forgery_that_ends_early_keeps_the_frames_it_has(make: Make, tmp_path: Path) -> None:
    made = make([an_item("real.mp4"), a_fake("short.mp4", "real.mp4")])
    assert made.faces == 5
    assert [(loss.path, loss.lost) for loss in made.losses] == [("short.mp4", "1 of 3 frames")]
    store = ShardStore(tmp_path / "out")
    short = store.columns.video_id == "short"
    assert store.columns.frame_index[short].tolist() == [2, 6]


def test_the_set_s_own_mask_is_taken_where_there_is_one(make: Make, tmp_path: Path) -> None:
    make([a_fake("fake.mp4", "real.mp4", mask=Path("mask.mp4"))])
    store = ShardStore(tmp_path / "out")
    assert set(store.column("mask_source")) == {"set"}
    mask, top = store.face(0).mask, int(store.column("crop_xyxy")[0][1])
    assert mask is not None
    assert mask[: 120 - top - 3].max() < 0.1
    assert mask[120 - top + 3 :].min() > 0.9


@pytest.mark.parametrize(("name", "why"), [("small.mp4", "160 x 160 px"), ("aside.mp4", "not lie")])
def test_a_forgery_that_does_not_lie_on_its_original_is_cut_alone(
    make: Make, tmp_path: Path, name: str, why: str
) -> None:
    made = make([a_fake(name, "real.mp4")])
    assert made.faces == 3
    (loss,) = made.losses
    assert (loss.lost, loss.whole) == ("original", False)
    assert why in loss.reason
    assert ShardStore(tmp_path / "out").face(0).mask is None


def test_what_goes_wrong_is_named_and_stops_nothing(make: Make, tmp_path: Path) -> None:
    items = [
        an_item("gone.mp4"), an_item("broken.png"), an_item("empty.png"), an_item("real.png"),
        a_fake("fake.png", "lost.png"), an_item("real.png"),
    ]  # fmt: skip
    made = make(items)
    assert {(loss.path, loss.lost, loss.code) for loss in made.losses} == {
        ("gone.mp4", "all", "not_found"),
        ("broken.png", "all", "corrupt_media"),
        ("empty.png", "all", "no_frames"),
        ("fake.png", "original", "not_found"),
        ("real.png", "double", "listed_twice"),
    }
    table = (tmp_path / "out" / LEFT_OUT).read_text().splitlines()
    assert len(table) == 6
    assert any(line.startswith("gone.mp4,gone,all,not_found,") for line in table)
    store = ShardStore(tmp_path / "out")
    assert sorted(store.columns.video_id) == ["fake", "real"]
    assert store.facts.left_out == {"not_found": 1, "corrupt_media": 1, "no_frames": 1}


def test_only_what_was_missing_is_made_when_it_is_there(
    make: Make, tmp_path: Path, root: Path
) -> None:
    items = [an_item("real.mp4"), an_item("late.png"), an_item("real.png")]
    assert make(items, faces_per_shard=1).shards_made == 3
    before = {path.name for path in (tmp_path / "out" / SHARDS).glob("*.tar")}
    shutil.copy(root / "real.png", root / "late.png")
    try:
        made = make(items, faces_per_shard=1)
        assert make(items, faces_per_shard=1).shards_made == 0
    finally:
        (root / "late.png").unlink()
    assert (made.shards_made, made.faces, made.losses) == (1, 5, [])
    assert before < {path.name for path in (tmp_path / "out" / SHARDS).glob("*.tar")}


def test_a_damaged_shard_is_made_again_and_no_other(make: Make, tmp_path: Path) -> None:
    items = [an_item("real.mp4"), an_item("real.png")]
    make(items, faces_per_shard=1)
    first, second = sorted((tmp_path / "out" / SHARDS).glob("*.tar"))
    whole, kept = first.read_bytes(), second.stat().st_mtime_ns
    first.write_bytes(whole[:1000])
    assert make(items, faces_per_shard=1).shards_made == 1
    assert first.read_bytes() == whole
    assert second.stat().st_mtime_ns == kept


def test_bursts_are_consecutive_and_whole(make: Make, tmp_path: Path) -> None:
    how = Preprocessing(frames=8, burst=4)
    make([an_item("real.mp4"), a_fake("fake.mp4", "real.mp4")], how)
    store = ShardStore(tmp_path / "out")
    for label in (0, 1):
        rows = store.columns.y_true == label
        assert store.columns.frame_index[rows].tolist() == [1, 2, 3, 4, 7, 8, 9, 10]
        assert store.column("burst")[rows].tolist() == [0] * 4 + [1] * 4


def test_bursts_lie_in_the_middle_of_equal_parts() -> None:
    assert list(burst_numbers(100, 4, 2)) == [24, 25, 74, 75]
    assert burst_numbers(5, 8, 4) == {0: 0, 1: 0, 2: 0, 3: 0}
    assert burst_numbers(3, 8, 4) == {}
    assert list(burst_numbers(8, 8, 4)) == list(range(8))


def test_a_film_shorter_than_a_burst_is_left_out_by_name(make: Make) -> None:
    made = make([an_item("real.mp4"), an_item("short.mp4")], Preprocessing(frames=8, burst=8))
    assert [(loss.path, loss.code) for loss in made.losses] == [("short.mp4", "no_frames")]
    assert "7 frames" in made.losses[0].reason


def test_the_crop_rule_is_the_trainer_s(face: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    from unmask.train import facecache

    monkeypatch.setattr(facecache, "MAX_SIDE_PX", 160)
    rng = np.random.default_rng(0)
    for centre, spread in (((120, 120), 30), ((20, 200), 50), ((120, 120), 90)):
        landmarks = (rng.uniform(-spread, spread, (468, 2)) + centre).astype(np.float32)
        box = crop_box(landmarks, face.shape, margin=1.8, max_side_px=160)
        crop, points = facecache._crop(face, landmarks)
        assert box is not None
        assert np.array_equal(box.cut(face), crop)
        assert np.abs(box.points(landmarks) - points).max() < 0.6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"how": Preprocessing(frames=4)}, "frames 3, now 4"),
        ({"how": replace(HOW, margin=1.5)}, "margin 1.8, now 1.5"),
        ({"splits": ["train"]}, "splits all, now train"),
    ],
)
def test_other_settings_are_refused_and_named(
    make: Make, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    items = [an_item("real.png")]
    make(items)
    before = (tmp_path / "out" / MANIFEST).read_bytes()
    with pytest.raises(UsageError, match=told) as caught:
        make(items, **change)
    assert "-o" in caught.value.hint
    assert (tmp_path / "out" / MANIFEST).read_bytes() == before


def test_a_folder_of_other_things_is_not_touched(make: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes.txt"):
        make([an_item("real.png")])
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_limit_keeps_sources_whole_and_may_grow_but_not_shrink(
    make: Make, tmp_path: Path
) -> None:
    items = [an_item("real.mp4"), an_item("real.png", source_id="p"),
             a_fake("fake.mp4", "real.mp4"),
             replace(a_fake("fake.png", "real.png"), source_id="p")]  # fmt: skip
    made = make(items, limit=3)
    assert made.items == 2
    assert len(set(ShardStore(tmp_path / "out").columns.source_id)) == 1
    assert make(items).items == 4
    with pytest.raises(UsageError, match=r"holds the faces of 4 .* 2 of them"):
        make(items, limit=2)
    names = {path.stem for path in (tmp_path / "out" / SHARDS).iterdir()}
    assert names == {Path(s["name"]).stem for s in ShardStore(tmp_path / "out").facts.shards}


def test_nothing_at_all_is_an_error_with_a_reason(make: Make) -> None:
    with pytest.raises(NotFound, match="name no film"):
        make([])
    with pytest.raises(CorruptMedia, match="Not one face"):
        make([an_item("empty.png")])
    with pytest.raises(UsageError, match="no split 'dev'"):
        make([an_item("real.png")], splits=["dev"])


@pytest.mark.parametrize(
    "wrong", [{"frames": 0}, {"frames": 10, "burst": 4}, {"margin": 0.5}, {"max_side_px": 4}]
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"must lie between|cannot be cut"):
        Preprocessing(**wrong)


def test_the_hash_changes_with_every_parameter() -> None:
    changes = {"frames": 16, "burst": 2, "margin": 1.5, "max_side_px": 256, "people": 2}
    hashes = {replace(Preprocessing(), **{k: v}).hash() for k, v in changes.items()}
    assert len({*hashes, Preprocessing().hash()}) == 6


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_prepare as t

def on_progress(now):
    if now.new_faces:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    t.prepare(t.OpenSet(t.Tiny(t.many()), Path({root!r})), Path({out!r}), t.HOW,
              workers=2, faces_per_shard=1, on_progress=on_progress)
"""


def many() -> list[MediaItem]:
    return [an_item("real.png"), an_item("real.mp4"), an_item("short.mp4"), an_item("gone.png"),
            a_fake("fake.png", "real.png"), a_fake("fake.mp4", "real.mp4")]  # fmt: skip


def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    make: Make, root: Path, tmp_path: Path, face_models: Path
) -> None:
    """The parent is killed (-9) after its first shard; its two workers leave with it."""
    out, script = tmp_path / "killed", tmp_path / "killed.py"
    script.write_text(KILLED.format(here=str(Path(__file__).parent), root=str(root), out=str(out)))
    environment = {**os.environ, "UNMASK_MODELS": str(face_models), "UNMASK_OFFLINE": "1"}
    done = subprocess.run([sys.executable, script], env=environment, check=False, timeout=250)
    assert done.returncode == -signal.SIGKILL
    assert not (out / MANIFEST).exists()
    made = make(many(), folder=out, faces_per_shard=1)
    whole = make(many(), folder=tmp_path / "unbroken", faces_per_shard=1)
    assert 1 <= made.shards_made < whole.shards_made == 6
    assert made.losses == whole.losses
    for path in sorted((tmp_path / "unbroken").rglob("*")):
        twin = out / path.relative_to(tmp_path / "unbroken")
        assert path.is_dir() or twin.read_bytes() == path.read_bytes()
    assert not [path for path in (out / SHARDS).iterdir() if path.name.startswith(".")]


def test_progress_counts_everything_once(make: Make) -> None:
    seen: list[Progress] = []
    make(many(), faces_per_shard=4, on_progress=seen.append)
    assert (seen[0].items, seen[-1].items, seen[-1].total) == (0, 6, 6)
    assert [loss.path for now in seen for loss in now.losses] == ["gone.png"]
    again: list[Progress] = []
    make(many(), faces_per_shard=4, on_progress=again.append)
    assert [(now.items, now.new_faces) for now in again] == [(6, 0)]


def test_a_worker_that_dies_is_an_error_with_advice() -> None:
    from unmask.datasets.prepare_processes import in_processes

    with pytest.raises(EnvironmentProblem, match="worker process died") as caught:
        list(in_processes(os._exit, [1, 1], 2))
    assert "--workers" in caught.value.hint
