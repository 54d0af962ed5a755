"""Ctrl-C and a polite kill end a run after the step it is in."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signals_call(stop: Callable[[], None]) -> Iterator[None]:
    """While inside, the first SIGINT or SIGTERM calls ``stop``; the second ends it as ever."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def answer(number: int, frame: object) -> None:
        del frame
        signal.signal(number, before[signal.Signals(number)])
        stop()

    try:
        for number in numbers:
            signal.signal(number, answer)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
