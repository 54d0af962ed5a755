"""What an interrupted pass had found: one line each, so that at most the last one is torn."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from unmask.errors import OutputRefused
from unmask.forge.alignments import FaceRecord, SourceRecord
from unmask.forge.following import SeenFrame


class _Head(Struct, frozen=True, tag="head"):
    digest: str


class _Seen(Struct, frozen=True, tag="seen"):
    source: int
    frame: SeenFrame


class _Planned(Struct, frozen=True, tag="planned"):
    files: list[str]


class Finished(Struct, frozen=True, tag="finished", kw_only=True):
    """A source that was gone through.

    Attributes:
        source: Its number among the sources of the call.
        record: What is known of it, or None where it could not be read.
        faces: Cut out of it.
        frames: That were looked at.
        faceless: Of these, how many show no face.
        people: The largest number of faces seen at once.
        problem: Why it could not be read.
    """

    source: int
    record: SourceRecord | None = None
    faces: list[FaceRecord] = []
    frames: int = 0
    faceless: int = 0
    people: int = 0
    problem: str = ""


_Entry = _Head | _Seen | _Planned | Finished


class Journal:
    """Keeps what is found as it is found; use it in a ``with`` statement.

    Args:
        path: The journal; what it holds of another digest is thrown away.
        digest: Of inputs and settings.

    Attributes:
        seen: Frames that were looked at, by source.
        finished: Sources that were gone through, by source.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.seen: dict[int, list[SeenFrame]] = {}
        self.finished: dict[int, Finished] = {}
        try:
            whole_bytes = self._read(digest)
            # Unbuffered: what a full disk refused must not be tried again when it is closed.
            self._file = path.open("ab", buffering=0)
            self._file.truncate(whole_bytes)
            if not whole_bytes:
                self._write(_Head(digest))
        except OSError as error:
            raise _refused(path, error) from error

    def add_seen(self, source: int, frame: SeenFrame) -> None:
        """Keep one frame.

        Raises:
            OutputRefused: There is no room.
        """
        self._write(_Seen(source, frame))

    def add_planned(self, files: list[str]) -> None:
        """Name files that are about to be written, so that a stop leaves none that is not known.

        Raises:
            OutputRefused: There is no room.
        """
        self._write(_Planned(files))

    def add_finished(self, finished: Finished) -> None:
        """Keep one source.

        Raises:
            OutputRefused: There is no room.
        """
        self.finished[finished.source] = finished
        self._write(finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _read(self, digest: str) -> int:
        """Take over what an earlier run left; return how many bytes of it are whole."""
        if not self.path.is_file():
            return 0
        whole_bytes = 0
        for line in self.path.read_bytes().splitlines(keepends=True):
            try:
                entry = msgspec.json.decode(line, type=_Entry)
            except msgspec.DecodeError:
                break
            if not line.endswith(b"\n") or (isinstance(entry, _Head) and entry.digest != digest):
                break
            if isinstance(entry, _Seen):
                self.seen.setdefault(entry.source, []).append(entry.frame)
            elif isinstance(entry, Finished):
                self.finished[entry.source] = entry
            whole_bytes += len(line)
        return whole_bytes

    def _write(self, entry: Struct) -> None:
        try:
            line = memoryview(msgspec.json.encode(entry) + b"\n")
            while line:  # a disk that is nearly full takes a part first
                line = line[self._file.write(line) :]
        except OSError as error:
            raise _refused(self.path, error) from error


def planned_files(path: Path, *, but_of: str = "") -> list[str]:
    """Files that an unfinished pass had written, or was about to.

    Args:
        path: The journal.
        but_of: None where the journal is of this digest: its pass is gone on with.
    """
    files: list[str] = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            entry = msgspec.json.decode(line, type=_Entry)
        except msgspec.DecodeError:
            break
        if isinstance(entry, _Head) and entry.digest == but_of:
            return []
        if isinstance(entry, _Planned):
            files += entry.files
        elif isinstance(entry, Finished):  # journals of before name files here alone
            files += [face.file for face in entry.faces]
            files += [entry.record.audio] if entry.record and entry.record.audio else []
    return files


def _refused(path: Path, error: OSError) -> OutputRefused:
    return OutputRefused(
        f"{path} could not be written ({os.strerror(error.errno) if error.errno else error}).",
        hint="Free some space or choose another place; the same call goes on from where it was.",
    )
