"""What is wrong with a data set on disk, by name: before an hour of preparation, not after it.

>>> from unmask.datasets import DATASETS
>>> from unmask.datasets.check import check
>>> for finding in check(DATASETS.get("uadfv")(folder)):  # doctest: +SKIP
...     print(finding)
error: missing_files: 2 of 98 files are not there: fake/0007_fake.mp4, fake/0031_fake.mp4. ...
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unmask.datasets._listing import MEDIA_SUFFIXES
from unmask.datasets.base import DataSet, MediaItem

Severity = Literal["error", "warning", "note"]
_ORDER: tuple[Severity, ...] = ("error", "warning", "note")
_REAL_WORDS = frozenset({"real", "original", "originals", "pristine"})
_FAKE_WORDS = frozenset({"fake", "fakes", "manipulated", "synthesis"})
_HALF_FETCHED = frozenset({".aria2", ".crdownload", ".download", ".part", ".partial", ".tmp"})
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that ``check`` found.

    Attributes:
        severity: ``error`` (results would be wrong or work would stop), ``warning`` (something
            differs from what is published) or ``note``.
        code: Stable name (``missing_files``).
        message: What came and what was expected.
        hint: What to do, or empty.
        names: The first few files, sources or people concerned.
        count: How many there are in all.
    """

    severity: Severity
    code: str
    message: str
    hint: str = ""
    names: tuple[str, ...] = ()
    count: int = 0

    def __str__(self) -> str:
        listed = f" {', '.join(self.names)}" if self.names else ""
        more = f" and {self.count - len(self.names)} more" if self.count > len(self.names) else ""
        end = f".{' ' + self.hint if self.hint else ''}" if listed else f" {self.hint}".rstrip()
        return f"{self.severity}: {self.code}: {self.message}{listed}{more if listed else ''}{end}"


def check(dataset: DataSet, *, names: int = 10) -> list[Finding]:
    """Compare a data set on disk with its own lists and with what is published.

    Files are looked at (is it there, is it empty), never opened.

    Args:
        dataset: An opened reader.
        names: How many names a finding gives before it only counts.

    Returns:
        Findings, errors first; empty if nothing is wrong.
    """
    items = list(dataset.items())
    if not items:
        return [
            Finding(
                "error",
                "no_items",
                f"The data set {dataset.spec.id} lists no films or pictures.",
                "Check that the folder is the set's own root and that its parts are unpacked.",
            )
        ]
    root: Path | None = getattr(dataset, "root", None)
    found = [
        *_files(items, root, names),
        *_unlisted(dataset, items, root, names),
        *_repeated(items, names),
        *_counts(dataset, items),
        *_classes(items),
        *_labels(items, names),
        *_crossings(dataset, items, names),
        *_remarks(dataset),
    ]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def count(items: Iterable[MediaItem], key: str) -> int:
    """How many items a key of ``spec.counts`` speaks of.

    A key is made of parts between slashes, all of which must hold: ``real`` or ``fake``; the
    name of a split (``test``); ``name=value`` for ``method``, ``compression`` or a group label;
    ``all``. So ``test/fake`` or ``train/method=deepfakes``.
    """
    parts = key.split("/")
    return sum(all(_holds(item, part) for part in parts) for item in items)


def _holds(item: MediaItem, part: str) -> bool:
    if part in {"real", "fake"}:
        return item.y_true == (part == "fake")
    name, equals, value = part.partition("=")
    if not equals:
        return part in {"all", item.split}
    own = {"method": item.method, "compression": item.compression, "split": item.split}
    return own.get(name, item.groups.get(name)) == value


def _files(items: Sequence[MediaItem], root: Path | None, names: int) -> Iterator[Finding]:
    if root is None:
        return
    size_of = _sizes(root, (item.path for item in items))
    missing = [path for path, size in size_of.items() if size is None]
    if missing:
        yield Finding(
            "error",
            "missing_files",
            f"{len(missing)} of {len(size_of)} files are not there:",
            _where_missing(missing, size_of),
            _first(missing, names),
            len(missing),
        )
    empty = [path for path, size in size_of.items() if size == 0]
    if empty:
        yield Finding(
            "error",
            "empty_files",
            f"{len(empty)} of {len(size_of)} files have no bytes (half unpacked?):",
            "Unpack or fetch them again.",
            _first(empty, names),
            len(empty),
        )
    extras: dict[str, list[Path]] = {
        "original": [item.original for item in items if item.original is not None],
        "mask": [item.mask for item in items if item.mask is not None],
    }
    for kind, paths in extras.items():
        lacking = [
            path
            for path, size in _sizes(root, (path for path in paths if path not in size_of)).items()
            if not size
        ]
        if lacking:
            yield Finding(
                "warning",
                f"missing_{kind}s",
                f"{len(lacking)} {kind}s that fakes point to are missing or empty:",
                "Fakes are used without them; fetch them for paired training and for masks.",
                _first(lacking, names),
                len(lacking),
            )


def _sizes(root: Path, paths: Iterable[Path]) -> dict[Path, int | None]:
    """Bytes of each file, None where there is none."""

    def size(path: Path) -> int | None:
        try:
            facts = (root / path).stat()
        except OSError:
            return None
        return facts.st_size if stat.S_ISREG(facts.st_mode) else None

    return {path: size(path) for path in dict.fromkeys(paths)}


def _where_missing(missing: Sequence[Path], listed: Mapping[Path, int | None]) -> str:
    """Say which folders are gone altogether: a part that was never unpacked is the usual case."""
    gone = Counter(path.parent for path in missing)
    full = Counter(path.parent for path in listed)
    whole = [folder.as_posix() for folder, number in gone.items() if number == full[folder]]
    if whole and len(whole) <= 8:
        return f"Nothing of {', '.join(sorted(whole))} is there: fetch or unpack that."
    if whole:
        return f"Nothing of {len(whole)} folders is there: fetch or unpack them."
    return "Fetch them again; until then they are left out by name."


def _unlisted(
    dataset: DataSet, items: Sequence[MediaItem], root: Path | None, names: int
) -> Iterator[Finding]:
    folders: Callable[[], Sequence[Path]] = getattr(dataset, "folders", tuple)
    if root is None:
        return
    known = {item.path for item in items}
    known |= {item.original for item in items if item.original is not None}
    known |= {item.mask for item in items if item.mask is not None}
    extra, half = set(), set()
    for folder in folders():
        for path in _all_files(root / folder):
            relative = path.relative_to(root)
            if path.suffix.lower() in _HALF_FETCHED:
                half.add(relative)
            elif path.suffix.lower() in MEDIA_SUFFIXES and relative not in known:
                extra.add(relative)
    if extra:
        yield Finding(
            "warning",
            "unlisted_files",
            f"{len(extra)} files lie among the set's own but are in none of its lists:",
            "They are not used. Files of your own belong elsewhere.",
            _first(extra, names),
            len(extra),
        )
    if half:
        yield Finding(
            "error",
            "half_fetched",
            f"{len(half)} downloads were broken off:",
            "Fetch them again.",
            _first(half, names),
            len(half),
        )


def _all_files(folder: Path) -> Iterator[Path]:
    for where, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (Path(where) / name for name in files if not name.startswith("."))


def _repeated(items: Sequence[MediaItem], names: int) -> Iterator[Finding]:
    paths = [path for path, number in Counter(item.path for item in items).items() if number > 1]
    if paths:
        yield Finding(
            "error",
            "repeated_files",
            f"{len(paths)} files are listed more than once:",
            "Each would count twice; mend the list.",
            _first(paths, names),
            len(paths),
        )
    facts = defaultdict(set)
    for item in items:
        facts[item.video_id].add((item.source_id, item.y_true, item.method, item.split))
    torn = sorted(video_id for video_id, different in facts.items() if len(different) > 1)
    if torn:
        yield Finding(
            "error",
            "ambiguous_films",
            f"{len(torn)} film ids stand for files that differ in source, label, method or split:",
            "A video_id must name one film.",
            _first(torn, names),
            len(torn),
        )


def _counts(dataset: DataSet, items: Sequence[MediaItem]) -> Iterator[Finding]:
    expected: Mapping[str, int] = getattr(dataset, "expected_counts", lambda: dataset.spec.counts)()
    for key, number in expected.items():
        came = count(items, key)
        if came != number:
            yield Finding(
                "warning",
                "count",
                f"{key}: {came} listed, {number} published.",
                "Say so beside any number you report."
                if came
                else "That part seems not to be there: fetch or unpack it.",
                count=came,
            )


def _classes(items: Sequence[MediaItem]) -> Iterator[Finding]:
    groups: dict[str, set[int]] = defaultdict(set)
    for item in items:
        groups[""].add(item.y_true)
        groups[item.split].add(item.y_true)
    for split, labels in sorted(groups.items()):
        if len(labels) == 1 and (split == "" or len(groups[""]) > 1):
            only, other = ("fake", "real") if 1 in labels else ("real", "fake")
            where = f"The split {split}" if split else "The data set"
            yield Finding(
                "error",
                "one_class",
                f"{where} has {only} files only; training and every score need both.",
                f"Add {other} files, or join it with a set that has them.",
            )


def _labels(items: Sequence[MediaItem], names: int) -> Iterator[Finding]:
    against = [item.path for item in items if _folder_says(item) not in {None, item.y_true}]
    if against:
        yield Finding(
            "error",
            "labels_reversed",
            f"{len(against)} of {len(items)} files are labelled against the name of their folder:",
            "In y_true 1 is fake; some lists use 1 for real. Mend the labels or their mapping.",
            _first(against, names),
            len(against),
        )
    fake = {item.path for item in items if item.y_true == 1}
    origins = {item.original for item in items if item.original is not None}
    wrong = sorted(origins & fake)
    if wrong:
        yield Finding(
            "error",
            "fake_originals",
            f"{len(wrong)} files are labelled fake, but fakes name them as their original:",
            "The labels look reversed.",
            _first(wrong, names),
            len(wrong),
        )


def _folder_says(item: MediaItem) -> int | None:
    words = {word for part in item.path.parts[:-1] for word in _WORD.findall(part.lower())}
    real, fake = not words.isdisjoint(_REAL_WORDS), not words.isdisjoint(_FAKE_WORDS)
    return None if real == fake else int(fake)


def _crossings(dataset: DataSet, items: Sequence[MediaItem], names: int) -> Iterator[Finding]:
    declared: frozenset[str] = getattr(dataset, "crossings", frozenset())
    sides: dict[str, dict[str, set[str]]] = {
        "sources": defaultdict(set),
        "identities": defaultdict(set),
    }
    for item in items:
        if item.split:
            sides["sources"][item.source_id].add(item.split)
            for person in item.identities:
                sides["identities"][person].add(item.split)
    for kind, splits_of in sides.items():
        crossing = sorted(name for name, splits in splits_of.items() if len(splits) > 1)
        if crossing and kind in declared:
            yield Finding(
                "note",
                f"crossing_{kind}",
                f"{len(crossing)} {kind} lie on several sides of the official split:",
                "It was published so. Train on another set, or use the option keep_apart.",
                _first(crossing, names),
                len(crossing),
            )
        elif crossing:
            yield Finding(
                "error",
                f"crossing_{kind}",
                f"{len(crossing)} {kind} lie on several sides of the split:",
                "A score would measure memory. Put all that share one on one side.",
                _first(crossing, names),
                len(crossing),
            )


def _remarks(dataset: DataSet) -> Iterator[Finding]:
    remarks: Callable[[], Sequence[str]] = getattr(dataset, "remarks", tuple)
    for remark in remarks():
        yield Finding("note", "remark", f"{remark[0].upper()}{remark[1:]}.")


def _first(names: Iterable[object], number: int) -> tuple[str, ...]:
    return tuple(
        name.as_posix() if isinstance(name, Path) else str(name)
        for name in sorted(names, key=str)[:number]
    )
