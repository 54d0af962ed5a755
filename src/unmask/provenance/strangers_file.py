"""Open a file that a stranger may have put there: a regular one, and none that is too large."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unmask.errors import InputError, LimitExceeded

# The one place that tells FIFOs, devices, folders and races between them from files.
from unmask.media.source import open_regular
from unmask.types import Limits


@contextmanager
def opened(path: Path, *, max_bytes: int | None = Limits().max_bytes) -> Iterator[BinaryIO]:
    """Open a file for reading, without ever waiting for a writer.

    Args:
        path: A regular file.
        max_bytes: The largest that is opened; None: any size.

    Raises:
        NotFound, NotAFile, PermissionRefused, EmptyInput: It is no file that can be read.
        LimitExceeded: It is larger.
        InputError: The disk fails while it is read.
    """
    with open_regular(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if max_bytes is not None and size_bytes > max_bytes:
            raise LimitExceeded(
                f"{path.name} has {size_bytes} bytes; files up to {max_bytes} are read here.",
                hint="Cut out the part that you need, or save it smaller.",
            )
        try:
            yield file
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
