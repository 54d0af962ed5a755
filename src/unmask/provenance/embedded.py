"""What lies inside a file beside its pixels, found without a decoder: XMP, and a C2PA manifest.

Bytes are searched for how both begin, since every format stores them unchanged. Of films only the
parts around the picture data are read. Nothing is believed here: it says where to look.

Source: XMP specification part 3 (2020); C2PA specification 2.x, "Embedding manifests"; ISO/IEC
19566-5 (JUMBF) for the description box that begins every manifest store.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from unmask.errors import EmptyInput, InputError, UnsupportedMedia
from unmask.media.sniff import HEAD_BYTES, Family, Sniffed, sniff
from unmask.provenance.strangers_file import opened

_BLOCK_BYTES = 1 << 20
_XMP_BYTES = 1 << 18  # of one packet; longer ones hold thumbnails, which nobody asks for
_MAX_PACKETS = 16
_OVERLAP_BYTES = 64
_XMP_START = re.compile(rb"<(\w{1,16}:)?RDF[\s>]")
# Box type and the first bytes of the UUID of a C2PA manifest store; or the XMP property that says
# where on the network one lies.
_CREDENTIALS = re.compile(rb"jumdc2pa\x00\x11\x00\x10|dcterms:provenance|C2PA_GIF")
_MAX_BOXES = 100_000


class Embedded(NamedTuple):
    """What was found in a file.

    Attributes:
        xmp: RDF elements of XMP packets, as bytes, in order.
        has_credentials: Whether content credentials are in it, or are said to lie elsewhere.
        searched: Whether the format is one in which both are looked for.
    """

    xmp: tuple[bytes, ...]
    has_credentials: bool
    searched: bool = True


def find_embedded(path: Path) -> Embedded:
    """Search a picture or film; one that is neither holds nothing.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        with opened(path, max_bytes=None) as file:
            return _search(file, _sniffed(file))
    except EmptyInput:
        return Embedded((), has_credentials=False, searched=False)


def _sniffed(file: BinaryIO) -> Sniffed | None:
    try:
        return sniff(file.read(HEAD_BYTES))
    except (UnsupportedMedia, InputError):
        return None


def _search(file: BinaryIO, kind: Sniffed | None) -> Embedded:
    if kind is None or not _is_searchable(kind):
        return Embedded((), has_credentials=False, searched=False)
    starts: dict[int, None] = {}
    has_credentials = False
    for offset, block in _blocks(file, kind):
        has_credentials = has_credentials or _CREDENTIALS.search(block) is not None
        starts.update((offset + found.start(), None) for found in _XMP_START.finditer(block))
        if len(starts) > _MAX_PACKETS and has_credentials:
            break
    packets = (_packet(file, at) for at in list(starts)[:_MAX_PACKETS])
    return Embedded(tuple(one for one in packets if one is not None), has_credentials)


def _packet(file: BinaryIO, at: int) -> bytes | None:
    """The RDF element that begins at ``at``, or None where its end is not found."""
    file.seek(at)
    text = file.read(_XMP_BYTES)
    prefix = _XMP_START.match(text)
    if prefix is None:
        return None
    end = b"</" + (prefix[1] or b"") + b"RDF>"
    length = text.find(end)
    return text[: length + len(end)] if length > 0 else None


def _is_searchable(kind: Sniffed) -> bool:
    return kind.family is Family.PICTURE or kind.reader in {"mov", "avi"}


def _blocks(file: BinaryIO, kind: Sniffed) -> Iterator[tuple[int, bytes]]:
    """The bytes to be searched, with their offset; blocks overlap, so that no marker is cut."""
    for start, end in _regions(file, kind):
        at, before = start, b""
        while at < end:
            file.seek(at)
            block = file.read(min(_BLOCK_BYTES, end - at))
            if not block:
                break
            yield at - len(before), before + block
            at += len(block)
            before = block[-_OVERLAP_BYTES:]


def _regions(file: BinaryIO, kind: Sniffed) -> Iterator[tuple[int, int]]:
    """(start, end) of the parts of a file in which metadata may lie."""
    size = file.seek(0, 2)
    if kind.family is Family.PICTURE:
        yield 0, size
    elif kind.reader == "mov":
        yield from _boxes(file, size)
    else:
        yield from _chunks(file, size)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Top-level boxes of an ISO base media file, without its pictures and sound."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        end = size if length == 0 else min(size, at + max(length, 8))
        if head[4:8] != b"mdat":
            yield at, end
        at = end


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Chunks of an AVI file (in all its RIFF parts), without its pictures and sound."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(12)
        if len(head) < 8:
            return
        end = at + 8 + int.from_bytes(head[4:8], "little")
        end += end & 1
        if head[:4] == b"RIFF":
            at += 12  # what it holds is walked through next
            continue
        if head[8:12] != b"movi":
            yield at, min(size, end)
        at = end
