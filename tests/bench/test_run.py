"""The whole bench on a small tree, with a scripted scanner."""

from __future__ import annotations

import csv
import json
from xml.etree import ElementTree as Tree

import msgspec
import pytest

from unmask.bench.results import Section, encode_results, read_results
from unmask.bench.run import Options, run_bench
from unmask.errors import NotFound, OutputRefused, UsageError


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "docs" / "benchmarks.md"
    path.parent.mkdir()
    return path


@pytest.fixture
def measure(scanner, data, page):
    def call(**more):
        options = Options(data=data, page=page, only="accuracy", **more)
        return run_bench(options, scanner, [], track=lambda _, samples: samples, say=print)

    return call


def test_accuracy_writes_page_tables_figure_and_results(measure, page, tmp_path):
    copy = tmp_path / "copy.json"
    results = measure(json=copy)
    assert set(results.sections) == {"dfdc_val", "clips_real", "ghost_swap"}
    text = page.read_text()
    assert "| All fakes of clips/ghost_swap above their original | 66.7 % | **no** |" in text
    assert "| At most 1 of the films in clips/real called manipulated | 1 | yes |" in text
    assert "(1 of 4): `b.mpg`" in text
    assert "fitted on: faces: 12; set: a scripted one" in text
    assert "weights abababababab" in text
    assert str(tmp_path) not in text

    folder = page.with_suffix("")
    with (folder / "dfdc_val.csv").open() as table:
        assert len(list(csv.DictReader(table))) == 24
    assert (folder / "results.json").read_bytes() == copy.read_bytes() == encode_results(results)
    figure = page.parent / "images" / "benchmarks.svg"
    assert Tree.parse(figure).getroot().tag.endswith("svg")  # noqa: S314 - our own file
    assert figure.stat().st_size < 100_000


def test_the_same_scores_give_the_same_figure_and_tables(measure, page):
    files = [page.parent / "images" / "benchmarks.svg", page.with_suffix("") / "dfdc_val.csv"]
    measure()
    before = [path.read_bytes() for path in files]
    measure()
    assert [path.read_bytes() for path in files] == before


def test_the_unseen_films_are_looked_at_only_when_asked(measure, scanner):
    measure()
    assert not any("/unseen_dev/" in path for path in scanner.scanned)
    results = measure(unseen=True)
    unseen = results.sections["unseen_dev"]
    assert unseen.row("pair_order").value == pytest.approx(0.5)
    assert unseen.row("no_manipulation_found_fake").value == 1
    assert unseen.row("manipulation_supported_fake").note == "of 3"


def test_what_is_not_measured_again_stays_under_its_own_stamp(measure, page, stamp):
    measure()
    path = page.with_suffix("") / "results.json"
    old = read_results(path)
    speed = Section(key="speed", title="Speed", about="Old.", rows=[], notes=[], stamp=stamp)
    kept = msgspec.structs.replace(old, sections={**old.sections, "speed": speed})
    path.write_bytes(encode_results(kept))
    results = measure()
    assert results.sections["speed"] == speed
    assert "commit 0123456789ab" in page.read_text()


def test_portraits_by_list(measure, tmp_path):
    listing = tmp_path / "held-out.txt"
    listing.write_text("p0.jpg\np1.jpg\n")
    section = measure(portraits=listing).sections["portraits"]
    assert section.row("false_alarms").value == 0
    assert section.row("no_manipulation_found_real").value == 2


def test_a_missing_data_set_is_told_before_anything_is_scanned(measure, data, scanner):
    (data / "clips" / "ghost_swap" / "real" / "orig.mp4").unlink()
    with pytest.raises(NotFound):
        measure()
    assert scanner.scanned == []


def test_unreadable_films_are_named(measure, data, page, write_script):
    write_script(data / "clips/real/broken.mp4", corrupt=True)
    results = measure()
    assert results.sections["clips_real"].row("not_analyzed_real").value == 1
    assert "`broken.mp4` (corrupt_media)" in page.read_text()


def test_a_page_that_cannot_be_written_is_an_error_with_a_way_out(measure, page):
    page.with_suffix("").write_text("a file where the folder should be")
    with pytest.raises(OutputRefused):
        measure()


def test_a_contradiction_is_refused(data, page):
    options = Options(data=data, page=page, only="speed", unseen=True)
    with pytest.raises(UsageError, match="--unseen"):
        options.data_sets()


def test_the_copy_is_json(measure, tmp_path):
    copy = tmp_path / "copy.json"
    measure(json=copy)
    assert json.loads(copy.read_text())["version"] == 1
