from __future__ import annotations

import csv
import io

import pytest

from unmask.bench.samples import Sample
from unmask.bench.scoring import score_files, write_csv


@pytest.fixture
def score(scanner, tmp_path, write_script):
    def one(*faces, **more):
        path = tmp_path / "film.mp4"
        write_script(path, *faces, **more)
        return score_files(scanner, [Sample(path, "set/film.mp4", 1, "source")])[0]

    return one


def test_the_most_suspicious_face_by_its_mean(score):
    result = score([1.0, 2.0, 6.0], [4.0, -4.0])
    assert result.logit == pytest.approx(3.0)
    assert result.log10_lr == pytest.approx(1.5)
    assert result.called
    assert (result.faces_found, result.frames_seen, result.error) == (2, 4, "")


def test_a_face_seen_too_seldom_to_be_judged_does_not_speak(score):
    assert score([1.0, 1.0], [9.0]).logit == pytest.approx(1.0)


def test_out_of_scope_has_a_logit_but_no_ratio(score):
    result = score([5.0], in_scope=False)
    assert (result.logit, result.log10_lr, result.label) == (5.0, None, "inconclusive")
    assert result.reasons == "face_too_small"
    assert not result.called


def test_no_face_is_no_score(score):
    result = score()
    assert (result.logit, result.log10_lr, result.label) == (None, None, "not_analyzed")


def test_an_unreadable_file_is_a_line_with_its_error(score):
    result = score(corrupt=True)
    assert (result.error, result.label, result.logit) == ("corrupt_media", "not_analyzed", None)


def test_csv_has_every_field_and_no_folder(score):
    table = write_csv([score([1.0]), score()])
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["name"] for row in rows] == ["set/film.mp4"] * 2
    assert [row["logit"] for row in rows] == ["1.0", ""]
    assert "tmp" not in table
