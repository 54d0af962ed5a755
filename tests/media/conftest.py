"""Sample pictures and films, made here with Pillow and PyAV; none is stored in the repository."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from unmask.types import Limits

WIDTH, HEIGHT = 96, 64


def card(number: int = 0, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A smooth picture with a bright upper left corner, a little different for each number."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack(
        [(x * 2 + number * 3) % 256, (y * 3) % 256, (x + y + number * 5) % 256], axis=-1
    ).astype(np.uint8)
    image[: height // 4, : width // 4] = 255 - number % 64
    return image


def picture_bytes(kind: str, image: np.ndarray | None = None, **options) -> bytes:
    picture = Image.fromarray(card() if image is None else image)
    buffer = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(buffer, quality=90, **options)
    else:
        picture.save(buffer, kind, **options)
    return buffer.getvalue()


def animation_bytes(kind: str, durations_ms: Sequence[int], **options) -> bytes:
    frames = [Image.fromarray(card(40 * n)) for n in range(len(durations_ms))]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        kind,
        save_all=True,
        append_images=frames[1:],
        duration=list(durations_ms),
        **options,
    )
    return buffer.getvalue()


def write_sample_film(
    path: Path,
    codec: str = "libx264",
    *,
    container: str | None = None,
    pts: Sequence[int] = tuple(range(50)),
    time_base: Fraction = Fraction(1, 25),
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    pix_fmt: str = "yuv420p",
    sound: bool = False,
) -> Path:
    """Write one frame at each of ``pts`` (in ``time_base``), and a beep if wanted."""
    with av.open(str(path), "w", format=container, options=container_options or {}) as film:
        stream = film.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        beep = film.add_stream("aac", rate=8000) if sound else None
        for number, time in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(card(number, *size), format="rgb24")
            frame.pts, frame.time_base = time, time_base
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        if beep is not None:
            write_beep(film, beep)
    return path


def write_beep(film, stream, samples: int = 16000) -> None:
    wave = (8000 * np.sin(np.arange(samples) / 4)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate = 8000
    resampled = av.AudioResampler(format="fltp", layout="mono", rate=8000).resample(frame)
    for part in [*resampled, None]:
        film.mux(stream.encode(part))


X264 = {"g": "12", "bf": "2", "x264-params": "log-level=none:threads=1"}
QUICK_VPX = {"g": "12", "deadline": "realtime", "cpu-used": "8"}

FILMS: dict[str, tuple[str, dict]] = {
    "h264.mp4": ("libx264", {"options": X264, "container_options": {"movflags": "faststart"}}),
    "tail.mp4": ("libx264", {"options": X264}),
    "hevc.mp4": ("libx265", {"options": {"x265-params": "log-level=none:keyint=12:pools=1"}}),
    "h264.mov": ("libx264", {"options": X264}),
    "mpeg4.3gp": ("mpeg4", {"options": {"g": "12"}}),
    "h264.mkv": ("libx264", {"options": X264}),
    "vp9.webm": ("libvpx-vp9", {"options": QUICK_VPX}),
    "vp8.webm": ("libvpx", {"options": QUICK_VPX}),
    "mpeg4.avi": ("mpeg4", {"options": {"g": "12", "bf": "2"}}),
    "h264.avi": ("libx264", {"options": X264}),
    "mjpeg.avi": ("mjpeg", {"pix_fmt": "yuvj420p"}),
    "mpeg1.mpg": ("mpeg1video", {"options": {"g": "12", "bf": "2"}}),
    "mpeg2.mpg": ("mpeg2video", {"options": {"g": "12", "bf": "2"}, "container": "vob"}),
    "h264.ts": ("libx264", {"options": X264, "container": "mpegts"}),
    "h264.flv": ("libx264", {"options": X264}),
    "wmv2.wmv": ("wmv2", {"options": {"g": "12"}, "container": "asf"}),
    "raw.h264": ("libx264", {"options": X264, "container": "h264"}),
    "raw.m2v": ("mpeg2video", {"options": {"g": "12"}, "container": "mpeg2video"}),
    "live.mkv": ("libx264", {"options": X264, "container_options": {"live": "1"}}),
}


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def film(film_folder: Path) -> Callable[[str], Path]:
    """Give the sample film of a name in ``FILMS``; each is written once."""

    def make(name: str) -> Path:
        path = film_folder / name
        if not path.exists():
            codec, options = FILMS[name]
            write_sample_film(path, codec, **options)
        return path

    return make


@pytest.fixture
def limits() -> Limits:
    return Limits()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises ``width`` x ``height`` pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )
