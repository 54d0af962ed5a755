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
        stem: File name without end for what is made of it, as unique as the name: ``a b.mp4`` and
            ``a_b.mp4`` do not write over each other's faces.
    """

    path: Path
    name: str
    person: str
    named: bool
    stem: str


def face_sources(paths: Iterable[Path]) -> list[FaceSource]:
    """List films and pictures: files as named, folders gone through in order of names.

    Raises:
        NotFound: A path leads nowhere, or a folder holds no picture or film.
    """
    found: list[FaceSource] = []
    names: set[str] = set()
    stems: set[str] = set()
    for path in paths:
        named = not path.is_dir()
        here = [(path, path.name, "")] if named else list(_in_folder(path))
        if not here or not path.exists():
            what = "is no picture or film in" if path.is_dir() else "is nothing at"
            raise NotFound(f"There {what} {path}.", hint="Check the path.")
        for file, plain, person in here:
            name = _untaken(plain, "~", names)  # a.mp4 of two folders, or A.mp4 and a.mp4
            stem = _untaken(_as_stem(name), "-", stems)
            found.append(FaceSource(file, name, person, named, stem))
    return found


def _untaken(wanted: str, mark: str, taken: set[str]) -> str:
    """The name, numbered where another has it; it is taken from then on."""
    name, number = wanted, 1
    while name.lower() in taken:
        number += 1
        name = f"{wanted}{mark}{number}"
    taken.add(name.lower())
    return name


def _as_stem(name: str) -> str:
    plain = "".join(char if char.isalnum() or char in "-_" else "_" for char in name)
    return plain.strip("_") or "source"


def _in_folder(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, name below the folder and person of each picture or film in it."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            kind = mimetypes.guess_type(name)[0] or ""
            if name.startswith(".") or not kind.startswith(("image/", "video/")):
                continue
            path = Path(folder, name)
            below = path.relative_to(root)
            person = below.parts[0] if len(below.parts) > 1 else ""
            yield path, below.as_posix(), person
