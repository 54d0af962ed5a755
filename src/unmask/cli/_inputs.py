"""Which files a call means: paths, folders, and standard input."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import EmptyInput, LimitExceeded, UsageError
from unmask.types import Limits

STDIN = "-"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """One input of a call.

    Attributes:
        path: Where it is.
        name: What it is called in reports: its file name, or its path below the folder given.
        found: Whether it was met while going through a folder, rather than named.
    """

    path: Path
    name: str
    found: bool = False


def gather(paths: Sequence[str], *, recursive: bool) -> Iterator[Wanted]:
    """Go through the words of a call in order, folders sorted by name, hidden files left out.

    Raises:
        UsageError: A folder was given without ``-r``.
    """
    for word in paths:
        path = Path(word)
        if not path.is_dir():
            yield Wanted(path, path.name)
        elif not recursive:
            raise UsageError(f"{word} is a folder.", hint="Give -r to scan what is in it.")
        else:
            yield from _walk(path)


def _walk(root: Path) -> Iterator[Wanted]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            # Devices and pipes met on the way are none of our business.
            if not name.startswith(".") and path.is_file():
                yield Wanted(path, str(path.relative_to(root)), found=True)


@contextmanager
def standard_input(limits: Limits) -> Iterator[Path]:
    """Standard input as a private temporary file that is gone afterwards.

    Raises:
        LimitExceeded: More bytes came than ``limits.max_bytes``.
        EmptyInput: None came.
    """
    with tempfile.NamedTemporaryFile(prefix="unmask-") as file:
        size = 0
        while block := sys.stdin.buffer.read(_BLOCK_BYTES):
            size += len(block)
            if size > limits.max_bytes:
                raise LimitExceeded(
                    f"Standard input holds more than {limits.max_bytes} bytes.",
                    hint="Raise the limit with --max-bytes.",
                )
            file.write(block)
        if size == 0:
            raise EmptyInput("Standard input is empty.", hint="Pipe a picture or film into it.")
        file.flush()
        yield Path(file.name)
