"""Saying how far long work is: a few times, and not with every shard."""

from __future__ import annotations

from collections.abc import Callable


class FewTimes:
    """Says how far something is.

    Args:
        say: Told a line.
        times: About so many lines in all.
    """

    def __init__(self, say: Callable[[str], None], times: int) -> None:
        self._say, self._times, self._last = say, times, -1

    def tell(self, what: str, done: int, total: int) -> None:
        """Say ``what`` was done to how many of all, where enough was done since the last line."""
        part = self._times * done // max(1, total)
        if part > self._last:
            self._last = part
            self._say(f"{what} {done:,} of {total:,}")
