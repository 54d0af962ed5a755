"""Intervals of measures, and the tables they go into."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.forge.measures import Gathered, as_markdown, flat, interval


def test_intervals_draw_groups_and_not_values() -> None:
    """Frames of one film that agree with each other say less than as many films."""
    rng = np.random.default_rng(0)
    films = rng.normal(0, 1, 8)
    values = np.repeat(films, 50)
    low, high, groups = interval(values, [str(n) for n in range(8) for _ in range(50)])
    apart = interval(values, [str(n) for n in range(400)])
    assert groups == 8
    assert low is not None
    assert high is not None
    assert apart[0] is not None
    assert apart[1] is not None
    assert high - low > 3 * (apart[1] - apart[0])
    assert low < films.mean() < high


def test_few_groups_have_no_interval() -> None:
    assert interval(np.arange(8.0), ["a", "b"] * 4) == (None, None, 2)


def test_a_table_names_units_and_notes_once() -> None:
    found = Gathered()
    for number in range(6):
        found.add("swap", "PSNR", 30 + number, str(number), unit="dB", note="said once")
        found.add("swap", "flicker", float("nan") if number else 2.0, str(number), note="said once")
    measures = found.measures()
    assert [one.count for one in measures] == [6, 1]
    assert measures[0].value == pytest.approx(32.5)
    page = as_markdown(measures)
    assert "32.5 dB" in page
    assert page.count("said once") == 1
    assert flat(measures)["groups"] == [6, 1]
