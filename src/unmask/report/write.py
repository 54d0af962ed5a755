"""Write a result whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from unmask.errors import OutputRefused
from unmask.report.text import shorten, visible_text

_SHOWN_CHARACTERS = 200
_HINTS: dict[int, str] = {
    errno.ENOSPC: "Free some space, or choose a folder on another disk with -o.",
    errno.EDQUOT: "Your disk quota is used up; free some space or choose another folder with -o.",
    errno.EACCES: "Choose a folder that you may write to with -o.",
    errno.EPERM: "Choose a folder that you may write to with -o.",
    errno.EROFS: "This place is read-only; choose another folder with -o.",
    errno.ENOENT: "Create the folder first, or choose one that exists with -o.",
    errno.ENOTDIR: "A part of the path is a file; choose a folder with -o.",
    errno.EISDIR: "Name a file inside this folder, or choose another name with -o.",
    errno.ENAMETOOLONG: "Choose a shorter file name.",
}
_ANY_HINT = "Choose another place with -o."


def write_atomically(path: str | Path, data: bytes, *, make_folder: bool = False) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take the
    name in one step. Whatever interrupts this (full disk, Ctrl-C), no part of a file is left.
    An existing file keeps its permissions; a link is followed.

    Args:
        path: File to write.
        data: All of its bytes.
        make_folder: Make the folder that it lies in where there is none.

    Raises:
        OutputRefused: The file cannot be written there; the hint says what to do.
    """
    shown = shorten(visible_text(os.fspath(path)), _SHOWN_CHARACTERS)
    try:
        target = Path(path).resolve()
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_special(target, shown)
        _replace(target, data)
    except (OSError, ValueError) as problem:  # ValueError: a NUL character in the path
        number = problem.errno if isinstance(problem, OSError) else None
        why = os.strerror(number) if number else "not a usable path"
        raise OutputRefused(
            f"The result could not be written to {shown}: {why}.",
            hint=_HINTS.get(number or 0, _ANY_HINT),
        ) from problem


def _refuse_special(target: Path, shown: str) -> None:
    """Refuse to put a file in the place of a folder, device, pipe or socket."""
    if not target.exists() or target.is_file():
        return
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OutputRefused(
        f"The result could not be written to {shown}: it is a device or pipe, not a file.",
        hint="Leave -o out to write to standard output, or name an ordinary file.",
    )


def _replace(target: Path, data: bytes) -> None:
    part = target.parent / f".unmask-{secrets.token_hex(8)}.part"
    try:
        # Created with the usual mode, so that the umask holds as for any other file.
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the new name too; not every system lets a folder be opened for this."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
