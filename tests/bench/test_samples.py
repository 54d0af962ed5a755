from __future__ import annotations

import tomllib

import pytest

from unmask.bench import samples
from unmask.errors import CorruptMedia, NotFound


def test_dfdc_takes_the_validation_split_and_groups_a_fake_with_its_original(data):
    found = samples.dfdc_val(data)
    assert len(found) == 24
    assert {one.name for one in found if one.group == "r3.mp4"} == {
        "val/real/r3.jpg",
        "val/fake/f3.jpg",
    }
    assert all(one.y_true == ("/fake/" in one.name) for one in found)


def test_dfdc_says_what_is_wrong_with_a_manifest(data):
    manifest = data / "dfdc_faces" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",fake,", ",forged,"))
    with pytest.raises(CorruptMedia, match="forged"):
        samples.dfdc_val(data)
    manifest.write_text("file,split,label\n")
    with pytest.raises(NotFound, match="nothing to scan"):
        samples.dfdc_val(data)
    manifest.unlink()
    with pytest.raises(NotFound, match=r"dfdc_faces/manifest\.csv"):
        samples.dfdc_val(data)


def test_a_listed_crop_that_is_gone_is_named(data):
    (data / "dfdc_faces/val/real/r5.jpg").unlink()
    with pytest.raises(NotFound, match="r5"):
        samples.dfdc_val(data)


def test_clips_are_untouched_and_their_own_source(data):
    found = samples.clips_real(data)
    assert [one.name for one in found] == ["a.mp4", "b.mpg", "c.gif", "d.mp4"]
    assert {one.y_true for one in found} == {0}
    assert len({one.group for one in found}) == 4


def test_ghost_swap_is_one_source(data):
    found = samples.ghost_swap(data)
    assert [one.y_true for one in found] == [0, 1, 1, 1]
    assert len({one.group for one in found}) == 1


def test_unseen_pairs_by_name(data):
    found = samples.unseen_dev(data)
    assert sorted(one.group for one in found if one.y_true) == ["pair0", "pair1", "pair2"]
    (data / "clips/unseen_dev/real/pair1.mp4").unlink()
    with pytest.raises(NotFound, match=r"pair1\.mp4"):
        samples.unseen_dev(data)


def test_portraits_by_list(data, tmp_path):
    listing = tmp_path / "held-out.txt"
    listing.write_text("# kept apart\np0.jpg\n\np2.jpg\n")
    assert [one.name for one in samples.portraits(data, listing)] == ["p0.jpg", "p2.jpg"]
    listing.write_text("absent.jpg\n")
    with pytest.raises(NotFound, match=r"absent\.jpg"):
        samples.portraits(data, listing)


def test_films_that_were_trained_on_are_left_out(data, repository):
    recipe = tomllib.loads((repository / "recipes" / "base-2.toml").read_text(encoding="utf-8"))
    films = next(one for one in recipe["data"]["sets"] if one["kind"] == "films")
    assert set(films["names"]) == samples.FILMS_TRAINED_ON
    trained_on = data / "clips" / "real" / films["names"][0]
    trained_on.write_bytes(b"x")
    try:
        assert trained_on.name not in {one.name for one in samples.clips_real(data)}
    finally:
        trained_on.unlink()


def test_a_file_that_is_listed_twice_counts_once(data):
    before = [one.name for one in samples.dfdc_val(data)]
    manifest = data / "dfdc_faces" / "manifest.csv"
    text = manifest.read_text(encoding="utf-8")
    double = next(line for line in text.splitlines() if ",val," in line)
    manifest.write_text(text.rstrip("\n") + "\n" + double + "\n", encoding="utf-8")
    try:
        assert [one.name for one in samples.dfdc_val(data)] == before
    finally:
        manifest.write_text(text, encoding="utf-8")
