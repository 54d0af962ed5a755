"""Which files a call means: paths, folders, and standard input."""

from __future__ import annotations

import mimetypes
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from unmask.errors import (
    CorruptMedia,
    EmptyInput,
    InputError,
    LimitExceeded,
    NotFound,
    OutputRefused,
    PermissionRefused,
    UsageError,
)
from unmask.types import Limits

STDIN = "-"
_BLOCK_BYTES = 1 << 20
_MAX_PEM_BYTES = 16 << 20  # all roots that the world's browsers trust take a quarter of one


@dataclass(frozen=True, slots=True)
class Wanted:
    """One input of a call.

    Attributes:
        path: Where it is; None for standard input.
        name: What it is called in reports: its file name, or its path below the folder given.
        found: Whether it was met while going through a folder, rather than named.
        error: Why it cannot be looked at, where that is known already.
    """

    path: Path | None
    name: str
    found: bool = False
    error: InputError | None = None

    @property
    def may_be_left_out(self) -> bool:
        """Whether it is no failure if this turns out to be no picture or film.

        Folders hold other files too. What calls itself a picture or film by its extension is
        one that could not be analysed.
        """
        kind = mimetypes.guess_type(self.name)[0] or ""
        return self.found and not kind.startswith(("image/", "video/"))


def gather(paths: Sequence[str], *, recursive: bool) -> Iterator[Wanted]:
    """Go through the words of a call in order, folders sorted by name, hidden files left out.

    A folder without ``recursive`` is an input like others; opening it tells why it is refused.
    """
    for word in paths:
        path = Path(word)
        if word == STDIN:
            yield Wanted(None, STDIN)
        elif recursive and os.path.isdir(word):  # noqa: PTH112 - Path.is_dir may raise
            yield from _walk(path)
        else:
            yield Wanted(path, path.name or word)


def _walk(root: Path) -> Iterator[Wanted]:
    unread: list[OSError] = []
    empty = True
    for folder, folders, files in os.walk(root, onerror=unread.append):
        empty = empty and not unread
        yield from _refused(unread, root)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            # Devices and pipes met on the way are none of our business.
            if not name.startswith(".") and os.path.isfile(path):  # noqa: PTH113 - never raises
                empty = False
                yield Wanted(path, str(path.relative_to(root)), found=True)
    empty = empty and not unread
    yield from _refused(unread, root)
    if empty:
        error = NotFound(f"There is no file in the folder {root}.", hint="Check the path.")
        yield Wanted(root, root.name or str(root), error=error)


def _refused(unread: list[OSError], root: Path) -> Iterator[Wanted]:
    """Folders that could not be opened: what is in them was not seen, and that is said."""
    while unread:
        problem = unread.pop()
        path = Path(os.fsdecode(problem.filename or root))
        error = PermissionRefused(
            f"The folder {path} cannot be opened ({problem.strerror}).",
            hint="Check its permissions; nothing in it was looked at.",
        )
        yield Wanted(path, os.path.relpath(path, root), error=error)


@contextmanager
def standard_input(limits: Limits) -> Iterator[Path]:
    """Standard input as a private temporary file that is gone afterwards.

    Raises:
        LimitExceeded: More bytes came than ``limits.max_bytes``.
        EmptyInput: None came.
        UsageError: Nothing is piped into the program.
        OutputRefused: There is no room for temporary files.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "- means standard input, but nothing is piped into it.",
            hint="Pipe a picture or film into it: unmask scan - < FILE",
        )
    try:
        file = tempfile.NamedTemporaryFile(prefix="unmask-")  # noqa: SIM115 - closed below
    except OSError as error:
        raise OutputRefused(
            f"Standard input cannot be kept in a temporary file: {error.strerror}.",
            hint="Free some space, or set TMPDIR to a folder that can be written.",
        ) from error
    with file:
        _copy(sys.stdin.buffer, file, limits)
        yield Path(file.name)


def _copy(source: IO[bytes], target: IO[bytes], limits: Limits) -> None:
    size = 0
    while block := _read(source):
        size += len(block)
        if size > limits.max_bytes:
            raise LimitExceeded(
                f"Standard input holds more than {limits.max_bytes} bytes.",
                hint="If you trust it, raise the limit with --max-bytes.",
            )
        target.write(block)
    if size == 0:
        raise EmptyInput("Standard input is empty.", hint="Pipe a picture or film into it.")
    target.flush()


def _read(source: IO[bytes]) -> bytes:
    try:
        return source.read(_BLOCK_BYTES)
    except OSError as error:  # a folder, a broken disk
        raise CorruptMedia(
            f"Reading standard input failed: {error.strerror}.",
            hint="Pipe a picture or film into it.",
        ) from error


def read_pem(path: Path | None) -> bytes | None:
    """The bytes of a PEM file, or None where none was named.

    Raises:
        NotFound: There is no such file.
        UsageError: It cannot be read, or is far too large.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_PEM_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}.", hint="Give a PEM file."
        ) from error
    if len(data) > _MAX_PEM_BYTES:
        raise UsageError(
            f"{path} has more than {_MAX_PEM_BYTES} bytes; no PEM file has.",
            hint="Give a file of certificates or a key in PEM.",
        )
    return data
