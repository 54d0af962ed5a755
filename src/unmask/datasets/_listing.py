"""What the readers share: their options, their lists, and the folders they look through."""

from __future__ import annotations

import csv
import difflib
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from unmask.datasets.base import DataSetSpec, MediaItem
from unmask.errors import CorruptMedia, NotFound, UsageError

FILM_SUFFIXES = frozenset({".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".webm"})
PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MEDIA_SUFFIXES = FILM_SUFFIXES | PICTURE_SUFFIXES
REAL = "real"


class SetReader(ABC):
    """Base of the readers: options are checked, items are filtered by split.

    A reader opens the lists its layout needs in ``_open``, so that a missing one is named before
    any work starts, and walks through them in ``_list``.

    Args:
        root: Folder of the set.
        **options: See ``choices``.

    Attributes:
        spec: Facts about the set.
        choices: Options by name with what they may be; the first is the default. ``()`` stands
            for any text, with the empty text as default.
        crossings: ``sources`` or ``identities`` where the set's own split lets these lie on
            both sides. Everything else must be disjoint, and ``check`` calls it an error.
        root: Folder of the set.
        options: Every option with its value.

    Raises:
        NotFound: The folder, or a list that the layout needs, is missing.
        UsageError: An option, or its value, is unknown.
        CorruptMedia: A list is not of the form that the set uses.
    """

    spec: ClassVar[DataSetSpec]
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    crossings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, root: Path, **options: str) -> None:
        self.root = existing_folder(Path(root), self.spec)
        self.options = checked_options(self.spec.id, self.choices, options)
        self._open()

    def items(self, split: str | None = None) -> Iterator[MediaItem]:
        """All media by the set's own lists, in a fixed order, whether the files exist or not.

        Args:
            split: One of ``spec.splits``, or None for all.

        Raises:
            UsageError: The set has no such split.
        """
        if split is not None and split not in self.spec.splits:
            have = ", ".join(self.spec.splits) or "none: the set has no official split"
            raise UsageError(
                f"The data set {self.spec.id} has no split called {split!r}.",
                hint=f"Its splits: {have}.",
            )
        return (item for item in self._list() if split is None or item.split == split)

    def expected_counts(self) -> Mapping[str, int]:
        """What ``check`` compares with; fewer than ``spec.counts`` where an option narrows."""
        return self.spec.counts

    def folders(self) -> Sequence[Path]:
        """Folders, relative to the root, in which nothing but listed media should lie."""
        return ()

    def remarks(self) -> Sequence[str]:
        """What the lists themselves show and ``check`` should pass on (rows left out ...)."""
        return ()

    def _open(self) -> None:  # noqa: B027 - a set without lists has nothing to open
        """Read the lists that the layout needs."""

    @abstractmethod
    def _list(self) -> Iterator[MediaItem]:
        """All items in a fixed order."""


def existing_folder(root: Path, spec: DataSetSpec) -> Path:
    """``root``, if it is a folder.

    Raises:
        NotFound: It is not.
    """
    if not root.is_dir():
        raise NotFound(
            f"The folder {root} of the data set {spec.id} is not there.",
            hint=f"{spec.title} is asked for at {spec.home}.",
        )
    return root


def checked_options(
    owner: str, choices: Mapping[str, tuple[str, ...]], given: Mapping[str, str]
) -> dict[str, str]:
    """Every option of ``choices`` with the value given, or its default.

    Raises:
        UsageError: A name or a value is unknown; the hint has the near match.
    """
    for name, value in given.items():
        if name not in choices:
            raise UsageError(
                f"The data set {owner} has no option called {name!r}.",
                hint=near_match(name, choices) or "It has no options.",
            )
        if choices[name] and value not in choices[name]:
            raise UsageError(
                f"The option {name} of the data set {owner} cannot be {value!r}.",
                hint=near_match(value, choices[name]),
            )
    return {
        name: given.get(name, allowed[0] if allowed else "") for name, allowed in choices.items()
    }


def chosen(owner: str, name: str, value: str, allowed: Sequence[str]) -> tuple[str, ...]:
    """The parts of a comma-separated option, in the order of ``allowed``; empty means all.

    Raises:
        UsageError: A part is unknown.
    """
    parts = [part.strip() for part in value.split(",") if part.strip()]
    for part in parts:
        if part not in allowed:
            raise UsageError(
                f"The option {name} of the data set {owner} cannot hold {part!r}.",
                hint=near_match(part, allowed),
            )
    return tuple(one for one in allowed if not parts or one in parts)


def near_match(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """A hint: what was meant, or what there is."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(known)}." if known else ""


def list_file(root: Path, candidates: Sequence[str], spec: DataSetSpec) -> Path:
    """The first of the candidate files that exists below ``root``.

    Raises:
        NotFound: None does.
    """
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    places = " or ".join(candidates)
    raise NotFound(
        f"The data set {spec.id} needs {places} below {root}; there is no such file.",
        hint=f"It comes with the set ({spec.home}); put it there, as it was published.",
    )


def read_text(path: Path) -> str:
    """A list as text, without a byte-order mark.

    Raises:
        CorruptMedia: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptMedia(
            f"The list {path} cannot be read as UTF-8 text: {error}.",
            hint="Fetch it again as it was published.",
        ) from error


def read_json(path: Path) -> Any:
    """A JSON list.

    Raises:
        CorruptMedia: It is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CorruptMedia(
            f"The list {path} is not whole JSON: {error}.",
            hint="Fetch it again as it was published; half a download looks like this.",
        ) from error


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object of objects by name.

    Raises:
        CorruptMedia: It is something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise malformed(path, f"a JSON {type(value).__name__}", "an object with one entry a film")
    for name, entry in value.items():
        if not isinstance(entry, dict):
            raise malformed(path, f"{name!r}: {entry!r}", "an object with the facts of that film")
    return value


def read_rows(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV by column name; names and cells are stripped of white space.

    Args:
        path: The list.
        required: Columns that it must have, and each row a cell for; if empty, each row must
            have a cell for every column.

    Raises:
        CorruptMedia: A required column is missing (the near match is named), there are no
            rows, or a row has no cell for a required column.
    """
    try:
        lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error as error:
        raise malformed(path, f"no CSV ({error})", "comma-separated rows") from error
    if not lines:
        raise malformed(path, "an empty file", f"a header with {', '.join(required)}")
    header = [name.strip() for name in lines[0]]
    for name in required:
        if name not in header:
            near = near_match(name, [column for column in header if column])
            raise CorruptMedia(f"The list {path} has no column called {name!r}.", hint=near)
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        if any(name not in row for name in required or filter(None, header)):
            raise malformed(path, f"line {number} with {len(cells)} cells", f"{len(header)} cells")
        rows.append(row)
    if not rows:
        raise malformed(path, "a header and no rows", "one row a film")
    return rows


def malformed(path: Path, came: str, expected: str) -> CorruptMedia:
    """The error for a list that is not as published."""
    return CorruptMedia(
        f"The list {path} holds {came}; expected {expected}.",
        hint="Fetch the list again as it was published.",
    )


def label_of(text: str) -> int | None:
    """1 for fake, 0 for real, None for anything else; case does not matter."""
    return {"real": 0, "0": 0, "fake": 1, "1": 1}.get(text.strip().lower())


def media_below(folder: Path, suffixes: frozenset[str] = MEDIA_SUFFIXES) -> Iterator[Path]:
    """Media files below a folder in a fixed order; hidden files and folders are left out."""
    if not folder.is_dir():
        return
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                yield Path(where) / name


def with_videos_level(root: Path, folder: str) -> Path:
    """``folder``, or ``folder/videos`` where a copy of the set has that level."""
    inner = Path(folder) / "videos"
    return inner if (root / inner).is_dir() else Path(folder)
