"""Tell by the first bytes what a file is, and refuse what is not to be opened.

The extension is never looked at. Each row of the table names the one reader (a Pillow plugin
or an FFmpeg demuxer) that may touch the bytes; nothing probes a file by trying decoders on it.
What FFmpeg would take for a playlist (HLS, DASH, concat scripts, SDP), and would follow to
other files or over the network, is refused here by name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from unmask.errors import NoFrames, UnsupportedMedia

HEAD_BYTES = 4096
"""How much of the start of a file :func:`sniff` wants to see."""

_ACCEPTED = (
    "Give a picture (JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF) or a film "
    "(MP4, MOV, MKV, WebM, AVI, MPEG, TS, FLV and the like)."
)


class Family(StrEnum):
    """Which reader opens the file."""

    PICTURE = "picture"
    FILM = "film"


class Sniffed(NamedTuple):
    """What the bytes are.

    Attributes:
        family: Picture (Pillow; one frame or an animation) or film (FFmpeg).
        mime: Media type.
        reader: Pillow format id, or FFmpeg demuxer name.
    """

    family: Family
    mime: str
    reader: str


# (offset, bytes there, answer); the first row that fits wins.
_MAGIC: tuple[tuple[int, bytes, Sniffed], ...] = (
    (0, b"\xff\xd8\xff", Sniffed(Family.PICTURE, "image/jpeg", "JPEG")),
    (0, b"\x89PNG\r\n\x1a\n", Sniffed(Family.PICTURE, "image/png", "PNG")),
    (0, b"GIF87a", Sniffed(Family.PICTURE, "image/gif", "GIF")),
    (0, b"GIF89a", Sniffed(Family.PICTURE, "image/gif", "GIF")),
    (0, b"II*\0", Sniffed(Family.PICTURE, "image/tiff", "TIFF")),
    (0, b"MM\0*", Sniffed(Family.PICTURE, "image/tiff", "TIFF")),
    (0, b"II+\0", Sniffed(Family.PICTURE, "image/tiff", "TIFF")),
    (0, b"MM\0+", Sniffed(Family.PICTURE, "image/tiff", "TIFF")),
    (0, b"FLV\x01", Sniffed(Family.FILM, "video/x-flv", "flv")),
    (0, b"\0\0\x01\xba", Sniffed(Family.FILM, "video/mpeg", "mpeg")),
    (0, b"\0\0\x01\xb3", Sniffed(Family.FILM, "video/mpeg", "mpegvideo")),
    (0, b"\0\0\x01\xb0", Sniffed(Family.FILM, "video/mp4v-es", "m4v")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Sniffed(Family.FILM, "video/x-ms-asf", "asf")),
    (0, b"OggS", Sniffed(Family.FILM, "video/ogg", "ogg")),
    (0, b"DKIF", Sniffed(Family.FILM, "video/x-ivf", "ivf")),
    (0, b"YUV4MPEG2", Sniffed(Family.FILM, "video/x-yuv4mpeg", "yuv4mpegpipe")),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01", Sniffed(Family.FILM, "application/mxf", "mxf")),
    (0, b".RMF", Sniffed(Family.FILM, "application/vnd.rn-realmedia", "rm")),
)

_SOUND: tuple[tuple[int, bytes], ...] = (
    (0, b"ID3"),
    (0, b"fLaC"),
    (0, b"\xff\xfb"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf1"),
    (0, b"#!AMR"),
    (8, b"WAVE"),
    (8, b"AIFF"),
)

_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"SQLite format 3", "a database"),
)

# First words, lower case, of texts that point to other files.
_PLAYLISTS: tuple[tuple[bytes, str], ...] = (
    (b"#extm3u", "an HLS or M3U playlist"),
    (b"ffconcat", "an FFmpeg concat script"),
    (b"file ", "an FFmpeg concat script"),
    (b"v=0", "an SDP session description"),
    (b"[playlist]", "a PLS playlist"),
    (b"[reference]", "an ASX playlist"),
    (b"rtsp://", "a stream address"),
    (b"http://", "a web address"),
    (b"https://", "a web address"),
)

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf"}
# First three letters of a major brand; picture sequences are films to FFmpeg.
_FILM_BRANDS = {
    b"avi": "image/avif",
    b"hev": "image/heic-sequence",
    b"msf": "image/heif-sequence",
    b"qt ": "video/quicktime",
    b"3gp": "video/3gpp",
    b"3g2": "video/3gpp2",
}
# Boxes with which QuickTime files without ``ftyp`` begin.
_MOV_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def sniff(head: bytes) -> Sniffed:
    """Say what a file is by its first bytes.

    Args:
        head: The first :data:`HEAD_BYTES` bytes, or all where there are fewer.

    Raises:
        UnsupportedMedia: Neither a picture nor a film that can be read, or a playlist.
        NoFrames: A sound file.
    """
    for offset, magic, found in _MAGIC:
        if head.startswith(magic, offset):
            return found
    found_by_structure = (
        _riff(head) or _iso(head) or _ebml(head) or _bmp(head) or _annex_b(head) or _ts(head)
    )
    if found_by_structure:
        return found_by_structure
    if any(head.startswith(magic, offset) for offset, magic in _SOUND):
        raise NoFrames("This is a sound file; there is no picture in it.", hint=_ACCEPTED)
    raise UnsupportedMedia(
        f"The bytes are {_name_of_other(head)}, not a picture or film that can be read.",
        hint=_ACCEPTED,
    )


def _riff(head: bytes) -> Sniffed | None:
    if head[:4] != b"RIFF":
        return None
    if head[8:12] == b"WEBP":
        return Sniffed(Family.PICTURE, "image/webp", "WEBP")
    if head[8:12] in {b"AVI ", b"AVIX"}:
        return Sniffed(Family.FILM, "video/x-msvideo", "avi")
    return None


def _iso(head: bytes) -> Sniffed | None:
    """ISO base media: MP4, MOV, 3GP, HEIC, AVIF."""
    box = head[4:8]
    if box in _MOV_BOXES:
        return Sniffed(Family.FILM, "video/quicktime", "mov")
    if box != b"ftyp":
        return None
    # A box size that is cut or wrong must not hide the major brand.
    size = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    major = head[8:12]
    compatible = {head[at : at + 4] for at in range(16, size - 3, 4)}
    if major == b"avif" or (major in _HEIC_BRANDS and b"avif" in compatible):
        return Sniffed(Family.PICTURE, "image/avif", "AVIF")
    if major in _HEIC_BRANDS:
        return Sniffed(Family.PICTURE, "image/heic", "HEIF")
    return Sniffed(Family.FILM, _FILM_BRANDS.get(major[:3], "video/mp4"), "mov")


def _ebml(head: bytes) -> Sniffed | None:
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    webm = b"webm" in head[:64]
    return Sniffed(Family.FILM, "video/webm" if webm else "video/x-matroska", "matroska")


def _bmp(head: bytes) -> Sniffed | None:
    # "BM" alone is two letters of any text: the header's own length must fit too.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Sniffed(Family.PICTURE, "image/bmp", "BMP")
    return None


def _annex_b(head: bytes) -> Sniffed | None:
    """Raw H.264 or H.265: a start code, then the header of the first NAL unit."""
    start = 4 if head[:4] == b"\0\0\0\x01" else 3 if head[:3] == b"\0\0\x01" else 0
    if not start or len(head) < start + 2 or head[start] & 0x80:
        return None
    first, second = head[start], head[start + 1]
    # H.265: parameter sets 32-34 or delimiter 35, layer 0, temporal id 1.
    if (first >> 1) & 0x3F in {32, 33, 34, 35} and first & 1 == 0 and second == 1:
        return Sniffed(Family.FILM, "video/h265", "hevc")
    # H.264: slice 5, message 6, parameter sets 7-8, delimiter 9.
    if first & 0x1F in {5, 6, 7, 8, 9}:
        return Sniffed(Family.FILM, "video/h264", "h264")
    return None


def _ts(head: bytes) -> Sniffed | None:
    """MPEG transport stream: 0x47 at every packet (188 bytes, or 192 with a time code)."""
    for stride, first in ((188, 0), (192, 4), (204, 0)):
        marks = head[first::stride]
        if len(marks) >= 2 and set(marks) == {0x47}:
            return Sniffed(Family.FILM, "video/mp2t", "mpegts")
    return None


def _name_of_other(head: bytes) -> str:
    for magic, name in _OTHER:
        if head.startswith(magic):
            return name
    text = _as_text(head)
    if text is None:
        return "of no known kind"
    pointer = next((name for start, name in _PLAYLISTS if text.startswith(start)), None)
    if pointer or b"<mpd" in text:
        return f"{pointer or 'a DASH manifest'}, which points to other files and is never followed"
    if b"<svg" in text:
        return "an SVG drawing"
    return "a web page" if text.startswith((b"<!doctype html", b"<html")) else "text"


def _as_text(head: bytes) -> bytes | None:
    """Lower-case text without byte-order mark and leading space, or None for binary data."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            head = head[: len(head) // 2 * 2].decode("utf-16").encode()
        except UnicodeDecodeError:
            return None
    if b"\0" in head:
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut at the end of the head.
        if error.reason != "unexpected end of data":
            return None
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
