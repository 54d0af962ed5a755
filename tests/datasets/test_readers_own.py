"""Sets of one's own (a folder, a manifest), and lists of any set that are damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.datasets import trees

from unmask.datasets import DATASETS, MediaItem
from unmask.datasets._listing import SetReader
from unmask.errors import CorruptMedia, NotFound, UnmaskError, UsageError


def reader_of(set_id: str, root: Path, **options: str) -> SetReader:
    reader = DATASETS.get(set_id)(root, **options)
    assert isinstance(reader, SetReader)
    return reader


def by_id(reader: SetReader) -> dict[str, MediaItem]:
    return {item.video_id: item for item in reader.items()}


# --------------------------------------------------------------- folder and manifest


def test_a_folder_tells_split_method_and_pairs(tmp_path: Path) -> None:
    options = trees.folder(tmp_path)
    items = by_id(reader_of("folder", tmp_path, **options))
    fake = items["train/fake/simswap/train0.mp4"]
    assert (fake.method, fake.split) == ("simswap", "train")
    assert fake.original == Path("train/real/train0.mp4")
    assert fake.source_id == "train/real/train0.mp4"
    single = by_id(reader_of("folder", tmp_path))
    assert single["train/fake/simswap/train0.mp4"].source_id == "train/fake/simswap/train0.mp4"


def test_frames_in_a_folder_can_be_one_film(tmp_path: Path) -> None:
    names = [f"{kind}/film{n}/{k}.png" for kind in ("Real", "Fake") for n in (1, 2) for k in (1, 2)]
    trees.write(tmp_path, names)
    assert len(by_id(reader_of("folder", tmp_path))) == 8
    films = list(reader_of("folder", tmp_path, frames="folder").items())
    assert {item.video_id for item in films} == {
        "Fake/film1", "Fake/film2", "Real/film1", "Real/film2",
    }  # fmt: skip
    assert {item.method for item in films} == {"real", "fake"}


def test_a_folder_without_classes_says_what_it_has(tmp_path: Path) -> None:
    trees.write(tmp_path, ["reals/a.jpg"])
    with pytest.raises(NotFound, match="it has reals") as caught:
        reader_of("folder", tmp_path)
    assert "Did you mean 'real'?" in caught.value.hint


@pytest.mark.parametrize(
    ("header", "row", "message", "hint"),
    [
        ("file,label", "a.jpg,fake", "no column called 'path'", "Did you mean 'file'?"),
        ("path,labels", "a.jpg,fake", "no column called 'y_true'", "Did you mean 'labels'?"),
        ("path,y_true,sorce_id", "a.jpg,1,b", "sorce_id", "Did you mean 'source_id'?"),
        ("path,y_true", "a.jpg,maybe", "the label 'maybe' in row 2", ""),
        ("path,y_true", "/etc/a.jpg,1", "a relative path", ""),
        ("path,y_true", ",1", "the path '' in row 2", ""),
        ("path,y_true,split", "a.jpg,1,tran", "Did you mean 'train'?", ""),
        ("path,y_true,method", "a.jpg,1,real", "the method 'real' with y_true 1", ""),
        ("path,y_true,groups", "a.jpg,1,men", "the groups 'men' in row 2", ""),
        ("path,y_true", "a.jpg", "line 2 with 1 cells", ""),
        ("path,y_true", "", "a header and no rows", ""),
        ("", "", "an empty file", ""),
    ],
)
def test_a_manifest_is_checked(
    tmp_path: Path, header: str, row: str, message: str, hint: str
) -> None:
    text = f"{header}\n{row}\n" if header else ""
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(CorruptMedia, match=re.escape(message)) as caught:
        reader_of("manifest", tmp_path)
    assert caught.value.hint.startswith(hint)


def test_two_rows_for_one_file_must_not_differ(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("path,y_true\na.jpg,1\na.jpg,1\nb.jpg,0\n")
    reader = reader_of("manifest", path)
    assert [item.y_true for item in reader.items()] == [1, 0]
    assert reader.remarks() == ["1 rows are written twice"]
    path.write_text("path,y_true\na.jpg,1\na.jpg,0\n")
    with pytest.raises(CorruptMedia, match=r"two rows for a\.jpg that differ \(row 3\)"):
        reader_of("manifest", path)


def test_other_column_names_are_mapped(tmp_path: Path) -> None:
    trees.dfdc_faces(tmp_path)
    columns = "path=file,y_true=label,video_id=video,source_id=original"
    reader = reader_of("manifest", tmp_path, columns=columns, extra="groups")
    own = reader_of("dfdc_faces", tmp_path)
    assert [(i.path, i.y_true, i.split) for i in reader.items()] == [
        (i.path, i.y_true, i.split) for i in own.items()
    ]
    fake = next(item for item in reader.items() if item.y_true == 1)
    assert fake.source_id == "aaaaaaaaaa.mp4"
    assert fake.original is None
    assert fake.groups == {"face_px": "150"}
    assert not next(reader_of("manifest", tmp_path, columns=columns, extra="ignore").items()).groups
    with pytest.raises(UsageError) as caught:
        reader_of("manifest", tmp_path, columns="path=files")
    assert caught.value.hint == "Did you mean 'file'?"
    with pytest.raises(UsageError) as caught:
        reader_of("manifest", tmp_path, columns="pth=file")
    assert caught.value.hint == "Did you mean 'path'?"


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [
        {"path": "a.mp4", "y_true": 0, "identities": ["ann"], "groups": {"race": "x"}},
        {"path": "b.mp4", "y_true": 1, "identities": ["ann", "ben"], "groups": None},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "manifest.parquet")
    first, second = reader_of("manifest", tmp_path).items()
    assert (first.y_true, first.identities, first.groups) == (0, ("ann",), {"race": "x"})
    assert (second.y_true, second.identities, second.groups) == (1, ("ann", "ben"), {})
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(CorruptMedia, match="no whole Parquet table"):
        reader_of("manifest", tmp_path)


def test_group_columns_and_identities_are_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        'path,y_true,identities,groups.gender,groups\na.jpg,fake,ann; ben,women,"{""age"": 30}"\n'
    )
    (item,) = reader_of("manifest", tmp_path).items()
    assert item.identities == ("ann", "ben")
    assert item.groups == {"gender": "women", "age": "30"}


# ------------------------------------------------------------------- any list at all

LISTS = {
    "celebdf_v2": "List_of_testing_videos.txt",
    "deepfake_eval_2024": "video-metadata-publish.csv",
    "df40": "dataset_json/simswap_ff.json",
    "dfdc": "dfdc_train_part_00/metadata.json",
    "dfdc_faces": "manifest.csv",
    "dfdc_preview": "dataset.json",
    "fakeavceleb": "meta_data.csv",
    "ffpp": "splits/train.json",
    "manifest": "manifest.csv",
}


@pytest.mark.parametrize("set_id", LISTS)
@pytest.mark.parametrize(
    "damage", [b"\xff\xfe\x00\x01", b"", b"<html>not found</html>", b"[]", b"{}"]
)
def test_a_damaged_list_never_ends_in_a_traceback(
    tmp_path: Path, set_id: str, damage: bytes
) -> None:
    options = trees.MAKERS[set_id](tmp_path)
    (tmp_path / LISTS[set_id]).write_bytes(damage)
    try:
        items = list(reader_of(set_id, tmp_path, **options).items())
    except UnmaskError as error:
        assert str(tmp_path) in error.message
        assert error.hint
    else:
        # An empty JSON list or object is a whole list of nothing.
        assert json.loads(damage) in ([], {})
        assert len(items) < len(list(_whole(set_id, tmp_path / "whole").items()))


def _whole(set_id: str, root: Path) -> SetReader:
    root.mkdir()
    return reader_of(set_id, root, **trees.MAKERS[set_id](root))
