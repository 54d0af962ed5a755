from __future__ import annotations

import msgspec
import pytest

from unmask.bench.goals import GOALS
from unmask.bench.page import ORDER, printed, render_page
from unmask.bench.results import Results, Row, Section, encode_results, read_results
from unmask.errors import OutputRefused


def row(value, unit="s", key="help", **more):
    return Row(key=key, text="what", value=value, unit=unit, **more)


def section(stamp, *rows, key="speed"):
    return Section(key=key, title=f"Title {key}", about="About.", rows=list(rows),
                   notes=["a note | with a bar"], stamp=stamp)  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (row(0.123, "share", low=0.1, high=0.2), "12.3 % [10.0 %, 20.0 %]"),
        (row(0.9456, "score"), "0.946"),
        (row(3.0, "count"), "3"),
        (row(2.345), "2.35 s"),
        (row(2.5, "ratio"), "2.50 x"),
        (row(None), "not measured"),
    ],
)
def test_numbers_as_people_read_them(given, expected):
    assert printed(given) == expected


def test_goals_say_yes_no_and_not_measured(stamp):
    page = render_page({"speed": section(stamp, row(0.31), row(550.0, "MB", key="peak"))})
    lines = {line.split("|")[1].strip(): line for line in page.splitlines() if "|" in line}
    assert lines["`unmask --help` in at most 0.3 s"].endswith("| 0.31 s | **no** |")
    assert lines["Peak memory at most 600 MB"].endswith("| 550 MB | yes |")
    assert lines["100 pictures at least 5 times faster in one call than in 100"].endswith(
        "| not measured | - |"
    )


def test_another_detector_is_named_and_not_asked_for_what_it_was_not_measured_on(stamp):
    other = msgspec.structs.replace(stamp, detector="unmask-open")
    page = render_page({"speed": section(other, row(0.1))})
    assert page.startswith("# Measured: unmask-open\n")
    assert "`unmask bench --detector unmask-open`" in page
    assert "not measured" not in page
    assert "not measured" in render_page({"speed": section(stamp, row(0.1))})


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.section}.{goal.row}")
def test_a_limit_itself_is_reached_and_a_step_beyond_is_not(goal):
    beyond = goal.limit - 0.001 if goal.at == "least" else goal.limit + 0.001
    assert goal.reached(row(goal.limit)) is True
    assert goal.reached(row(beyond)) is False
    assert goal.reached(row(None)) is None


def test_sections_come_in_order_with_their_stamp(stamp):
    sections = {key: section(stamp, key=key) for key in reversed(ORDER)}
    page = render_page(sections, figure="images/x.svg")
    places = [page.index(f"## Title {key}") for key in ORDER]
    assert places == sorted(places)
    assert page.count("2026-01-02, Unmask 0.1.0, commit 0123456789ab") == len(ORDER)
    assert "](images/x.svg)" in page
    assert "a note \\| with a bar" in page


def test_a_table_of_scores_is_linked_where_it_lies(stamp):
    table = msgspec.structs.replace(section(stamp, key="dfdc_val"), table="dfdc_val.csv")
    page = render_page({"dfdc_val": table}, folder="mine")
    assert "[dfdc_val.csv](mine/dfdc_val.csv)" in page
    assert ".csv" not in render_page({"speed": section(stamp)})


def test_results_survive_the_file(stamp, tmp_path):
    results = Results(sections={"speed": section(stamp, row(None), row(1.0, key="k", low=0.5))})
    path = tmp_path / "results.json"
    path.write_bytes(encode_results(results))
    assert read_results(path) == results
    assert read_results(tmp_path / "absent.json") == Results()


def test_foreign_results_are_not_overwritten(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"sections": [1]}')
    with pytest.raises(OutputRefused, match=r"results\.json"):
        read_results(path)
    path.write_bytes(msgspec.json.encode({"version": 99, "sections": {}}))
    with pytest.raises(OutputRefused, match="99"):
        read_results(path)
