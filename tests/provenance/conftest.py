"""Small files of every format that can carry credentials, and a fresh identity."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image
import pytest

SIDE_PX = 96
PICTURES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "gif": "GIF",
            "avif": "AVIF", "heic": "HEIF"}  # fmt: skip
FILMS = ("mp4", "mov", "avi")


def write_sample(path: Path) -> Path:
    """Noise, so that a byte in the middle of the file is a byte of picture data."""
    kind = path.suffix[1:]
    image = np.random.default_rng(7).integers(0, 255, (SIDE_PX, SIDE_PX, 3), np.uint8)
    if kind in FILMS:
        _write_film(path, image)
    else:
        if kind == "heic":
            import pillow_heif

            pillow_heif.register_heif_opener()
        PIL.Image.fromarray(image).save(path, PICTURES[kind])
    return path


def _write_film(path: Path, image: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = SIDE_PX
        stream.pix_fmt = "yuv420p"
        for shift in range(6):
            frame = av.VideoFrame.from_ndarray(np.roll(image, shift, 1).copy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def drawn(height: int = 160, width: int = 160, seed: int = 5) -> np.ndarray:
    """(H, W, 3): soft shapes and a little noise, so that a watermark has room."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (5, 5, 3), np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The provenance log of this test alone."""
    path = tmp_path / "log" / "log.db"
    monkeypatch.setenv("UNMASK_LOG", str(path))
    return path


@pytest.fixture
def folder_of_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the identity of this test is made; never that of whoever runs the tests."""
    folder = tmp_path / "identity"
    monkeypatch.setenv("UNMASK_IDENTITY", str(folder))
    return folder
