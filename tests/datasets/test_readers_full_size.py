"""Listings of the published size, names only: the counts must be those of the papers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.datasets import trees

from unmask.datasets import DATASETS
from unmask.datasets._listing import SetReader
from unmask.datasets.check import check, count


def touch(root: Path, names: Iterator[str] | list[str]) -> None:
    """Empty files: a listing without media."""
    made: set[Path] = set()
    for name in names:
        path = root / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.touch()


def compare(reader: SetReader, also: Mapping[str, int] = {}) -> None:
    items = list(reader.items())
    for key, number in {**reader.spec.counts, **also}.items():
        assert count(items, key) == number, key
    assert len({item.video_id for item in items}) == len(items)
    assert not [f for f in check(reader) if f.code in {"count", "unlisted_files"}]


def reader_of(set_id: str, root: Path, **options: str) -> SetReader:
    reader = DATASETS.get(set_id)(root, **options)
    assert isinstance(reader, SetReader)
    return reader


def test_faceforensics(tmp_path: Path) -> None:
    names = iter(f"{n:03d}" for n in range(1000))
    pairs = {
        split: [(next(names), next(names)) for _ in range(number)]
        for split, number in (("train", 360), ("val", 70), ("test", 70))
    }
    trees.ffpp(tmp_path, pairs=pairs, media=False)
    reader = reader_of("ffpp", tmp_path, compression="c40")
    compare(reader, {"real": 1000, "fake": 5000, "method=deepfakes": 1000, "train/real": 720})
    assert {item.compression for item in reader.items()} == {"c40"}


def test_the_four_methods_of_the_paper(tmp_path: Path) -> None:
    trees.ffpp(tmp_path, media=False)
    four = reader_of("ffpp", tmp_path, methods="face2face,deepfakes,faceswap,neuraltextures")
    methods = [item.method for item in four.items("train")]
    assert methods == ["real"] * 2 + [
        name for name in ("deepfakes", "face2face", "faceswap", "neuraltextures") for _ in range(2)
    ]
    assert "test/method=faceshifter" not in four.expected_counts()
    assert four.expected_counts()["test/method=faceswap"] == 140


def test_deepfakedetection(tmp_path: Path) -> None:
    # 363 recordings; 3,068 swaps, each of one recording with one of 28 actors.
    scenes = [f"{actor:02d}__scene_{n}" for actor in range(1, 29) for n in range(13)][:363]
    touch(tmp_path, [f"original_sequences/actors/c23/videos/{name}.mp4" for name in scenes])
    swaps = itertools.islice(itertools.product(scenes, range(30, 40)), 3068)
    base = "manipulated_sequences/DeepFakeDetection/c23/videos"
    touch(
        tmp_path,
        [f"{base}/{s[:2]}_{other}__{s[4:]}__ABCDEFGH.mp4" for s, other in swaps],
    )
    compare(reader_of("dfd", tmp_path))


def celebrities(root: Path, reals: int, youtube: int, fakes: int, people: int) -> list[str]:
    """Names of the published shape: 59 celebrities in version 2, recordings 0000 to 0009."""
    films = [(who, n) for n in range(20) for who in range(people)][:reals]
    swaps = ((who, other, n) for other in range(people) for who, n in films if who != other)
    names = [
        *(f"Celeb-real/id{who}_{n:04d}.mp4" for who, n in films),
        *(f"YouTube-real/{n:05d}.mp4" for n in range(youtube)),
        *(
            f"Celeb-synthesis/id{who}_id{other}_{n:04d}.mp4"
            for who, other, n in itertools.islice(swaps, fakes)
        ),
    ]
    touch(root, names)
    return names


@pytest.mark.parametrize(
    ("set_id", "reals", "youtube", "fakes", "people", "test_reals", "test_fakes"),
    [("celebdf_v1", 158, 250, 795, 13, 38, 62), ("celebdf_v2", 590, 300, 5639, 59, 178, 340)],
)
def test_celebdf(
    tmp_path: Path, set_id: str, reals: int, youtube: int, fakes: int, people: int,
    test_reals: int, test_fakes: int,
) -> None:  # fmt: skip
    names = celebrities(tmp_path, reals, youtube, fakes, people)
    real = [name for name in names if "real" in name][:test_reals]
    fake = [name for name in names if "synthesis" in name][:test_fakes]
    lines = [f"1 {name}" for name in real] + [f"0 {name}" for name in fake]
    (tmp_path / "List_of_testing_videos.txt").write_text("\n".join(lines))
    compare(
        reader_of(set_id, tmp_path),
        {
            "real": reals + youtube,
            "fake": fakes,
            "test/real": test_reals,
            "test/fake": test_fakes,
            "train": reals + youtube + fakes - test_reals - test_fakes,
        },
    )


def test_dfdc(tmp_path: Path) -> None:
    reals, fakes, parts = 19154, 100000, 50
    for part in range(parts):
        own = [f"r{n:08d}.mp4" for n in range(part, reals, parts)]
        made = {
            f"f{n:08d}.mp4": {"label": "FAKE", "split": "train", "original": own[n % len(own)]}
            for n in range(part, fakes, parts)
        }
        entries = {name: {"label": "REAL", "split": "train"} for name in own} | made
        folder = tmp_path / f"dfdc_train_part_{part:02d}" / f"dfdc_train_part_{part}"
        folder.mkdir(parents=True)
        (folder / "metadata.json").write_text(json.dumps(entries))
    reader = reader_of("dfdc", tmp_path)
    items = list(reader.items())
    assert {key: count(items, key) for key in reader.spec.counts} == dict(reader.spec.counts)
    assert count(items, "train") == 119154
    assert len({item.source_id for item in items}) == reals
    assert reader.remarks() == []


def test_dfdc_preview(tmp_path: Path) -> None:
    actors = [str(1000000 + n) for n in range(66)]
    clips = [f"{actor}_A_{n:03d}" for n in range(20) for actor in actors][:1131]
    swaps = itertools.product(("method_A", "method_B"), actors, clips)
    usable = ((method, who, clip) for method, who, clip in swaps if clip[:7] != who)
    entries = {
        f"original_videos/{clip[:7]}/{clip}.mp4": {"label": "real", "set": "train"}
        for clip in clips
    } | {
        f"{method}/{clip[:7]}/{clip[:9]}/{who}_{clip}.mp4": {"label": "fake", "set": "train"}
        for method, who, clip in itertools.islice(usable, 4113)
    }
    trees.write_json(tmp_path / "dataset.json", entries)
    compare(reader_of("dfdc_preview", tmp_path), {"all": 5244})


def test_deepfake_timit(tmp_path: Path) -> None:
    people = [(f"f{n:03d}0", f"m{n:03d}0") for n in range(16)]
    touch(
        tmp_path,
        [
            f"{folder}/{who}/s{n}-video-{other}.avi"
            for folder in ("higher_quality", "lower_quality")
            for pair in people
            for who, other in (pair, pair[::-1])
            for n in range(10)
        ],
    )
    compare(reader_of("deepfake_timit", tmp_path), {"fake": 640})
    compare_one = reader_of("deepfake_timit", tmp_path, quality="hq")
    assert count(compare_one.items(), "all") == 320
    assert not [finding for finding in check(compare_one) if finding.code == "count"]


def test_uadfv(tmp_path: Path) -> None:
    touch(tmp_path, [f"real/{n:04d}.mp4" for n in range(49)])
    touch(tmp_path, [f"fake/{n:04d}_fake.mp4" for n in range(49)])
    compare(reader_of("uadfv", tmp_path))


def test_fakeavceleb(tmp_path: Path) -> None:
    counts = DATASETS.get("fakeavceleb").spec.counts
    rows = [
        trees.fakeavceleb_row(kind, f"id{n % 500:05d}", f"00001_{n}_x.mp4", "wav2lip")
        if kind != "RealVideo-RealAudio"
        else trees.fakeavceleb_row(kind, f"id{n:05d}", "00001.mp4", "real")
        for kind, number in ((key.removeprefix("type="), n) for key, n in counts.items())
        for n in range(number)
    ]
    trees.write_csv(tmp_path / "meta_data.csv", trees.FAKEAVCELEB_HEADER, rows)
    compare(reader_of("fakeavceleb", tmp_path, fake_audio="as_fake"), {"all": 21544, "real": 500})
    left = reader_of("fakeavceleb", tmp_path)
    assert count(left.items(), "all") == 21044
    assert not [finding for finding in check(left) if finding.code == "count"]


def test_dfdc_faces_as_it_lies_beside_the_checkout(shared_data: Path) -> None:
    reader = reader_of("dfdc_faces", shared_data / "dfdc_faces")
    compare(reader, {"all": 11722})
    assert reader.remarks() == ["6 rows are written twice"]
    assert [finding.code for finding in check(reader)] == ["remark"]
    assert len({item.source_id for item in reader.items()}) == 4733
