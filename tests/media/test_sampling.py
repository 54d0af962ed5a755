"""Evenly in time, each frame once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.errors import UsageError
from unmask.media.sampling import Sampling, pick


def test_middles_of_equal_parts():
    # 100 frames of one second; four parts of 25 s with middles 12.5, 37.5, 62.5, 87.5.
    assert pick(range(100), 100, 4) == [12, 37, 62, 87]


def test_by_time_and_not_by_number():
    # Ten quick frames, then one that stays for most of the film.
    times = [*range(10), 10]
    assert pick(times, 110, 5) == [10]
    assert pick(times, 20, 4) == [2, 7, 10]


def test_all_where_few_or_asked():
    assert pick(range(5), 5, 5) == [0, 1, 2, 3, 4]
    assert pick(range(5), 5, 32) == [0, 1, 2, 3, 4]
    assert pick(range(500), 500, None) == list(range(500))
    assert pick([], 0, 3) == []


@given(
    steps=st.lists(st.integers(1, 50), min_size=1, max_size=200),
    wanted=st.integers(1, 50),
)
def test_rising_unique_and_never_too_many(steps, wanted):
    times = [sum(steps[:n]) for n in range(len(steps))]
    chosen = pick(times, times[-1] + steps[-1], wanted)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= max(wanted, 1)
    assert all(0 <= position < len(times) for position in chosen)


@given(count=st.integers(1, 300), wanted=st.integers(1, 300))
def test_even_films_give_exactly_what_was_asked(count, wanted):
    assert len(pick(range(count), count, wanted)) == min(count, wanted)


def test_words_and_bounds():
    assert Sampling().describe() == "32 spread evenly"
    assert Sampling(None).describe() == "all"
    with pytest.raises(UsageError, match="at least 1"):
        Sampling(0)
