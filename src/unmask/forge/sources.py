"""Films and pictures that faces are taken from: found below the paths given, with unique names."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import NotFound


@dataclass(frozen=True, slots=True)
class FaceSource:
    """One film or picture.

    Attributes:
        path: Where it is.
        name: Unique among those of a call: its file name, or its path below the folder given.
        person: Name of the folder it lay in below the folder given, else empty.
        named: Whether the call named it itself, so that failing to read it is an error.
    """

    path: Path
    name: str
    person: str
    named: bool

    @property
    def stem(self) -> str:
        """A file name without end for what is made of it, as unique as the name."""
        plain = "".join(char if char.isalnum() or char in "-_" else "_" for char in self.name)
        return plain.strip("_") or "source"


def face_sources(paths: Iterable[Path]) -> list[FaceSource]:
    """List films and pictures: files as named, folders gone through in order of names.

    Raises:
        NotFound: A path leads nowhere, or a folder holds no picture or film.
    """
    found: list[FaceSource] = []
    taken: set[str] = set()
    for path in paths:
        here = list(_in_folder(path)) if path.is_dir() else [FaceSource(path, path.name, "", True)]
        if not here or not path.exists():
            what = "is no picture or film in" if path.is_dir() else "is nothing at"
            raise NotFound(f"There {what} {path}.", hint="Check the path.")
        for source in here:
            name, number = source.name, 1
            while name.lower() in taken:  # a.mp4 of two folders, or A.mp4 and a.mp4
                number += 1
                name = f"{source.name}~{number}"
            taken.add(name.lower())
            found.append(FaceSource(source.path, name, source.person, source.named))
    return found


def _in_folder(root: Path) -> Iterator[FaceSource]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            kind = mimetypes.guess_type(name)[0] or ""
            if name.startswith(".") or not kind.startswith(("image/", "video/")):
                continue
            path = Path(folder, name)
            below = path.relative_to(root)
            person = below.parts[0] if len(below.parts) > 1 else ""
            yield FaceSource(path, below.as_posix(), person, named=False)
