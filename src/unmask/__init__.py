"""Find face manipulation in pictures and films, with evidence that can be defended.

    import unmask

    report = unmask.scan("clip.mp4")
    print(report.verdict.label, report.verdict.log10_lr)

To scan many files, keep a :class:`Scanner`, which loads its models once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    import os

    from unmask.scanning.scanner import Scanner as Scanner
    from unmask.types import Label as Label
    from unmask.types import Limits as Limits
    from unmask.types import Report as Report

__all__ = ["Label", "Limits", "Report", "Scanner", "__version__", "scan"]

_HOMES = {
    "Label": "unmask.types",
    "Limits": "unmask.types",
    "Report": "unmask.types",
    "Scanner": "unmask.scanning.scanner",
}


def scan(path: str | os.PathLike[str], *, frames: int | None = 32) -> Report:
    """Scan one picture or film and return the report.

    The models are loaded anew for each call; for many files keep a :class:`Scanner`.

    Args:
        path: The file. It is only read.
        frames: How many frames of a film to look at, spread evenly; None: all of them.

    Raises:
        UnmaskError: The file cannot be analysed, or a model is missing; see ``unmask.errors``.
    """
    from unmask.scanning.scanner import Scanner

    return Scanner(frames=frames).scan(path)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import unmask` and `unmask --help` stay instant.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'unmask' has no attribute {name!r}")
