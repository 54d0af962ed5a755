"""Open one untrusted file: check, hash, sniff, and hand out its frames."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from unmask.errors import (
    CorruptMedia,
    EmptyInput,
    InputError,
    NotAFile,
    NotFound,
    PermissionRefused,
)
from unmask.media.limits import check_bytes
from unmask.media.sampling import Sampling
from unmask.media.sniff import HEAD_BYTES, Family, Sniffed, sniff

if TYPE_CHECKING:
    from unmask.types import Frame, Limits, MediaInfo

_BLOCK_BYTES = 1 << 20
_GIVE = "Give the path of a picture or film."


class Reader(Protocol):
    """What a reader of one family gives."""

    info: MediaInfo

    @property
    def stopped_early(self) -> str | None:
        """Why not everything was decoded, or None."""
        ...

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Decode the chosen frames, one at a time."""
        ...

    def close(self) -> None:
        """Let go of the decoder."""
        ...


class Media:
    """One opened input. Use it in a ``with`` statement; made by :func:`open_media`.

    Attributes:
        info: What is known of the input before its frames are decoded.
    """

    def __init__(self, path: Path, reader: Reader, sampling: Sampling, stack: ExitStack) -> None:
        self.info: MediaInfo = reader.info
        self._path = path
        self._reader = reader
        self._sampling = sampling
        self._stack = stack

    @property
    def stopped_early(self) -> str | None:
        """Why not everything could be decoded, or None; final once the frames are used up."""
        return self._reader.stopped_early

    def frames(self) -> Iterator[Frame]:
        """Decode the sampled frames in order of time, holding one at a time.

        A new call starts again and ends an iterator handed out before.

        Raises:
            CorruptMedia: Nothing could be decoded.
            NoFrames: There is nothing to decode.
            LimitExceeded: More frames would be decoded, or a frame is larger, than allowed.
        """
        return self._reader.frames(self._sampling)

    def verify_unchanged(self) -> bool:
        """Read the file again and say whether it still holds the bytes that were analysed."""
        try:
            return hash_file(self._path) == self.info.sha256
        except InputError:
            return False

    def close(self) -> None:
        """Close decoder and file; closing twice does nothing."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_media(
    path: str | os.PathLike[str], *, limits: Limits, sampling: Sampling | None = None
) -> Media:
    """Open a picture, animation or film.

    The file is opened for reading only. Its kind is told by its bytes, limits are checked
    before anything is decoded, and no decoder can reach another file or the network.

    Args:
        path: A regular file.
        limits: What is refused.
        sampling: Which frames are wanted; default 32 spread evenly.

    Raises:
        NotFound, NotAFile, PermissionRefused, EmptyInput: It is no file that can be read.
        UnsupportedMedia: Its bytes are no picture or film.
        CorruptMedia: It is one, but broken.
        NoFrames: It holds no picture.
        LimitExceeded: It is larger than a limit allows.
    """
    path = Path(path)
    with ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        check_bytes(os.fstat(file.fileno()).st_size, limits)
        found = sniff(_read(file, HEAD_BYTES))
        reader = _reader(file, path.name, found, limits)
        stack.callback(reader.close)
        return Media(path, reader, sampling or Sampling(), stack.pop_all())


def probe(path: str | os.PathLike[str], limits: Limits) -> MediaInfo:
    """Say what a file is without decoding its frames (one, of a film).

    Raises:
        InputError: As for :func:`open_media`.
    """
    with open_media(path, limits=limits) as media:
        return media.info


def hash_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a regular file as lower-case hex; memory does not grow with its size.

    Raises:
        NotFound, NotAFile, PermissionRefused, EmptyInput: It is no file that can be read.
        CorruptMedia: The disk fails while it is read.
    """
    with open_regular(Path(path)) as file:
        return _digest(file)


def _reader(file: BinaryIO, name: str, found: Sniffed, limits: Limits) -> Reader:
    from unmask.media.origin import Origin

    origin = Origin(name, found, os.fstat(file.fileno()).st_size, _digest(file))
    if found.family is Family.FILM:
        from unmask.media.film import FilmReader

        return FilmReader(file, origin, limits)
    from unmask.media.picture import PictureReader

    return PictureReader(file, origin, limits)


def open_regular(path: Path) -> BinaryIO:
    """Open for reading, with every way in which that fails told apart.

    The type is asked again of the opened file, since a name may change its meaning between;
    and it is opened without blocking, since a FIFO would wait for a writer for ever.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        _check_type(path, path.stat())
        handle = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from None
    except PermissionError:
        raise PermissionRefused(
            f"The file {path} may not be read.", hint="Check its permissions."
        ) from None
    except (OSError, ValueError) as error:  # too long a name, a null byte, a loop of links
        raise NotAFile(f"{path!s:.200} cannot be opened ({error}).", hint=_GIVE) from None
    file = os.fdopen(handle, "rb")
    try:
        _check_type(path, os.fstat(handle))
    except InputError:
        file.close()
        raise
    return file


def _check_type(path: Path, state: os.stat_result) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise NotAFile(f"{path} is a directory.", hint="Use -r to go through folders.")
    if not stat.S_ISREG(state.st_mode):
        raise NotAFile(f"{path} is a pipe, socket or device, not a file.", hint=_GIVE)
    if state.st_size == 0:
        raise EmptyInput(f"{path.name} is empty (0 bytes).", hint=_GIVE)


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise CorruptMedia(
            f"Reading failed: {error.strerror}.", hint="Check the disk or copy the file again."
        ) from None


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := _read(file, _BLOCK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()
