"""Decoding ahead of analysis: one thread reads frames while another looks at them.

FFmpeg and OpenVINO both let go of Python's lock while they work, so that two cores are kept busy
where one would wait for the other. Order, frames and errors are the same as without it.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from queue import Empty, Full, Queue
from typing import TypeVar

T = TypeVar("T")

_WAIT_S = 0.05


class _Ended:
    """Put last: the source is used up, or raised."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(source: Iterator[T], depth: int) -> Iterator[Iterator[T]]:
    """Run an iterator in a thread of its own, at most ``depth`` items ahead.

    Args:
        source: Used by the thread alone until the block is left.
        depth: Items that may wait; 0 hands ``source`` back as it is.

    Yields:
        The same items in the same order. What ``source`` raises comes out at its place.
    """
    if depth < 1:
        yield source
        return
    waiting: Queue[T | _Ended] = Queue(maxsize=depth)
    stop = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(source, waiting, stop), name="unmask-decode", daemon=True
    )
    thread.start()
    items = _take(waiting)
    try:
        with closing(items):
            yield items
    finally:
        # The decoder may only be closed by others once its thread has let go of it.
        stop.set()
        thread.join()


def _fill(source: Iterator[T], waiting: Queue[T | _Ended], stop: threading.Event) -> None:
    end = _Ended()
    try:
        for item in source:
            if not _put(waiting, item, stop):
                break
    except BaseException as error:  # raised again where the frames are used
        end = _Ended(error)
    finally:
        if isinstance(source, Generator):
            source.close()
    _put(waiting, end, stop)


def _put(waiting: Queue[T | _Ended], item: T | _Ended, stop: threading.Event) -> bool:
    """Wait for room; False once nobody wants more."""
    while not stop.is_set():
        try:
            waiting.put(item, timeout=_WAIT_S)
        except Full:
            continue
        return True
    return False


def _take(waiting: Queue[T | _Ended]) -> Generator[T]:
    while True:
        try:
            # With a timeout Ctrl-C is heard on every system.
            item = waiting.get(timeout=_WAIT_S)
        except Empty:
            continue
        if isinstance(item, _Ended):
            if item.error is not None:
                raise item.error
            return
        yield item
        del item  # a frame is freed before the next one is waited for
