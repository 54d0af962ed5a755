"""What is known of an input before a decoder sees it, and how its text tags are cleaned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from unmask.media.sniff import Sniffed

_MAX_TAGS = 64
_MAX_CHARACTERS = 500


class Origin(NamedTuple):
    """Name, kind and digest of the bytes.

    Attributes:
        name: File name without folders.
        sniffed: What the first bytes say it is.
        size_bytes: Size of the file.
        sha256: Lower-case hex digest.
    """

    name: str
    sniffed: Sniffed
    size_bytes: int
    sha256: str


def clean_tags(tags: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Keep the readable, short part of tags that a stranger wrote into a file.

    Control characters (which drive terminals) become spaces; length and number are bounded.
    """
    cleaned: dict[str, str] = {}
    for key, value in tags:
        if len(cleaned) == _MAX_TAGS:
            break
        text = _clean(value)
        if text and _clean(key):
            cleaned[_clean(key)] = text
    return cleaned


def _clean(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    shortened = str(value)[:_MAX_CHARACTERS]
    return "".join(sign if sign.isprintable() else " " for sign in shortened).strip()
