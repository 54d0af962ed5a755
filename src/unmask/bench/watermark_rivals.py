"""What the invisible watermark is compared with: published ones, and itself without training.

None of these ships. ``invisible-watermark`` is installed by hand for the comparison
(``pip install --no-deps invisible-watermark`` beside PyWavelets and onnxruntime); rows of absent
packages are left out.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.provenance import (
    _error_correction,
    _watermark_search,
    _watermark_tile,
    watermark,
)

if TYPE_CHECKING:
    from unmask.types import Floats, Image


UNTRAINED = "ours, untrained"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of marking pictures with 4 bytes.

    Attributes:
        name: As in the table.
        embed: (image, payload) -> marked image.
        read: Image -> payload, or None where it says that there is none.
        bound: Image -> log10 of the bound of the false-alarm probability; None where there is none.
        min_px: It takes pictures of at least as many pixels as a square of this side, where they
            are marked and where they are read.
    """

    name: str
    embed: Callable[[Image, bytes], Image]
    read: Callable[[Image], bytes | None]
    min_px: int
    bound: Callable[[Image], float] | None = None


def ours() -> Scheme:
    """The watermark that ships."""
    return Scheme(
        "ours",
        watermark.embed,
        lambda image: watermark.read(image).payload,
        1,
        lambda image: watermark.read(image).log10_false_alarm,
    )


def untrained() -> Scheme:
    """The same pattern, code and search, without the networks.

    The pattern is added in grey and as strong everywhere, to the mean square error of ours; the
    evidence is what differs from the surroundings, held within bounds.
    """
    return Scheme(
        UNTRAINED,
        _embed_plain,
        _read_plain,
        1,
        lambda image: _found_plain(image).log10_false_alarm,
    )


def published() -> list[Scheme]:
    """``dwtDct`` and ``rivaGan`` of the package invisible-watermark, where they are installed."""
    if importlib.util.find_spec("imwatermark") is None:
        return []
    return [_of_package("dwtDct"), _of_package("rivaGan")]


def _embed_plain(image: Image, payload: bytes) -> Image:
    size = _watermark_search.canonical_size(*_sides(image))
    vector = _watermark_tile.direction(_error_correction.encode(payload))
    plane = _watermark_tile.laid(_watermark_tile.tile_of(vector), *size)
    error = np.square(watermark.embed(image, payload).astype(np.float32) - image).mean()
    wide = cv2.resize(plane * np.sqrt(error), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    marked: Image = cv2.add(image, np.repeat(wide[..., None], 3, -1), dtype=cv2.CV_8U)
    return marked


def _sides(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _plain_evidence(image: Image, shorter_px: int) -> Floats:
    size = _watermark_search.canonical_size(*_sides(image), shorter_px)
    light = (_watermark_search.shrunk(image, size)[0] * 255).mean(0)
    around = cv2.blur(light, (9, 9), borderType=cv2.BORDER_REFLECT_101)
    evidence: Floats = np.clip((light - around) / 8, -1, 1)
    return evidence


def _read_plain(image: Image) -> bytes | None:
    found = _found_plain(image)
    return found.payload if found.log10_false_alarm <= watermark.LOG10_FALSE_ALARM else None


def _found_plain(image: Image) -> _watermark_search.Found:
    looks = [_plain_evidence(image, look) for look in _watermark_search.LOOKS_PX]
    rows = [_watermark_tile.folded(looks[0])]
    for scale in _watermark_search.scales()[1:].tolist():
        look = looks[_watermark_search.look_of(scale)]
        rows.append(
            _watermark_tile.folded(_watermark_search.evidence_at(look, _sides(image), scale))
        )
    return _watermark_search.search(_watermark_tile.band_of(np.stack(rows)))


def _of_package(method: str) -> Scheme:
    # Installed by hand for the comparison only; it ships no types.
    package: Any = importlib.import_module("imwatermark")

    if method == "rivaGan":
        package.WatermarkEncoder.loadModel()
        package.WatermarkDecoder.loadModel()

    def embed(image: Image, payload: bytes) -> Image:
        encoder: Any = package.WatermarkEncoder()
        encoder.set_watermark("bytes", payload)
        marked = encoder.encode(np.ascontiguousarray(image[..., ::-1]), method)
        return np.ascontiguousarray(marked[..., ::-1])

    def read(image: Image) -> bytes | None:
        decoder: Any = package.WatermarkDecoder("bytes", 32)
        return bytes(decoder.decode(np.ascontiguousarray(image[..., ::-1]), method))

    return Scheme(method, embed, read, 256)
