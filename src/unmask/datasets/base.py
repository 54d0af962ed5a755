"""What a data set is: a spec, and a reader of its official layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from unmask.registry import Registry


@dataclass(frozen=True, slots=True)
class DataSetSpec:
    """Facts about a data set.

    Attributes:
        id: Short name (``ffpp``).
        title: Name for people.
        paper: Authors, venue, year.
        home: Where it is described and asked for.
        licence: Its terms, in a few words.
        media: ``film``, ``image`` or ``both``.
        splits: Names of the official splits.
        counts: Files the paper speaks of, by ``split/label`` (``test/real``) or by any other
            key that :meth:`DataSet.count` knows; what ``unmask data check`` compares with.
        groups: Names of the group labels that the set brings (``gender``, ``race``).
    """

    id: str
    title: str
    paper: str
    home: str
    licence: str
    media: str
    splits: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaItem:
    """One film or picture of a set.

    Attributes:
        path: The file, relative to the set's root.
        video_id: Unique in the set; frames are grouped by it, never by a path.
        source_id: Original that it was made from, or its own ``video_id``. Bootstraps and
            splits keep everything with one source together.
        identities: People seen, where the set tells; splits keep them apart.
        y_true: 1 = fake.
        method: Name of the forgery (``deepfakes``), or ``real``.
        compression: As the set names it (``c23``), or empty.
        split: Official split, or empty.
        original: The untouched film it was made from, relative to the root, or None.
        mask: Film or picture of the manipulated region, relative to the root, or None.
        groups: Group labels by name.
    """

    path: Path
    video_id: str
    source_id: str
    y_true: int
    method: str
    split: str = ""
    compression: str = ""
    identities: tuple[str, ...] = ()
    original: Path | None = None
    mask: Path | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


class DataSet(Protocol):
    """Reader of one set's official layout."""

    spec: ClassVar[DataSetSpec]

    def __init__(self, root: Path, **options: str) -> None:
        """Open the set at ``root``; ``options`` are the set's own (``compression="c23"``).

        Raises:
            NotFound: A file that the layout needs (a split list) is missing; it is named.
            UsageError: An option is unknown.
        """
        ...

    def items(self, split: str | None = None) -> Iterator[MediaItem]:
        """All media by the set's own lists, in a fixed order, whether the files exist or not."""
        ...


DATASETS: Registry[type[DataSet]] = Registry("data set", "unmask.datasets")
