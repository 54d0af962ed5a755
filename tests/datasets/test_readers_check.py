"""What ``check`` finds on damaged trees, and what its messages name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from tests.datasets import trees

from unmask.datasets import DATASETS, DataSetSpec, MediaItem
from unmask.datasets._listing import SetReader
from unmask.datasets.check import Finding, check, count

REAL = MediaItem(Path("a.mp4"), "a", "a", 0, "real", "train", identities=("ann",))
FAKE = replace(REAL, path=Path("b.mp4"), video_id="b", y_true=1, method="swap")


class Given(SetReader):
    """A set of given items."""

    spec: ClassVar = DataSetSpec(
        "given", "-", "-", "-", "-", "film", ("train", "test"), {"fake": 2}
    )

    def __init__(self, root: Path, *items: MediaItem) -> None:
        super().__init__(root)
        self._items = items
        trees.write(root, [item.path.as_posix() for item in items])

    def _list(self) -> Iterator[MediaItem]:
        return iter(self._items)


def found(reader: SetReader, code: str, **how: int) -> Finding:
    (finding,) = [finding for finding in check(reader, **how) if finding.code == code]
    return finding


def codes(reader: SetReader, severity: str) -> list[str]:
    return [finding.code for finding in check(reader) if finding.severity == severity]


def test_missing_files_are_named_the_first_few_and_counted(tmp_path: Path) -> None:
    trees.ffpp(tmp_path)
    gone = tmp_path / "manipulated_sequences/Deepfakes/c23/videos"
    for name in ("000_001", "001_000", "002_003"):
        (gone / f"{name}.mp4").unlink()
    finding = found(DATASETS.get("ffpp")(tmp_path), "missing_files", names=2)
    assert finding.severity == "error"
    assert finding.count == 3
    assert finding.message == "3 of 36 files are not there:"
    assert finding.names == (
        "manipulated_sequences/Deepfakes/c23/videos/000_001.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/001_000.mp4",
    )
    assert "and 1 more." in str(finding)


def test_a_part_that_was_never_unpacked_is_named_as_one(tmp_path: Path) -> None:
    trees.dfdc(tmp_path)
    for path in (tmp_path / "dfdc_train_part_49").glob("*.mp4"):
        path.unlink()
    finding = found(DATASETS.get("dfdc")(tmp_path), "missing_files")
    assert finding.hint == "Nothing of dfdc_train_part_49 is there: fetch or unpack that."


def test_empty_files_and_broken_downloads_are_errors(tmp_path: Path) -> None:
    trees.uadfv(tmp_path)
    (tmp_path / "fake/0001_fake.mp4").write_bytes(b"")
    (tmp_path / "real/0002.mp4.part").write_bytes(b"half")
    reader = DATASETS.get("uadfv")(tmp_path)
    assert found(reader, "empty_files").names == ("fake/0001_fake.mp4",)
    assert found(reader, "half_fetched").names == ("real/0002.mp4.part",)


def test_counts_are_held_against_the_published_ones(tmp_path: Path) -> None:
    trees.uadfv(tmp_path)
    reader = DATASETS.get("uadfv")(tmp_path)
    assert [str(finding) for finding in check(reader)] == [
        "warning: count: real: 3 listed, 49 published. Say so beside any number you report.",
        "warning: count: fake: 3 listed, 49 published. Say so beside any number you report.",
    ]


@pytest.mark.parametrize("set_id", ["celebdf_v2", "ffpp", "dfd", "uadfv", "fakeavceleb"])
def test_files_that_are_in_no_list_are_named(tmp_path: Path, set_id: str) -> None:
    options = trees.MAKERS[set_id](tmp_path)
    reader = DATASETS.get(set_id)(tmp_path, **options)
    assert isinstance(reader, SetReader)
    stray = reader.folders()[-1] / "holiday.mp4"
    (tmp_path / stray).write_bytes(b"film")
    (tmp_path / reader.folders()[-1] / ".hidden.mp4").write_bytes(b"film")
    again = DATASETS.get(set_id)(tmp_path, **options)
    assert isinstance(again, SetReader)
    assert found(again, "unlisted_files").names == (stray.as_posix(),)


def test_missing_masks_and_originals_are_warnings(tmp_path: Path) -> None:
    trees.ffpp(tmp_path)
    for path in (tmp_path / "manipulated_sequences/FaceSwap/masks/videos").iterdir():
        path.unlink()
    reader = DATASETS.get("ffpp")(tmp_path)
    assert found(reader, "missing_masks").count == 6
    assert found(reader, "missing_masks").severity == "warning"
    untold = replace(FAKE, original=Path("c.mp4"))
    assert found(Given(tmp_path, REAL, untold), "missing_originals").names == ("c.mp4",)


def test_one_class_only_is_an_error_for_the_set_and_for_each_split(tmp_path: Path) -> None:
    assert "fake files only" in found(Given(tmp_path, FAKE), "one_class").message
    test_side = replace(REAL, path=Path("c.mp4"), video_id="c", source_id="c", split="test",
                        identities=())  # fmt: skip
    finding = found(Given(tmp_path, REAL, FAKE, test_side), "one_class")
    assert finding.message.startswith("The split test has real files only")
    trees.deepfake_timit(tmp_path / "timit")
    alone = DATASETS.get("deepfake_timit")(tmp_path / "timit")
    assert isinstance(alone, SetReader)
    assert codes(alone, "error") == ["one_class"]


def test_labels_against_their_folder_look_reversed(tmp_path: Path) -> None:
    trees.write(tmp_path, ["real/a.jpg", "fake/b.jpg"])
    (tmp_path / "manifest.csv").write_text("path,y_true\nreal/a.jpg,1\nfake/b.jpg,0\n")
    reader = DATASETS.get("manifest")(tmp_path)
    assert isinstance(reader, SetReader)
    finding = found(reader, "labels_reversed")
    assert (finding.severity, finding.count) == ("error", 2)
    assert finding.names == ("fake/b.jpg", "real/a.jpg")
    assert "1 is fake" in finding.hint


def test_a_fake_that_is_an_original_looks_reversed(tmp_path: Path) -> None:
    wrong = replace(REAL, path=Path("c.mp4"), video_id="c", original=Path("b.mp4"))
    assert found(Given(tmp_path, wrong, FAKE), "fake_originals").names == ("b.mp4",)


def test_sources_and_people_on_both_sides_are_errors(tmp_path: Path) -> None:
    leak = replace(FAKE, path=Path("c.mp4"), video_id="c", split="test", identities=("ann", "ben"))
    real = replace(REAL, path=Path("d.mp4"), video_id="d", source_id="d", split="test",
                   identities=())  # fmt: skip
    reader = Given(tmp_path, REAL, FAKE, leak, real)
    assert codes(reader, "error") == ["crossing_sources", "crossing_identities"]
    assert found(reader, "crossing_sources").names == ("a",)
    assert found(reader, "crossing_identities").names == ("ann",)


def test_what_the_official_split_lets_cross_is_a_note(tmp_path: Path) -> None:
    trees.celebdf(tmp_path)
    reader = DATASETS.get("celebdf_v2")(tmp_path)
    assert isinstance(reader, SetReader)
    assert codes(reader, "note") == ["crossing_sources", "crossing_identities"]
    assert "keep_apart" in found(reader, "crossing_sources").hint
    apart = DATASETS.get("celebdf_v2")(tmp_path, keep_apart="identities")
    assert isinstance(apart, SetReader)
    assert codes(apart, "note") == []


def test_a_file_listed_twice_and_a_film_id_for_two_films_are_errors(tmp_path: Path) -> None:
    assert found(Given(tmp_path, REAL, FAKE, FAKE), "repeated_files").names == ("b.mp4",)
    same_id = replace(FAKE, video_id="a")
    assert found(Given(tmp_path, REAL, same_id), "ambiguous_films").names == ("a",)


def test_errors_come_first_and_nothing_wrong_is_nothing_said(tmp_path: Path) -> None:
    fine = Given(tmp_path, REAL, FAKE, replace(FAKE, path=Path("c.mp4"), video_id="c"))
    assert check(fine) == []
    assert [finding.severity for finding in check(Given(tmp_path, REAL))] == ["error", "warning"]


def test_a_key_of_counts_is_a_conjunction() -> None:
    items = [REAL, FAKE, replace(FAKE, split="test", groups={"race": "x"}, compression="c40")]
    keys = ["all", "fake", "train/fake", "method=swap", "race=x/test", "compression=c23", "val"]
    assert [count(items, key) for key in keys] == [3, 2, 1, 2, 1, 0, 0]


def test_a_reader_from_elsewhere_needs_only_the_protocol() -> None:
    class Foreign:
        spec: ClassVar = Given.spec

        def items(self, split: str | None = None) -> Iterator[MediaItem]:
            return iter([one for one in (REAL, FAKE) if split in {None, one.split}])

    assert [finding.code for finding in check(Foreign())] == ["count"]
