"""Where the time of a picture goes, stage by stage, with the models loaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.results import Row
from unmask.detectors.views import face_views, to_pixels
from unmask.faces.finder import FaceFinder
from unmask.faces.mesh import upright_region
from unmask.media import Sampling, open_media
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.bench.scoring import Scans
    from unmask.detectors import Detector
    from unmask.types import Face, Image


def throughput_row(scanner: Scans, pictures: Sequence[Path]) -> Row:
    """Pictures a second through the whole of scan, models loaded, one after the other."""
    scanner.scan(pictures[0])  # once unmeasured: the first call compiles and allocates
    started = time.perf_counter()
    for path in pictures:
        scanner.scan(path)
    rate = len(pictures) / (time.perf_counter() - started)
    return Row(
        key="throughput", text="Pictures of 720p through the whole of scan", value=rate,
        unit="img/s", note=f"{len(pictures)} JPEGs, models loaded, one process",
    )  # fmt: skip


def stage_rows(detector: Detector, pictures: Sequence[Path]) -> list[Row]:
    """Milliseconds a picture for reading, finding, cutting out and scoring."""
    finder = FaceFinder()
    images = [_read(path) for path in pictures]
    faces = [finder.find(image) for image in images]
    pairs = [(image, found[0]) for image, found in zip(images, faces, strict=True) if found]
    crops = [_crop(detector, image, face) for image, face in pairs]
    stages: list[tuple[str, str, Callable[[], object]]] = [
        ("read", "open, hash and decode", lambda: [_read(path) for path in pictures]),
        ("find", "find faces and landmarks", lambda: [finder.find(image) for image in images]),
        ("cut", "cut out one face", lambda: [_crop(detector, *pair) for pair in pairs]),
        ("score", "score one face", lambda: [detector.predict(pixels) for pixels in crops]),
    ]
    return [
        Row(key=f"stage_{key}", text=f"Stage: {text}", value=_ms(work) / len(pictures), unit="ms",
            note="a picture of 720p")
        for key, text, work in stages
    ]  # fmt: skip


def _ms(work: Callable[[], object]) -> float:
    work()
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000.0


def _read(path: Path) -> Image:
    with open_media(path, limits=Limits(), sampling=Sampling()) as media:
        return next(iter(media.frames())).image


def _crop(detector: Detector, image: Image, face: Face) -> np.ndarray:
    """Every view of one face, as the network takes them."""
    spec = detector.spec
    return to_pixels(face_views(image, upright_region(face.landmarks, 1.0), spec), spec)
