"""Decoding ahead: the same items in the same order, errors at their place, nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from unmask.errors import CorruptMedia
from unmask.scanning.ahead import ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "unmask-decode"]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_items_come_in_order(depth: int) -> None:
    with ahead(iter(range(200)), depth) as items:
        assert list(items) == list(range(200))
    assert threads() == []


def test_an_error_comes_out_where_it_was_raised() -> None:
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise CorruptMedia("Broken.")

    seen = []
    with pytest.raises(CorruptMedia, match="Broken"), ahead(source(), 2) as items:
        seen.extend(items)
    assert seen == [1, 2]
    assert threads() == []


def test_it_never_runs_further_ahead_than_told() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with ahead(source(), 3) as items:
        for number in items:
            if number in (0, 10):
                time.sleep(0.15)
                # Waiting: three; and one in the thread's hand.
                assert len(made) == number + 1 + 3 + 1


@pytest.mark.parametrize("depth", [0, 2])
def test_leaving_early_closes_the_source_and_ends_the_thread(depth: int) -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    started = source()
    with pytest.raises(KeyboardInterrupt), ahead(started, depth) as items:
        assert next(items) == 0
        raise KeyboardInterrupt
    assert threads() == []
    if depth:
        assert closed.is_set()


def test_an_item_is_let_go_before_the_next_is_waited_for() -> None:
    alive: set[int] = set()

    class Heavy:
        def __init__(self, number: int) -> None:
            self.number = number
            alive.add(number)

        def __del__(self) -> None:
            alive.discard(self.number)

    with ahead((Heavy(number) for number in range(30)), 2) as items:
        most = 0
        for _ in items:
            most = max(most, len(alive))
    # One in use, two waiting, one in the thread's hand, one being put.
    assert most <= 5
