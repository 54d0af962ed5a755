"""Shards and their manifest: what is written is what is read, by us and by others."""

from __future__ import annotations

import io
import json
import multiprocessing
import pickle
import tarfile
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from unmask.datasets.base import MediaItem
from unmask.datasets.faces_of import Loss
from unmask.datasets.faces_of_film import FaceCut
from unmask.datasets.preprocessing import Preprocessing, crop_box
from unmask.datasets.shards import MANIFEST, SHARDS, ShardStore
from unmask.datasets.shards_summary import summarise
from unmask.datasets.shards_write import (
    FORMAT,
    Sample,
    encode,
    join_tables,
    read_meta,
    write_shard,
)
from unmask.errors import CorruptMedia, NotFound, UnsupportedMedia

HOW = Preprocessing()
PER_SHARD = 3


def a_cut(number: int, *, fake: bool) -> FaceCut:
    rng = np.random.default_rng(number)
    landmarks = rng.uniform(20, 60, (468, 2)).astype(np.float32)
    image = rng.integers(0, 256, (70 + number, 80, 3), dtype=np.uint8)
    box = crop_box(landmarks, image.shape, margin=1.8, max_side_px=320)
    assert box is not None
    crop = box.cut(image)
    mask = np.linspace(0, 1, crop[..., 0].size, dtype=np.float32).reshape(crop.shape[:2])
    return FaceCut(
        place=0,
        frame_index=number,
        burst=0,
        pts_s=number / 25,
        bbox_xyxy=(20.0, 20.0, 60.0, 60.0),
        box=box,
        image=crop,
        frame_landmarks=landmarks,
        landmarks=box.points(landmarks),
        face_px=40.0,
        sharpness=11.5,
        yaw_deg=-7.0,
        mask=mask if fake else None,
        mask_source="difference" if fake else "",
    )


def an_item(number: int) -> MediaItem:
    fake = number % 2 == 1
    return MediaItem(
        Path(f"film {number}.mp4"),
        f"film.{number}",
        f"film.{number - fake}",
        int(fake),
        "swap" if fake else "real",
        split="train" if number < 4 else "val",
        compression="c23",
        identities=("anna", "ben") if fake else ("anna",),
        groups={"light": "dim"},
    )


def samples() -> list[Sample]:
    return [
        encode(f"film_{n}-x-f{n:06d}", "made_up", an_item(n), a_cut(n, fake=n % 2 == 1))
        for n in range(6)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six faces in two shards, joined as prepare does."""
    root = tmp_path / "store"
    (root / SHARDS).mkdir(parents=True)
    tars = [root / SHARDS / f"{number:06d}-abc.tar" for number in range(2)]
    loss = Loss("gone.mp4", "gone", "all", "not_found", "There is no file gone.mp4.")
    for number, tar in enumerate(tars):
        some = samples()[number * PER_SHARD : (number + 1) * PER_SHARD]
        write_shard(tar, some, {"format": FORMAT}, [loss] if number else [])
    meta = {
        "format": FORMAT,
        "data_set": "made_up",
        "options": {"compression": "c23"},
        "splits": [],
        "preprocessing": HOW.facts(),
        "preprocessing_hash": HOW.hash(),
        "tool": {"name": "unmask", "version": "0"},
        "items": 7,
        "left_out": {"not_found": 1},
        "shards": [{"name": t.name, "bytes": t.stat().st_size, "faces": 3} for t in tars],
    }
    join_tables([tar.with_suffix(".parquet") for tar in tars], root / MANIFEST, meta)
    return root


def test_what_was_written_is_read_back_in_any_order(folder: Path) -> None:
    store = ShardStore(folder)
    assert len(store) == 6
    for row in (5, 0, 3, 1, 4, 2):
        cut, face = a_cut(row, fake=row % 2 == 1), store.face(row)
        assert np.array_equal(face.image, cut.image)
        assert np.array_equal(face.landmarks, cut.landmarks)
        assert face.mask is not None
        if cut.mask is None:  # an unforged face has no foreign pixel
            assert face.mask.shape == cut.image.shape[:2]
            assert not face.mask.any()
        else:
            assert np.abs(face.mask - cut.mask).max() <= 0.5 / 255 + 1e-6


def test_the_columns_say_what_is_known(folder: Path) -> None:
    store = ShardStore(folder)
    columns = store.columns
    assert columns.video_id.tolist() == [f"film.{n}" for n in range(6)]
    assert columns.source_id.tolist() == [f"film.{n - n % 2}" for n in range(6)]
    assert columns.y_true.tolist() == [0, 1, 0, 1, 0, 1]
    assert columns.split.tolist() == ["train"] * 4 + ["val"] * 2
    assert columns.frame_index.tolist() == list(range(6))
    assert columns.pts_s[5] == pytest.approx(0.2)
    assert set(columns.compression) == {"c23"}
    assert json.loads(str(columns.groups[0])) == {"light": "dim"}
    assert columns.yaw_deg.dtype == np.float32
    assert store.identities()[:2] == [("anna",), ("anna", "ben")]
    assert store.column("mask_source").tolist() == ["", "difference"] * 3
    assert np.array_equal(store.landmarks()[4], store.face(4).landmarks)
    assert store.facts.preprocessing_hash == HOW.hash()


def test_plain_tarfile_finds_the_bytes_where_the_manifest_says(folder: Path) -> None:
    store = ShardStore(folder)
    offsets, sizes = store.column("image_offset"), store.column("image_bytes")
    for row, name in enumerate(store.column("shard")):
        with tarfile.open(folder / SHARDS / str(name)) as tar:
            member = tar.getmember(f"{store.columns.sample_id[row]}.png")
        assert (member.offset_data, member.size) == (offsets[row], sizes[row])
        assert member.mtime == 0


def test_webdataset_reads_the_shards(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import webdataset

        urls = sorted(str(path) for path in (folder / SHARDS).glob("*.tar"))
        read = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False))
    store = ShardStore(folder)
    assert [sample["__key__"] for sample in read] == store.columns.sample_id.tolist()
    for row, sample in enumerate(read):
        face = store.face(row)
        bgr = cv2.imdecode(np.frombuffer(sample["png"], np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(bgr[:, :, ::-1], face.image)
        assert np.array_equal(np.load(io.BytesIO(sample["landmarks.npy"])), face.landmarks)
        assert json.loads(sample["json"])["y_true"] == store.columns.y_true[row]
        assert ("mask.png" in sample) == bool(store.columns.y_true[row])


def test_the_same_samples_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    write_shard(again, samples()[:PER_SHARD], {"format": FORMAT}, [])
    assert (folder / SHARDS / "000000-abc.tar").read_bytes() == again.read_bytes()


def test_damaged_bytes_are_told_for_that_face_only(folder: Path) -> None:
    store = ShardStore(folder)
    tar = folder / SHARDS / str(store.column("shard")[1])
    for part in ("image", "mask", "landmarks"):
        whole = tar.read_bytes()
        position = int(store.column(f"{part}_offset")[1]) + 60
        tar.write_bytes(whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :])
        damaged = ShardStore(folder)
        with pytest.raises(CorruptMedia, match=r"film_1-x-f000001 .* 000000-abc.tar") as caught:
            damaged.face(1)
        assert "again" in caught.value.hint
        damaged.face(0)
        tar.write_bytes(whole)


def test_a_missing_or_short_shard_is_named_when_the_store_is_opened(folder: Path) -> None:
    tar = folder / SHARDS / "000001-abc.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[:-512])
    with pytest.raises(CorruptMedia, match=r"000001-abc\.tar"):
        ShardStore(folder)
    tar.unlink()
    with pytest.raises(NotFound, match=r"000001-abc\.tar"):
        ShardStore(folder)


def test_a_shard_that_goes_away_later_is_an_error_with_a_name(folder: Path) -> None:
    store = ShardStore(folder)
    (folder / SHARDS / "000001-abc.tar").unlink()
    store.face(0)
    with pytest.raises(NotFound, match=r"000001-abc\.tar"):
        store.face(5)


def test_other_versions_and_damaged_manifests_are_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / MANIFEST
    meta = read_meta(path) | {"format": "99"}
    parts = sorted((folder / SHARDS).glob("*.parquet"))
    join_tables(parts, path, meta)
    with pytest.raises(UnsupportedMedia, match=r"version 99.* reads 1") as caught:
        ShardStore(folder)
    assert "Prepare" in caught.value.hint
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptMedia, match="damaged"):
        ShardStore(folder)
    path.unlink()
    with pytest.raises(NotFound, match=r"no manifest\.parquet"):
        ShardStore(folder)
    with pytest.raises(NotFound, match=r"no manifest\.parquet"):
        ShardStore(tmp_path / "nowhere")


def test_a_store_may_be_forked_and_pickled(folder: Path) -> None:
    store = ShardStore(folder)
    store.face(0)  # a map is open when the process forks
    assert np.array_equal(pickle.loads(pickle.dumps(store)).face(4).image, store.face(4).image)  # noqa: S301
    with warnings.catch_warnings():
        # Python from 3.12 on warns of forking beside threads, which libraries start.
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            sums = pool.map(_Sum(store), range(6))
    assert sums == [int(store.face(row).image.sum()) for row in range(6)]


class _Sum:
    def __init__(self, store: ShardStore) -> None:
        self.store = store

    def __call__(self, row: int) -> int:
        return int(self.store.face(row).image.sum())


def test_a_summary_counts_by_split_and_label(folder: Path) -> None:
    summary = summarise(folder)
    assert (summary["faces"], summary["shards"], summary["left_out"]) == (6, 2, {"not_found": 1})
    train_fake = next(
        row for row in summary["counts"] if (row["split"], row["label"]) == ("train", "fake")
    )
    assert train_fake["method"] == "swap"
    assert (train_fake["faces"], train_fake["videos"], train_fake["sources"]) == (2, 2, 2)


def test_a_shard_without_faces_is_no_file(tmp_path: Path) -> None:
    tar = tmp_path / "000000-none.tar"
    write_shard(tar, [], {"format": FORMAT}, [])
    assert not tar.exists()
    assert read_meta(tar.with_suffix(".parquet"))["faces"] == 0
