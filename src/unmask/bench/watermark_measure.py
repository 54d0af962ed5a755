"""Measuring a watermark: what it outlives, what it changes, and where it is seen unduly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.metrics.pictures import psnr
from unmask.provenance import watermark
from unmask.train import watermark_attacks
from unmask.train.film_codec import through_h264

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.bench.watermark_rivals import Scheme
    from unmask.types import Image

    Attack = Callable[[Image, np.random.Generator], Image]

ATTACKS: Mapping[str, Attack] = {
    "nothing": lambda image, _: image,
    "JPEG 50": lambda image, _: watermark_attacks.jpeg(image, 50),
    "JPEG 30": lambda image, _: watermark_attacks.jpeg(image, 30),
    "x0.5": lambda image, _: watermark_attacks.resized(image, 0.5),
    "x0.5 and back": lambda image, _: watermark_attacks.resized_and_back(image, 0.5),
    "20 % cut away": lambda image, rng: watermark_attacks.cropped(image, 0.2, rng),
    "40 % cut away": lambda image, rng: watermark_attacks.cropped(image, 0.4, rng),
    "x264 CRF 28": lambda image, _: watermark_attacks.film_coded(image, 28),
    "20 % cut, then JPEG 50": lambda image, rng: watermark_attacks.jpeg(
        watermark_attacks.cropped(image, 0.2, rng), 50
    ),
    "x0.5, then JPEG 50": lambda image, _: watermark_attacks.jpeg(
        watermark_attacks.resized(image, 0.5), 50
    ),
    "grey": lambda image, _: np.repeat(
        cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1
    ),
}
FILM_CRF = 28
_PRESET = "medium"


@dataclass(slots=True)
class Outlived:
    """How one scheme did on one group of pictures.

    Attributes:
        scheme: Name of the scheme.
        group: Name of the group.
        right: For each attack, whether the payload came back, one entry a picture.
        wrong: Payloads that were said to be found, and were others than embedded.
        psnr_db: Of each marked picture.
        embed_s: Seconds of processor time for each embedding.
    """

    scheme: str
    group: str
    right: dict[str, list[bool]] = field(default_factory=dict)
    wrong: int = 0
    psnr_db: list[float] = field(default_factory=list)
    embed_s: list[float] = field(default_factory=list)


def outlived(scheme: Scheme, group: str, images: Iterable[Image], seed: int) -> Outlived:
    """Mark each picture with a payload of its own, and read it after each attack."""
    result = Outlived(scheme.name, group, {name: [] for name in ATTACKS})
    rng = np.random.default_rng(seed)
    for image in images:
        if image[..., 0].size < scheme.min_px**2:
            continue
        payload = rng.bytes(4)
        started = time.process_time()
        marked = scheme.embed(image, payload)
        result.embed_s.append(time.process_time() - started)
        result.psnr_db.append(psnr(marked, image))
        for name, attack in ATTACKS.items():
            arrived = attack(marked, rng)
            if arrived[..., 0].size < scheme.min_px**2:
                continue
            came = scheme.read(arrived)
            result.right[name].append(came == payload)
            result.wrong += came is not None and came != payload
    return result


MARGIN_ATTACKS = ("nothing", "JPEG 50", "JPEG 30", "x264 CRF 28", "20 % cut, then JPEG 50")


def margins(
    schemes: Sequence[Scheme], images: Sequence[Image], seed: int
) -> dict[str, list[float]]:
    """How far from the threshold: for each scheme, a median bound (log10) for each attack."""
    medians = {}
    for scheme in schemes:
        assert scheme.bound is not None  # noqa: S101 - those without one are not asked
        rng = np.random.default_rng(seed)
        marked = [scheme.embed(image, rng.bytes(4)) for image in images]
        medians[scheme.name] = [
            float(np.median([scheme.bound(ATTACKS[name](image, rng)) for image in marked]))
            for name in MARGIN_ATTACKS
        ]
    return medians


@dataclass(frozen=True, slots=True)
class FilmOutlived:
    """One film, marked, coded and read.

    Attributes:
        name: File name.
        size: Width and height.
        psnr_db: Mean over its frames, before coding.
        frames: Share of single frames that gave the payload.
        film: Whether all frames together gave it.
        halved: Whether they did when the film was made half as large before coding.
        unmarked: log10 of the false-alarm bound for the same frames, coded without a mark.
    """

    name: str
    size: tuple[int, int]
    psnr_db: float
    frames: float
    film: bool
    halved: bool
    unmarked: float


def film_outlived(name: str, frames: Sequence[Image], payload: bytes) -> FilmOutlived:
    """Mark all frames of a film, pass them through x264, and look for the payload."""
    marked = [watermark.embed(frame, payload) for frame in frames]
    coded = through_h264(marked, crf=FILM_CRF, preset=_PRESET)
    half = [watermark_attacks.resized(frame, 0.5) for frame in marked]
    height, width = frames[0].shape[:2]
    readings = [watermark.read(frame) for frame in coded]
    return FilmOutlived(
        name=name,
        size=(width, height),
        psnr_db=float(np.mean([psnr(b, a) for a, b in zip(frames, marked, strict=True)])),
        frames=float(np.mean([reading.payload == payload for reading in readings])),
        film=_together(coded).payload == payload,
        halved=_together(through_h264(half, crf=FILM_CRF, preset=_PRESET)).payload == payload,
        unmarked=_together(
            through_h264(list(frames), crf=FILM_CRF, preset=_PRESET)
        ).log10_false_alarm,
    )


def _together(frames: Sequence[Image]) -> watermark.WatermarkReading:
    reader = watermark.FilmWatermarkReader()
    for frame in frames:
        reader.add(frame)
    return reader.reading()


def unmarked_bounds(paths: Iterable[Path], versions: int, seed: int) -> Iterator[float]:
    """log10 of the false-alarm bound of pictures that carry nothing.

    Args:
        paths: Picture files.
        versions: How many of each: as it is, then cut, resized and coded at random.
        seed: Seed of that.
    """
    rng = np.random.default_rng(seed)
    for path in paths:
        image = read_picture(path)
        for version in range(versions):
            yield watermark.read(_varied(image, rng) if version else image).log10_false_alarm


def _varied(image: Image, rng: np.random.Generator) -> Image:
    image = watermark_attacks.cropped(image, float(rng.uniform(0.05, 0.6)), rng)
    image = watermark_attacks.resized(image, float(rng.uniform(0.6, 1.6)))
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
    return watermark_attacks.random_attack(image, rng)


def read_picture(path: Path) -> Image:
    """(H, W, 3) uint8 RGB of a picture file."""
    from PIL import Image as Pillow

    with Pillow.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def embedding_time_s(size: tuple[int, int], repeats: int = 15) -> float:
    """Median processor time for embedding in one frame of (width, height), after a first."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    watermark.embed(image, bytes(4))
    times = []
    for number in range(repeats):
        started = time.process_time()
        watermark.embed(image, number.to_bytes(4))
        times.append(time.process_time() - started)
    return float(np.median(times))
