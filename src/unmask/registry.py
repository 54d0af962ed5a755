"""One registry for everything that can be added as one file.

A detector, cue, forgery or data set is a class with a frozen ``spec`` that carries an ``id``.
Decorating the class is enough: lists, command-line choices, documentation tables and
conformance tests derive from the registry. Third parties add theirs through the entry-point
groups ``unmask.detectors``, ``unmask.cues``, ``unmask.forgeries`` and ``unmask.datasets``.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from unmask.errors import UnknownEntry

T = TypeVar("T", bound=type)


class Registry(Generic[T]):
    """Entries of one kind by id.

    Args:
        kind: Singular English name, used in messages (``detector``).
        package: Package whose modules register entries when they are imported.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self.package = package
        self._entries: dict[str, T] = {}
        self._loaded = False

    def register(self, cls: T) -> T:
        """Class decorator: add ``cls`` under ``cls.spec.id``.

        Raises:
            ValueError: Another class already has this id.
        """
        entry_id = _spec_id(cls)
        other = self._entries.get(entry_id)
        if other is not None and _origin(other) != _origin(cls):
            raise ValueError(
                f"two {self.kind}s are called {entry_id!r}: {_origin(other)} and {_origin(cls)}; "
                "give one of them another id"
            )
        self._entries[entry_id] = cls
        return cls

    def get(self, entry_id: str) -> T:
        """Return the class registered as ``entry_id``.

        Raises:
            UnknownEntry: There is none; the hint names the nearest ids.
        """
        self._load()
        try:
            return self._entries[entry_id]
        except KeyError:
            near = difflib.get_close_matches(entry_id, self._entries, n=3, cutoff=0.4)
            known = near or sorted(self._entries)[:8]
            hint = ("Did you mean " if near else "Known: ") + ", ".join(known)
            raise UnknownEntry(
                f"There is no {self.kind} called {entry_id!r}.",
                hint=hint + ("?" if near else "."),
            ) from None

    def ids(self) -> list[str]:
        """All ids, sorted."""
        self._load()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[T]:
        self._load()
        return iter(self._entries[entry_id] for entry_id in sorted(self._entries))

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=self.package):
            self.register(point.load())


def _spec_id(cls: Any) -> str:
    return str(cls.spec.id)


def _origin(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
