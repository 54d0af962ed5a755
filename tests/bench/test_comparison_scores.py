from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.comparison.score_files import read_scores, write_scores
from unmask.bench.comparison.scores import concatenate, from_columns
from unmask.errors import CorruptMedia, NotFound, UnmaskError, UsageError

FOREIGN = """detector,data_set,video_id,y_true,logit,yaw_deg
other,set,a,0,-1.5,3
other,set,a,0,,4
other,set,b,1,2.25,
"""


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "foreign.csv"
    path.write_text(FOREIGN)
    return path


def test_a_foreign_csv_needs_five_columns_only(foreign):
    table = read_scores(foreign)
    assert table.sample_id.tolist() == ["0", "1", "2"]
    assert table.source_id.tolist() == ["a", "a", "b"]
    assert table.method.tolist() == ["real", "real", "unknown"]
    assert table.split.tolist() == ["test"] * 3
    assert np.isnan(table.logit[1])
    assert len(table.scored()) == 2
    assert np.isnan(table.yaw_deg[2])


def test_probabilities_become_log_odds():
    columns = {"detector": ["x"] * 3, "data_set": ["s"] * 3, "video_id": ["a", "b", "c"],
               "y_true": [0, 1, 1], "y_score": [0.25, 0.5, 1.0]}  # fmt: skip
    table = from_columns(columns)
    assert table.logit[:2] == pytest.approx([np.log(1 / 3), 0.0], abs=1e-12)
    assert np.isfinite(table.logit[2])


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_what_is_written_is_read(tmp_path, foreign, name):
    table = read_scores(foreign)
    write_scores(tmp_path / name, table)
    again = read_scores(tmp_path / name)
    for column, values in table.columns().items():
        assert values.tolist() == pytest.approx(again.columns()[column].tolist(), nan_ok=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("y_true", "truth"), "lacks the column 'y_true'"),
        ((",0,-1.5", ",2,-1.5"), "2.0 as y_true in row 1"),
        (("-1.5", "high"), "'high' as logit in row 1"),
        (("b,1,2.25,", "b,1"), "has 4 fields in line 4, expected 6"),
    ],
)
def test_what_is_wrong_is_named(foreign, change, said):
    foreign.write_text(FOREIGN.replace(*change))
    with pytest.raises(UnmaskError) as caught:
        read_scores(foreign)
    assert said in caught.value.message


def test_a_probability_outside_its_range_is_refused(foreign):
    foreign.write_text(FOREIGN.replace("logit", "y_score"))
    with pytest.raises(UsageError, match="leaves 0"):
        read_scores(foreign)


def test_a_damaged_or_absent_file_is_said(tmp_path):
    path = tmp_path / "broken.parquet"
    path.write_bytes(b"PAR1 no table")
    with pytest.raises(CorruptMedia, match="damaged"):
        read_scores(path)
    with pytest.raises(NotFound):
        read_scores(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="neither CSV nor Parquet"):
        path.rename(tmp_path / "broken.txt")
        read_scores(tmp_path / "broken.txt")


def test_a_sample_scored_twice_is_refused(foreign):
    table = read_scores(foreign)
    with pytest.raises(UsageError, match="twice"):
        concatenate([table, table])


def test_an_unknown_split_is_refused(foreign):
    table = read_scores(foreign)
    columns = table.columns() | {"split": np.array(["train"] * 3)}
    with pytest.raises(UsageError, match="'train'"):
        from_columns(columns)
