"""Settings that come from the environment, as rows of (name, default, help).

Every row is documented in ``docs/reference/settings.md``; a test fails if one is not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Setting(NamedTuple):
    """One environment variable."""

    name: str
    default: str
    help: str


SETTINGS: tuple[Setting, ...] = (
    Setting("UNMASK_MODELS", "", "Folder for downloaded face models; default: the user's cache."),
    Setting("UNMASK_IDENTITY", "", "Folder of the signing identity; default: the user's data."),
    Setting("UNMASK_LOG", "", "File of the provenance log; default: in the user's data."),
    Setting("UNMASK_OFFLINE", "0", "1: never touch the network, as with --offline."),
    Setting("UNMASK_THREADS", "0", "Threads for decoding and inference; 0: all cores."),
    Setting("UNMASK_DEBUG", "0", "1: show the traceback of every error."),
)


def value(name: str) -> str:
    """Return the value of the setting ``name`` (environment first, then default).

    Raises:
        KeyError: The name is not a row of ``SETTINGS``.
    """
    row = next((row for row in SETTINGS if row.name == name), None)
    if row is None:
        raise KeyError(name)
    return os.environ.get(row.name, row.default)


def models_dir() -> Path:
    """Folder in which downloaded models are kept."""
    chosen = value("UNMASK_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "unmask" / "models"


def identity_dir() -> Path:
    """Folder in which the key and certificates that sign forged media are kept."""
    chosen = value("UNMASK_IDENTITY")
    if chosen:
        return Path(chosen).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "unmask" / "identity"


def log_file() -> Path:
    """File in which is recorded what was forged and signed, as digests."""
    chosen = value("UNMASK_LOG")
    if chosen:
        return Path(chosen).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "unmask" / "provenance-log.db"


def offline() -> bool:
    """Whether the network may not be touched."""
    return _is_on("UNMASK_OFFLINE")


def debug() -> bool:
    """Whether errors are shown with their traceback."""
    return _is_on("UNMASK_DEBUG")


def _is_on(name: str) -> bool:
    return value(name).strip().lower() in {"1", "true", "yes", "on"}


def threads() -> int:
    """Threads to use; at least 1."""
    asked = value("UNMASK_THREADS")
    count = int(asked) if asked.isdigit() else 0
    return count if count > 0 else max(1, os.cpu_count() or 1)
