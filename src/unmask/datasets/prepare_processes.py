"""Doing tasks in several processes, none of which outlives the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import TypeVar

from unmask.errors import EnvironmentProblem

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[Result]:
    """Yield what ``work`` makes of each task, in the order in which they are done.

    Args:
        work: A function of a module (it is imported by the workers).
        tasks: Picklable.
        workers: Processes; 1 works in this one.

    Raises:
        EnvironmentProblem: A worker process died.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(work, tasks)
        return
    before = set(multiprocessing.active_children())
    # Spawned, not forked: OpenVINO's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, initializer=_begin)
    waiting = {pool.submit(work, task) for task in tasks}
    finished = False
    try:
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
        finished = True
    except BrokenProcessPool as error:
        raise EnvironmentProblem(
            "A worker process died, most likely for want of memory.",
            hint="Give fewer --workers, then the same call again; what was finished is kept.",
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        if not finished:  # what they are at is not waited for
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
        pool.shutdown(wait=True)


def _begin() -> None:
    """Set up a worker: one thread, deaf to Ctrl-C, gone when its parent is gone."""
    import cv2

    os.environ["UNMASK_THREADS"] = "1"
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
