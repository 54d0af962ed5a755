"""What is particular to each set: its names, its labels, its options, its broken lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.datasets import trees

from unmask.datasets import DATASETS, MediaItem
from unmask.datasets._listing import SetReader
from unmask.errors import CorruptMedia, NotFound, UsageError


def reader_of(set_id: str, root: Path, **options: str) -> SetReader:
    reader = DATASETS.get(set_id)(root, **options)
    assert isinstance(reader, SetReader)
    return reader


def by_id(reader: SetReader) -> dict[str, MediaItem]:
    return {item.video_id: item for item in reader.items()}


# ------------------------------------------------------------------ FaceForensics++


def test_a_pair_is_swapped_both_ways_and_keeps_its_original_and_mask(tmp_path: Path) -> None:
    trees.ffpp(tmp_path)
    items = by_id(reader_of("ffpp", tmp_path))
    fake = items["c23/deepfakes/001_000"]
    assert fake.source_id == "001"
    assert fake.identities == ("001", "000")
    assert fake.original == Path("original_sequences/youtube/c23/videos/001.mp4")
    assert fake.mask == Path("manipulated_sequences/Deepfakes/masks/videos/001_000.mp4")
    assert items["c23/faceshifter/001_000"].mask is None
    assert items["c23/004"].split == "test"


@pytest.mark.parametrize(("folder", "asked"), [("c0", "raw"), ("raw", "c0"), ("raw", "raw")])
def test_raw_and_c0_are_two_names_of_one_thing(tmp_path: Path, folder: str, asked: str) -> None:
    trees.ffpp(tmp_path, level=folder)
    item = next(reader_of("ffpp", tmp_path, compression=asked).items())
    assert (tmp_path / item.path).is_file()
    assert item.compression == "raw"


def test_the_lists_may_lie_beside_the_folders(tmp_path: Path) -> None:
    trees.ffpp(tmp_path)
    for path in (tmp_path / "splits").iterdir():
        path.rename(tmp_path / path.name)
    assert len(list(reader_of("ffpp", tmp_path).items())) == 36


def test_a_missing_split_list_is_named(tmp_path: Path) -> None:
    trees.ffpp(tmp_path)
    (tmp_path / "splits" / "val.json").unlink()
    with pytest.raises(NotFound, match=r"splits/val\.json") as caught:
        reader_of("ffpp", tmp_path)
    assert "github.com/ondyari" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[["000", "001"]', "not whole JSON"),
        ('{"000": "001"}', "a JSON dict"),
        ('["000", "001"]', "'000'"),
        ('[["000", "1"]]', "'1'"),
        ('[["004", "009"]]', "sequence 004, which train.json holds too"),
    ],
)
def test_a_broken_split_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    trees.ffpp(tmp_path)
    (tmp_path / "splits" / "train.json").write_text(text)
    with pytest.raises(CorruptMedia, match=message):
        reader_of("ffpp", tmp_path)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"compression": "c32"}, "Did you mean 'c23'?"),
        ({"methods": "deepfake"}, "Did you mean 'deepfakes'?"),
        ({"compresion": "c23"}, "Did you mean 'compression'?"),
    ],
)
def test_a_wrong_option_gets_the_near_match(
    tmp_path: Path, options: dict[str, str], hint: str
) -> None:
    trees.ffpp(tmp_path)
    with pytest.raises(UsageError) as caught:
        reader_of("ffpp", tmp_path, **options)
    assert caught.value.hint == hint


def test_actors_are_kept_by_number(tmp_path: Path) -> None:
    trees.dfd(tmp_path)
    items = by_id(reader_of("dfd", tmp_path))
    fake = items["c23/01_02__kitchen_still__ABCD1234"]
    assert fake.identities == ("01", "02")
    assert fake.source_id == "01__kitchen_still" == items["c23/01__kitchen_still"].source_id


# ------------------------------------------------------------------------- Celeb-DF


@pytest.mark.parametrize("version", ["celebdf_v1", "celebdf_v2"])
def test_one_in_the_test_list_stands_for_real(tmp_path: Path, version: str) -> None:
    trees.celebdf(tmp_path)
    test = {item.video_id: item.y_true for item in reader_of(version, tmp_path).items("test")}
    assert test == {
        "YouTube-real/00000": 0,
        "Celeb-real/id0_0000": 0,
        "Celeb-synthesis/id0_id1_0000": 1,
        "Celeb-synthesis/id2_id3_0000": 1,
    }


def test_a_list_with_its_labels_inverted_is_refused(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)
    path = tmp_path / "List_of_testing_videos.txt"
    swapped = {"0": "1", "1": "0"}
    path.write_text(
        "\n".join(swapped[line[0]] + line[1:] for line in path.read_text().split("\n") if line)
    )
    with pytest.raises(CorruptMedia, match="labels reversed") as caught:
        reader_of("celebdf_v2", tmp_path)
    assert "line 1" in caught.value.message
    assert "calls a fake film" in caught.value.message


@pytest.mark.parametrize(
    "line", ["2 Celeb-real/id0_0000.mp4", "Celeb-real/id0_0000.mp4", "1 Celeb/id0_0000.mp4", "1"]
)
def test_a_line_of_another_form_is_refused(tmp_path: Path, line: str) -> None:
    trees.celebdf(tmp_path)
    (tmp_path / "List_of_testing_videos.txt").write_text(f"{line}\n")
    with pytest.raises(CorruptMedia, match=re.escape(line)):
        reader_of("celebdf_v2", tmp_path)


def test_without_its_test_list_the_set_is_not_read(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)
    (tmp_path / "List_of_testing_videos.txt").write_text("\n")
    with pytest.raises(CorruptMedia, match="no films"):
        reader_of("celebdf_v2", tmp_path)
    (tmp_path / "List_of_testing_videos.txt").unlink()
    with pytest.raises(NotFound, match="List_of_testing_videos"):
        reader_of("celebdf_v2", tmp_path)


def test_a_listed_film_is_known_though_its_file_is_missing(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)
    (tmp_path / "Celeb-synthesis/id2_id3_0000.mp4").unlink()
    item = by_id(reader_of("celebdf_v2", tmp_path))["Celeb-synthesis/id2_id3_0000"]
    assert item.split == "test"


def test_the_official_split_crosses_and_keep_apart_mends_it(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)

    def crossing(**options: str) -> tuple[set[str], set[str], int]:
        reader = reader_of("celebdf_v2", tmp_path, **options)
        train, test = list(reader.items("train")), list(reader.items("test"))
        sources = {item.source_id for item in train} & {item.source_id for item in test}
        people = [{name for item in half for name in item.identities} for half in (train, test)]
        return sources, people[0] & people[1], len(test)

    sources, people, tested = crossing()
    assert sources == {"Celeb-real/id2_0000"}
    assert people == {"id0", "id1", "id2", "id3"}
    assert crossing(keep_apart="sources") == (set(), people, tested)
    assert crossing(keep_apart="identities") == (set(), set(), tested)


def test_a_level_of_videos_folders_is_read_too(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)
    for name in ("Celeb-real", "Celeb-synthesis", "YouTube-real"):
        inner = tmp_path / name / "videos"
        inner.mkdir()
        for path in (tmp_path / name).glob("*.mp4"):
            path.rename(inner / path.name)
    items = list(reader_of("celebdf_v2", tmp_path).items())
    assert len(items) == 27
    assert all((tmp_path / item.path).is_file() for item in items)


# ----------------------------------------------------------------------------- DFDC


def test_parts_and_the_test_list_are_read_together(tmp_path: Path) -> None:
    trees.dfdc(tmp_path)
    reader = reader_of("dfdc", tmp_path)
    items = by_id(reader)
    assert items["bbbbbbbbbb"].source_id == "aaaaaaaaaa"
    assert items["bbbbbbbbbb"].original == Path("dfdc_train_part_00/aaaaaaaaaa.mp4")
    assert [(item.y_true, item.split) for item in reader.items("test")] == [
        (0, "test"),
        (1, "test"),
    ]
    assert "01, 02" in reader.remarks()[0]
    assert "00" not in reader.remarks()[0]


def test_metas_own_test_metadata_says_is_fake(tmp_path: Path) -> None:
    trees.dfdc(tmp_path)
    (tmp_path / "test" / "labels.csv").unlink()
    entries = {"eeeeeeeeee.mp4": {"is_fake": 1}, "ffffffffff.mp4": {"is_fake": 0}}
    trees.write_json(tmp_path / "test" / "metadata.json", entries)
    items = by_id(reader_of("dfdc", tmp_path))
    assert (items["eeeeeeeeee"].y_true, items["ffffffffff"].y_true) == (1, 0)


@pytest.mark.parametrize("entry", [{"label": "FALSE"}, {"split": "train"}, {"label": ""}])
def test_a_label_that_is_neither_real_nor_fake_is_refused(
    tmp_path: Path, entry: dict[str, str]
) -> None:
    trees.write_json(tmp_path / "metadata.json", {"a.mp4": entry})
    with pytest.raises(CorruptMedia, match=r"a\.mp4.*REAL or FAKE"):
        list(reader_of("dfdc", tmp_path).items())


def test_metadata_cut_short_is_refused(tmp_path: Path) -> None:
    trees.dfdc(tmp_path)
    path = tmp_path / "dfdc_train_part_00" / "metadata.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptMedia, match="not whole JSON"):
        list(reader_of("dfdc", tmp_path).items())
    path.write_text('{"a.mp4": "FAKE"}')
    with pytest.raises(CorruptMedia, match=r"'a\.mp4': 'FAKE'"):
        list(reader_of("dfdc", tmp_path).items())


def test_the_preview_pairs_a_fake_with_the_clip_in_its_name(tmp_path: Path) -> None:
    trees.dfdc_preview(tmp_path)
    fake = by_id(reader_of("dfdc_preview", tmp_path))["method_A/1000003_1000001_A_001"]
    assert fake.identities == ("1000001", "1000003")
    assert fake.original == Path("original_videos/1000001/1000001_A_001.mp4")
    assert (fake.method, fake.split) == ("method_a", "train")


@pytest.mark.parametrize("entry", [{"label": "fake"}, {"label": "maybe", "set": "train"}])
def test_a_preview_entry_without_label_or_set_is_refused(
    tmp_path: Path, entry: dict[str, str]
) -> None:
    trees.write_json(tmp_path / "dataset.json", {"method_A/x.mp4": entry})
    with pytest.raises(CorruptMedia, match=r"method_A/x\.mp4"):
        list(reader_of("dfdc_preview", tmp_path).items())


def test_dfdc_faces_takes_the_film_as_source(tmp_path: Path) -> None:
    trees.dfdc_faces(tmp_path)
    reader = reader_of("dfdc_faces", tmp_path)
    fake = by_id(reader)["bbbbbbbbbb"]
    assert (fake.source_id, fake.split) == ("aaaaaaaaaa", "train")
    assert fake.original == Path("train/real/aaaaaaaaaa.jpg")
    assert reader.remarks() == ["1 rows are written twice"]
    text = (tmp_path / "manifest.csv").read_text()
    (tmp_path / "manifest.csv").write_text(text.replace("label", "labels", 1))
    with pytest.raises(CorruptMedia, match="no column called 'label'") as caught:
        reader_of("dfdc_faces", tmp_path)
    assert caught.value.hint == "Did you mean 'labels'?"
    (tmp_path / "manifest.csv").write_text(text.replace(",real,", ",fake,"))
    with pytest.raises(CorruptMedia, match="the original that they are"):
        list(reader_of("dfdc_faces", tmp_path).items())


# ----------------------------------------------------------- TIMIT, UADFV, FakeAVCeleb


def test_vidtimit_gives_the_real_recordings_as_films_or_frames(tmp_path: Path) -> None:
    options = trees.deepfake_timit(tmp_path)
    items = list(reader_of("deepfake_timit", tmp_path, **options).items())
    real = [item for item in items if item.y_true == 0]
    assert {item.path.as_posix() for item in real if item.source_id == "fadg0/sa1"} == {
        "VidTIMIT/fadg0/sa1.avi"
    }
    frames = [item for item in real if item.source_id == "fram1/sa1"]
    assert [item.path.name for item in frames] == ["001", "002", "003"]
    assert {item.video_id for item in frames} == {"real/fram1/sa1"}
    alone = reader_of("deepfake_timit", tmp_path)
    assert {item.y_true for item in alone.items()} == {1}
    assert "vidtimit=FOLDER" in alone.remarks()[0]
    with pytest.raises(NotFound, match="VidTIMIT is not at"):
        reader_of("deepfake_timit", tmp_path, vidtimit="elsewhere")


def test_a_missing_half_of_uadfv_is_known(tmp_path: Path) -> None:
    trees.uadfv(tmp_path)
    (tmp_path / "real/0000.mp4").unlink()
    (tmp_path / "fake/0001_fake.mp4").unlink()
    assert len(list(reader_of("uadfv", tmp_path).items())) == 6


def test_fake_sound_over_a_real_picture_is_what_one_says(tmp_path: Path) -> None:
    trees.fakeavceleb(tmp_path)
    name = "RealVideo-FakeAudio/African/men/id00076/00109_fake"
    labels = {
        how: {
            key: item.y_true
            for key, item in by_id(reader_of("fakeavceleb", tmp_path, fake_audio=how)).items()
        }
        for how in ("leave_out", "as_real", "as_fake")
    }
    assert name not in labels["leave_out"]
    assert (labels["as_real"][name], labels["as_fake"][name]) == (0, 1)
    swap = by_id(reader_of("fakeavceleb", tmp_path))[
        "FakeVideo-RealAudio/African/men/id00076/00109_id00476_faceswap"
    ]
    assert swap.identities == ("id00076", "id00476")
    assert swap.groups == {"race": "African", "gender": "men", "type": "FakeVideo-RealAudio"}
    assert swap.original == Path("RealVideo-RealAudio/African/men/id00076/00109.mp4")


def test_an_unknown_type_in_fakeavceleb_is_refused(tmp_path: Path) -> None:
    row = trees.fakeavceleb_row("FakeVideo-RealAudios", "id1", "1.mp4", "fsgan")
    trees.write_csv(tmp_path / "meta_data.csv", trees.FAKEAVCELEB_HEADER, [row])
    with pytest.raises(CorruptMedia, match="Did you mean 'FakeVideo-RealAudio'"):
        list(reader_of("fakeavceleb", tmp_path).items())


# --------------------------------------------------------- Deepfake-Eval-2024 and DF40


def test_what_was_judged_unknown_is_left_out_and_said(tmp_path: Path) -> None:
    trees.deepfake_eval_2024(tmp_path)
    reader = reader_of("deepfake_eval_2024", tmp_path)
    items = by_id(reader)
    assert sorted(items) == ["image/a", "image/b", "video/-b", "video/aa", "video/dd", "video/ee"]
    # The verdict on the sound does not count.
    assert items["video/-b"].y_true == 0
    assert reader.remarks() == [
        "1 rows left out: image names destroyed by a spreadsheet",
        "1 rows left out: videos judged unknown",
    ]
    films = reader_of("deepfake_eval_2024", tmp_path, media="film")
    assert {item.groups["media"] for item in films.items()} == {"video"}


def test_a_verdict_of_another_word_is_refused(tmp_path: Path) -> None:
    header = ("Filename", "Ground Truth", "Finetuning Set")
    trees.write_csv(tmp_path / "image-metadata-publish.csv", header, [("a.jpg", "Fakish", "test")])
    with pytest.raises(CorruptMedia, match="Fakish"):
        reader_of("deepfake_eval_2024", tmp_path, media="image")


def test_frames_of_a_df40_film_share_its_id_and_reals_are_given_once(tmp_path: Path) -> None:
    trees.df40(tmp_path)
    items = list(reader_of("df40", tmp_path).items())
    paths = {item.path.as_posix() for item in items}
    assert "fomm/fomm/ff/frames/000_001/000.png" in paths
    films = {(item.video_id, item.split, item.y_true) for item in items}
    assert films == {
        ("FaceForensics++/000", "train", 0),
        ("FaceForensics++/004", "test", 0),  # in val and in test
        ("Celeb-DF-v2/id0_0000", "test", 0),
        ("simswap_ff/000_001", "train", 1),
        ("simswap_ff/004_005", "test", 1),
        ("simswap_cdf/id0_id1_0000", "test", 1),
        ("fomm_ff/000_001", "train", 1),
    }
    assert len(items) == 14
    one = reader_of("df40", tmp_path, lists="fomm_ff")
    assert {item.method for item in one.items()} == {"real", "fomm"}
    with pytest.raises(UsageError) as caught:
        reader_of("df40", tmp_path, lists="fom_ff")
    assert caught.value.hint == "Did you mean 'fomm_ff'?"


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"x_ff": {"x_Fake": {"train": {"a": {"label": 1}}}}}, 'a film with "frames"'),
        ({"x_ff": {"x_Forged": {"train": {}}}}, "x_Forged"),
        ([1], "a JSON list"),
    ],
)
def test_a_df40_list_of_another_form_is_refused(
    tmp_path: Path, lists: object, message: str
) -> None:
    trees.write_json(tmp_path / "dataset_json" / "x_ff.json", lists)
    with pytest.raises(CorruptMedia, match=re.escape(message)):
        list(reader_of("df40", tmp_path).items())
