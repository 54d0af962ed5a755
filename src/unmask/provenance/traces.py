"""What camera, program and encoder left in a file: facts, never a verdict.

A missing camera name or a foreign table proves nothing: every platform rewrites both.

Source: ITU-T T.81 (JPEG), annexes B.2.4.1 (tables), B.2.2 (frame) and K.1 (example tables);
scaling of these by a quality as in libjpeg (jcparam.c, ``jpeg_quality_scaling``), in own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from unmask.media.origin import clean_tags
from unmask.provenance.strangers_file import opened

if TYPE_CHECKING:
    from unmask.types import MediaInfo

# Tags by which cameras, phones and programs name themselves, and what each is called here.
_TAGS = {
    "make": "camera_make",
    "model": "camera_model",
    "com.apple.quicktime.make": "camera_make",
    "com.apple.quicktime.model": "camera_model",
    "com.android.manufacturer": "camera_make",
    "com.android.model": "camera_model",
    "software": "software",
    "com.apple.quicktime.software": "software",
    "com.android.version": "android_version",
    "encoder": "encoder",
    "date_time": "written_at",
    "creation_time": "written_at",
    "major_brand": "container_brand",
}
_HEAD_BYTES = 1 << 20
_ENCODER_LINE = re.compile(rb"(x26[45]) [-(](?: core)? ?([^\0]{1,1500})")
# T.81 table K.1, the example for luminance, in zig-zag order as it is written into files.
_LUMINANCE = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35,
    37, 29, 40, 58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109,
    81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
_SUBSAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1"}
_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}


def traces_of(path: Path, info: MediaInfo) -> dict[str, str]:
    """Traces by name: camera, software, encoder settings, JPEG tables.

    Raises:
        InputError: The file cannot be read.
    """
    found: dict[str, object] = {}
    for tag, text in info.metadata.items():
        if tag.lower() in _TAGS:
            found.setdefault(_TAGS[tag.lower()], text)
    with opened(path, max_bytes=None) as file:
        if info.mime == "image/jpeg":
            found.update(_jpeg(file.read(_HEAD_BYTES)))
        elif info.kind == "video":
            found.update(_encoder_settings(file))
    return dict(sorted(clean_tags(found.items()).items()))


def _jpeg(head: bytes) -> Iterator[tuple[str, str]]:
    for marker, body in _segments(head):
        if marker == 0xDB:
            yield from _tables(body)
        elif marker in _FRAMES and len(body) >= 8:
            yield "jpeg_coding", _FRAMES[marker]
            if body[5] == 3:
                factors = (body[7] >> 4, body[7] & 15)
                yield "jpeg_chroma", _SUBSAMPLING.get(factors, f"{factors[0]}x{factors[1]}")


def _segments(head: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker segments up to the picture data, as (marker, body)."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker == 0xDA or length < 2:
            return
        yield marker, head[at + 4 : at + 2 + length]
        at += 2 + length


def _tables(body: bytes) -> Iterator[tuple[str, str]]:
    """What the luminance table says of the program that wrote the file."""
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 64 * (1 + (wide > 0))
        table = body[at + 1 : at + 1 + size]
        if number == 0 and not wide and len(table) == 64:
            quality = _quality(tuple(table))
            yield "jpeg_tables", f"standard, quality {quality}" if quality else "not the standard's"
        at += 1 + size


def _quality(table: tuple[int, ...]) -> int | None:
    """The quality whose scaling of the standard's table gives this one, or None."""
    return next((quality for quality in range(100, 0, -1) if _scaled(quality) == table), None)


def _scaled(quality: int) -> tuple[int, ...]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(255, max(1, (value * scale + 50) // 100)) for value in _LUMINANCE)


def _encoder_settings(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """The line that x264 and x265 write into the stream: version and settings."""
    for offset in (0, _picture_data(file)):
        file.seek(offset)
        found = _ENCODER_LINE.search(file.read(_HEAD_BYTES))
        if found is not None:
            line = found[0].decode("ascii", "replace")
            rate = re.search(r"\b(crf|bitrate|qp)=[\d.]+", line)
            version = " ".join(line.split(" - H.26")[0].split()[:6])
            yield "video_encoder", f"{version} {rate[0]}" if rate else version
            return


def _picture_data(file: BinaryIO) -> int:
    """Where the first ``mdat`` box of an ISO film begins; 0 where there is none."""
    at = 0
    for _ in range(64):
        file.seek(at)
        head = file.read(16)
        if len(head) < 16:
            return 0
        if head[4:8] == b"mdat":
            return at
        length = int.from_bytes(head[:4], "big")
        at += max(8, int.from_bytes(head[8:16], "big") if length == 1 else length)
    return 0
