"""The IPTC digital source type, written as XMP into JPEG, PNG and MP4 files.

Programs that know nothing of C2PA read this one field; it says how a picture came to be.

Source: IPTC NewsCodes "Digital Source Type"; XMP specification part 3 (2020), sections 1.1.3
(JPEG), 1.1.5 (PNG) and 1.2.4 (ISO base media).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from unmask.errors import UnsupportedMedia
from unmask.media.origin import clean_tags
from unmask.media.sniff import HEAD_BYTES, sniff
from unmask.provenance.embedded import find_embedded

_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
COMPOSITE_CAPTURE = _TERMS + "compositeCapture"
"""Composite of several elements that are all captures of real life: no generator took part."""
COMPOSITE_WITH_TRAINED = _TERMS + "compositeWithTrainedAlgorithmicMedia"
"""A capture into which a trained generator painted: learned swaps, lip-sync, restoration."""
TRAINED = _TERMS + "trainedAlgorithmicMedia"
"""Made wholly by a trained generator."""
SYNTHETIC = frozenset(
    {
        TRAINED,
        COMPOSITE_WITH_TRAINED,
        _TERMS + "algorithmicMedia",
        _TERMS + "compositeSynthetic",
    }
)
"""Types by which a file says that at least a part of it was made, not captured."""
REAL = frozenset(
    {
        _TERMS + name
        for name in (
            "digitalCapture",
            "computationalCapture",
            "negativeFilm",
            "positiveFilm",
            "print",
        )
    }
)
"""Types by which a file says that it was captured. They prove nothing."""
OTHER = frozenset(
    {
        _TERMS + name
        for name in (
            "humanEdits",
            "algorithmicallyEnhanced",
            "compositeCapture",
            "composite",
            "screenCapture",
            "digitalCreation",
            "virtualRecording",
        )
    }
)
"""Types that say neither."""

_ANY_TERM = re.compile(
    r"(?:https?://cv\.iptc\.org/newscodes/digitalsourcetype/)?([A-Za-z]+)/?", re.I
)
_BY_LOWER_CASE = {one.removeprefix(_TERMS).lower(): one for one in sorted(SYNTHETIC | REAL | OTHER)}

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword, not compressed, no language, no translation
_MP4_XMP = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_PROPERTY = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
_RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"
_PNG_HEAD_BYTES = 8 + 25  # signature and IHDR, which must be the first chunk


def packet(source_type: str) -> bytes:
    """An XMP packet that states the digital source type ``source_type`` (a NewsCodes URI)."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="{source_type}"/></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="r"?>'
    ).encode()


def declare(path: Path, source_type: str) -> None:
    """Write the digital source type into a file that was encoded by us and carries no XMP yet.

    Args:
        path: JPEG, PNG or MP4; rewritten in place.
        source_type: A NewsCodes URI, as those named in this module.

    Raises:
        UnsupportedMedia: Another format.
        OSError: The file cannot be read or written.
    """
    with path.open("rb") as stream:
        mime = sniff(stream.read(HEAD_BYTES)).mime
    if mime == "image/jpeg":
        _insert(path, 2, _jpeg_segment(packet(source_type)))  # right behind the start marker
    elif mime == "image/png":
        _insert(path, _PNG_HEAD_BYTES, _png_chunk(packet(source_type)))
    elif mime == "video/mp4":
        with path.open("ab") as stream:  # a top-level box may stand last: no offset moves
            stream.write(_mp4_box(packet(source_type)))
    else:
        raise UnsupportedMedia(
            f"The IPTC digital source type cannot be written into {mime}.",
            hint="Write a JPEG, PNG or MP4 file.",
        )


def read(path: Path) -> tuple[str, ...]:
    """The digital source types that a file's XMP states; nobody vouches for them.

    Raises:
        InputError: The file cannot be read.
    """
    return source_types(find_embedded(path).xmp)


def source_types(packets: Sequence[bytes]) -> tuple[str, ...]:
    """The distinct digital source types in RDF elements of XMP, cleaned and bounded, in order.

    Args:
        packets: As :func:`unmask.provenance.embedded.find_embedded` finds them; what is malformed
            states nothing.
    """
    stated = [value for packet in packets for value in _stated(packet)]
    cleaned = clean_tags((str(i), value) for i, value in enumerate(stated))
    return tuple(dict.fromkeys(map(canonical, cleaned.values())))


def of_term(name: str) -> str:
    """The NewsCodes URI of a term (``trainedAlgorithmicMedia``)."""
    return _TERMS + name


def canonical(stated: str) -> str:
    """The NewsCodes URI that a text means, as IPTC writes it; any other text as it is.

    Programs write ``https``, a slash at the end, other cases, or the bare term.
    """
    found = _ANY_TERM.fullmatch(stated.strip())
    return stated if found is None else _BY_LOWER_CASE.get(found[1].lower(), stated)


def term(source_type: str) -> str:
    """The last part of a NewsCodes URI (``trainedAlgorithmicMedia``), or the text as it is."""
    return canonical(source_type).removeprefix(_TERMS)


def _stated(packet: bytes) -> Iterator[str]:
    if b"<!" in packet:  # entities have no place in XMP, and can be made to grow without end
        return
    try:
        root = ET.fromstring(packet)  # noqa: S314 - bounded, and without entities
    except (ET.ParseError, ValueError, LookupError):
        return
    for element in root.iter():
        if element.tag == _PROPERTY:
            yield element.get(_RESOURCE) or element.text or ""
        yield element.get(_PROPERTY, "")


def _insert(path: Path, offset_bytes: int, part: bytes) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:offset_bytes] + part + whole[offset_bytes:])


def _jpeg_segment(xmp: bytes) -> bytes:
    body = _JPEG_XMP + xmp
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body  # APP1; the length counts itself


def _png_chunk(xmp: bytes) -> bytes:
    body = b"iTXt" + _PNG_XMP + xmp
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def _mp4_box(xmp: bytes) -> bytes:
    body = b"uuid" + _MP4_XMP + xmp
    return (len(body) + 4).to_bytes(4, "big") + body
