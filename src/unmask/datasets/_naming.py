"""File names that more than one set uses: FaceForensics++ pairs and Celeb-DF celebrities."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_SEQUENCES = re.compile(r"(\d{3})_(\d{3})")
_CELEB_REAL = re.compile(r"(id\d+)_(\d{4})")
_CELEB_FAKE = re.compile(r"(id\d+)_(id\d+)_(\d{4})")


class Origin(NamedTuple):
    """What a file name says of a fake.

    Attributes:
        source: Name of the untouched film that it was made from.
        identities: People seen: who was filmed, and whose face it is.
    """

    source: str
    identities: tuple[str, ...]


def sequence_pair(stem: str) -> Origin | None:
    """``000_003``: face of sequence 003 on sequence 000 (``<target>_<source>``)."""
    found = _SEQUENCES.fullmatch(stem)
    return Origin(found[1], (found[1], found[2])) if found else None


def celebrity_fake(stem: str) -> Origin | None:
    """``id0_id1_0007``: face of celebrity id1 on recording 0007 of celebrity id0."""
    found = _CELEB_FAKE.fullmatch(stem)
    return Origin(f"{found[1]}_{found[3]}", (found[1], found[2])) if found else None


def celebrity_real(stem: str) -> str | None:
    """``id0_0007``: the celebrity, id0."""
    found = _CELEB_REAL.fullmatch(stem)
    return found[1] if found else None


def compression_level(folder: Path, level: str) -> tuple[str, str]:
    """Name of a FaceForensics++ compression, and the folder of that name below ``folder``.

    ``raw`` and ``c0`` are two names for the same films; copies of the set use either.
    """
    if level not in {"raw", "c0"}:
        return level, level
    return "raw", next((name for name in ("raw", "c0") if (folder / name).is_dir()), "raw")
