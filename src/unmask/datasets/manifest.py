"""A manifest of one's own: a CSV or Parquet table with one row a film or picture.

Columns, by the names of :class:`~unmask.datasets.base.MediaItem`:

* ``path`` (needed): the file, relative to the manifest's folder;
* ``y_true`` (needed): 1 or ``fake``, 0 or ``real``;
* ``video_id`` (the path if absent), ``source_id`` (the ``video_id`` if absent), ``method``
  (``fake`` or ``real`` if absent), ``split`` (``train``, ``val``, ``test`` or empty),
  ``compression``, ``original``, ``mask``;
* ``identities``: separated by semicolons;
* ``groups``: a JSON object; or one column a group, called ``groups.gender``.

A file with other names needs no rewriting: ``columns="path=file,y_true=label"`` says which of its
columns stands for which of these. Columns that are left over are refused with the near match,
unless ``extra=groups`` takes them for group labels, or ``extra=ignore`` drops them. The manifest of
``dfdc_faces`` is read by::

    columns="path=file,y_true=label,video_id=video,source_id=original", extra="groups"

Rows that are written twice, word for word, count once. The root is the manifest itself, or a
folder with a ``manifest.csv`` or ``manifest.parquet``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from unmask.datasets._listing import (
    REAL,
    SetReader,
    checked_options,
    existing_folder,
    label_of,
    list_file,
    malformed,
    near_match,
    read_rows,
)
from unmask.datasets.base import DATASETS, DataSetSpec, MediaItem
from unmask.errors import CorruptMedia, MissingExtra, UsageError

_NEEDED = ("path", "y_true")
_COLUMNS = (
    *_NEEDED, "video_id", "source_id", "method", "split", "compression", "original", "mask",
    "identities", "groups",
)  # fmt: skip
_GROUP = "groups."
_SPLITS = ("train", "val", "test")


@DATASETS.register
class Manifest(SetReader):
    """A table of media. Options: ``columns`` and ``extra`` (``refuse``, ``groups``, ``ignore``)."""

    spec: ClassVar = DataSetSpec(
        id="manifest",
        title="A manifest (CSV or Parquet)",
        paper="-",
        home="your own files",
        licence="as you have it",
        media="both",
        splits=_SPLITS,
    )
    choices: ClassVar = {"columns": (), "extra": ("refuse", "groups", "ignore")}

    def __init__(self, root: Path, **options: str) -> None:
        # The root may be the manifest itself, which the base class would refuse.
        self.options = checked_options(self.spec.id, self.choices, options)
        root = Path(root)
        if root.is_file():
            self.path, self.root = root, root.parent
        else:
            self.root = existing_folder(root, self.spec)
            self.path = list_file(root, ("manifest.csv", "manifest.parquet"), self.spec)
        self._open()

    def remarks(self) -> Sequence[str]:
        """How many rows were written twice."""
        return [f"{self._repeated} rows are written twice"] if self._repeated else []

    def _open(self) -> None:
        rows = (
            _parquet_rows(self.path) if self.path.suffix == ".parquet" else read_rows(self.path, ())
        )
        if not rows:
            raise malformed(self.path, "no rows", "one row a film or picture")
        self._name_of = self._mapping(tuple(rows[0]))
        self._repeated = 0
        self._items: list[MediaItem] = []
        seen: dict[str, dict[str, str]] = {}
        for number, row in enumerate(rows, start=2):
            path = row.get(self._name_of["path"], "")
            if seen.get(path) == row:
                self._repeated += 1
                continue
            if path in seen:
                raise malformed(
                    self.path, f"two rows for {path} that differ (row {number})", "one row a file"
                )
            seen[path] = row
            self._items.append(self._item(number, row))

    def _list(self) -> Iterator[MediaItem]:
        return iter(self._items)

    def _mapping(self, present: Sequence[str]) -> dict[str, str]:
        """Name in the file of each of our columns that it has."""
        given = {}
        for part in filter(None, self.options["columns"].split(",")):
            ours, _, theirs = (text.strip() for text in part.partition("="))
            if ours not in _COLUMNS or not theirs:
                raise UsageError(
                    f"The option columns of the data set manifest holds {part.strip()!r}; "
                    "expected OURS=THEIRS.",
                    hint=near_match(ours, _COLUMNS),
                )
            if theirs not in present:
                raise UsageError(
                    f"{self.path} has no column called {theirs!r}.",
                    hint=near_match(theirs, present),
                )
            given[ours] = theirs
        taken = set(given.values())
        own = {name: name for name in _COLUMNS if name in present and name not in taken}
        found = own | given
        self._refuse_gaps(present, found)
        return found

    def _refuse_gaps(self, present: Sequence[str], found: Mapping[str, str]) -> None:
        others = [
            name for name in present
            if name and name not in found.values() and not name.startswith(_GROUP)
        ]  # fmt: skip
        for needed in _NEEDED:
            if needed not in found:
                near = near_match({"y_true": "label"}.get(needed, "file"), others)
                raise CorruptMedia(
                    f"The manifest {self.path} has no column called {needed!r}.",
                    hint=f"{near} Say so with columns={needed}=NAME.".strip(),
                )
        if others and self.options["extra"] == "refuse":
            near = near_match(others[0], [name for name in _COLUMNS if name not in found])
            raise CorruptMedia(
                f"The manifest {self.path} has columns that mean nothing here: "
                f"{', '.join(others)}.",
                hint=f"{near} Map them with columns=OURS=THEIRS, or set extra to groups or ignore.",
            )
        self._extra = others if self.options["extra"] == "groups" else []

    def _item(self, number: int, row: Mapping[str, str]) -> MediaItem:
        def cell(name: str) -> str:
            return row.get(self._name_of.get(name, ""), "") if name in self._name_of else ""

        path, y_true, split = cell("path"), label_of(cell("y_true")), cell("split")
        if not path or Path(path).is_absolute():
            raise malformed(self.path, f"the path {path!r} in row {number}", "a relative path")
        if y_true is None:
            raise malformed(
                self.path, f"the label {cell('y_true')!r} in row {number}", "0, 1, real or fake"
            )
        if split not in {"", *_SPLITS}:
            raise malformed(
                self.path,
                f"the split {split!r} in row {number}",
                f"train, val, test or nothing. {near_match(split, _SPLITS)}".strip(),
            )
        method = cell("method") or ("fake" if y_true else REAL)
        if (method == REAL) != (y_true == 0):
            raise malformed(
                self.path,
                f"the method {method!r} with y_true {y_true} in row {number}",
                "the method real for 0, and another for 1",
            )
        video_id = cell("video_id") or Path(path).as_posix()
        return MediaItem(
            path=Path(path),
            video_id=video_id,
            source_id=cell("source_id") or video_id,
            y_true=y_true,
            method=method,
            split=split,
            compression=cell("compression"),
            identities=tuple(
                name.strip() for name in cell("identities").split(";") if name.strip()
            ),
            original=Path(cell("original")) if cell("original") else None,
            mask=Path(cell("mask")) if cell("mask") else None,
            groups=self._groups(number, row, cell("groups")),
        )

    def _groups(self, number: int, row: Mapping[str, str], text: str) -> dict[str, str]:
        groups = {name.removeprefix(_GROUP): row[name] for name in row if name.startswith(_GROUP)}
        groups |= {name: row.get(name, "") for name in self._extra}
        if text:
            try:
                groups |= {str(name): str(value) for name, value in json.loads(text).items()}
            except (json.JSONDecodeError, AttributeError) as error:
                raise malformed(
                    self.path, f"the groups {text!r} in row {number}", 'JSON such as {"a": "b"}'
                ) from error
        return {name: value for name, value in groups.items() if value}


def _parquet_rows(path: Path) -> list[dict[str, str]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtra.named("train", "Reading a Parquet manifest") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise malformed(path, f"no whole Parquet table ({error})", "one row a file") from error
    return [{name: _as_text(value) for name, value in row.items()} for row in rows]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps({name: inner for name, inner in value.items() if inner is not None})
    return str(int(value)) if isinstance(value, bool) else str(value).strip()
