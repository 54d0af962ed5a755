"""The bytes decide, never the name; playlists and their kin are refused by name."""

from __future__ import annotations

import pytest
from tests.media.conftest import FILMS, animation_bytes, picture_bytes

from unmask.errors import NoFrames, UnsupportedMedia
from unmask.media.sniff import HEAD_BYTES, Family, sniff

PICTURES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}


@pytest.mark.parametrize(("kind", "mime"), PICTURES.items())
def test_pictures(kind, mime):
    assert sniff(picture_bytes(kind)[:HEAD_BYTES]) == (Family.PICTURE, mime, kind)


def test_a_sequence_of_avif_pictures_is_a_film():
    head = animation_bytes("AVIF", [100, 100])[:HEAD_BYTES]
    assert sniff(head) == (Family.FILM, "image/avif", "mov")


FILM_MIMES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "3gp": "video/3gpp",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "mpg": "video/mpeg",
    "ts": "video/mp2t",
    "flv": "video/x-flv",
    "wmv": "video/x-ms-asf",
    "h264": "video/h264",
    "m2v": "video/mpeg",
}


@pytest.mark.parametrize("name", FILMS)
def test_films(name, film):
    with film(name).open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    assert found.family is Family.FILM
    assert found.mime == FILM_MIMES[name.rpartition(".")[2]]


@pytest.mark.parametrize(("stride", "first"), [(188, 0), (192, 4), (204, 0)])
def test_transport_streams_with_and_without_time_codes(stride, first):
    head = bytearray(HEAD_BYTES)
    head[first::stride] = b"\x47" * len(head[first::stride])
    assert sniff(bytes(head)) == (Family.FILM, "video/mp2t", "mpegts")


REFUSED = {
    "hls": (b"#EXTM3U\n#EXTINF:5,\nhttp://example.org/a.ts\n", "HLS"),
    "hls with mark": (b"\xef\xbb\xbf  #EXTM3U\nfile:///etc/passwd\n", "HLS"),
    "hls in utf-16": ("\ufeff#EXTM3U\na.ts\n".encode("utf-16-le"), "HLS"),
    "concat": (b"ffconcat version 1.0\nfile 'other.mp4'\n", "concat"),
    "concat bare": (b"file '/etc/passwd'\n", "concat"),
    "dash": (b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash'></MPD>", "DASH"),
    "sdp": (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "SDP"),
    "pls": (b"[playlist]\nFile1=http://example.org\n", "PLS"),
    "svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "html": (b"<!DOCTYPE html><html></html>", "web page"),
    "text": ("Ein Text ohne Bild, mit Umlauten: äöü.".encode(), "text"),
    "zip": (b"PK\x03\x04" + bytes(40), "ZIP"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "office"),
    "gzip": (b"\x1f\x8b\x08" + bytes(40), "gzip"),
    "program": (b"\x7fELF" + bytes(40), "program"),
    "letters BM": (b"BM is how this text begins, and no more.", "text"),
    "zeros": (bytes(4096), "no known kind"),
    "one byte": (b"\xff", "no known kind"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    head, word = REFUSED[name]
    with pytest.raises(UnsupportedMedia, match=word) as caught:
        sniff(head)
    assert caught.value.hint


@pytest.mark.parametrize(
    "head",
    [b"ID3\x04" + bytes(20), b"fLaC" + bytes(20), b"RIFF\x24\0\0\0WAVEfmt ", b"\xff\xfb\x90\x44"],
)
def test_sound_has_no_frames(head):
    with pytest.raises(NoFrames, match="sound"):
        sniff(head)
