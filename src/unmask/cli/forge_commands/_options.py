"""Option types and the progress bar that several commands of ``unmask forge`` share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


class FaceChoice(click.ParamType):  # type: ignore[type-arg]
    """``largest``, ``all``, or the number of a person, from 1."""

    name = "face"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        """Read the option."""
        if value in {"largest", "all"} or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        if str(value).isdigit() and int(value) >= 1:
            return int(value)
        self.fail(f"{value!r} is not 'largest', 'all' or a number from 1.", param, ctx)


class Stretch(click.ParamType):  # type: ignore[type-arg]
    """``START:END`` in seconds; either may be left out."""

    name = "stretch"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float | None]:
        """Read the option: start and end in seconds; None: to the end of the film."""
        if isinstance(value, tuple):
            return value
        start, colon, end = str(value).partition(":")
        try:
            found = float(start or 0), float(end) if end else None
        except ValueError:
            found = -1.0, None
        if not colon or found[0] < 0 or (found[1] is not None and found[1] <= found[0]):
            self.fail(f"{value!r} is not START:END in seconds, such as 2.5:10.", param, ctx)
        return found


FACE = FaceChoice()
STRETCH = Stretch()


@contextmanager
def work_bar(*, quiet: bool) -> Iterator[Callable[[str, int, int | None], None] | None]:
    """A progress bar on stderr: a title, steps done, and steps in all where they are known."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from unmask.cli._errors import printable

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        shown = ""

        def advance(title: str, done: int, total: int | None) -> None:
            nonlocal shown
            if title != shown:
                shown = title
                bar.reset(task, description=printable(title)[:50].replace("[", "\\["))
            bar.update(task, completed=done, total=total)

        yield advance
