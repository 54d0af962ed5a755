r"""The invisible watermark: 32 bits in the pixels themselves, for pictures and films.

>>> from unmask.provenance.watermark import embed, read
>>> marked = embed(image, bytes.fromhex("0badcafe"))  # doctest: +SKIP
>>> read(marked)  # doctest: +SKIP
WatermarkReading(found=True, payload=b'\x0b\xad\xca\xfe', bit_agreement=1.0, ...)

It outlives what files meet by accident: JPEG, film codecs, resizing, cropping. It is no lock:
whoever wants to wash it out can. Not finding one says nothing about a picture.

Two small networks were trained together (``unmask.train.watermark``): one shapes a periodic
spread-spectrum pattern to what the picture can hide, the other tells the pattern from the
picture. Between them stand a fixed pattern, an error-correcting code and a search, whose
false-alarm probability is stated for each reading. Runs on OpenVINO; needs no PyTorch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import LabelFailed, ModelUnavailable, UsageError
from unmask.inference import Session
from unmask.provenance import _error_correction, _watermark_search, _watermark_tile
from unmask.provenance._error_correction import PAYLOAD_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

__all__ = [
    "LOG10_FALSE_ALARM",
    "MIN_PSNR_DB",
    "MIN_READ_PX",
    "MIN_SIDE_PX",
    "PAYLOAD_BYTES",
    "FilmWatermarkReader",
    "WatermarkReading",
    "embed",
    "prepare_to_read",
    "read",
    "readable_copy",
]

MIN_SIDE_PX = 128
MIN_PSNR_DB = 39.0  # but for the rounding to whole grey levels
MIN_READ_PX = 32
"""Shorter side below which nothing is looked for: what is left of a mark could not be told."""
# The networks see the shorter side at a fixed size, so a strip costs by its length.
_MAX_EMBED_RATIO, _MAX_READ_RATIO = 32, 8
_COPY_PX = 512
# What counts as found: one unmarked picture in ten million, by the bound of the search.
LOG10_FALSE_ALARM = -7.0
_WEIGHTS = {
    "watermark-embedder.onnx": "9c94605d75c2dd06fcab5061b197125c44598d6997b5608d3c8f42ae8a55cb71",
    "watermark-reader.onnx": "af0c7dd5bc244a540d3ca02492e3803de2112602158037a1f007adcf5ad0b147",
}


@dataclass(frozen=True, slots=True)
class WatermarkReading:
    """What was read from a picture or film.

    Attributes:
        found: A watermark of ours is there.
        payload: Its 4 bytes; None where none was found.
        bit_agreement: Share of the 192 coded bits that agree with the likeliest payload, 0..1;
            about two thirds for anything unmarked, since the likeliest of so many always fits.
        log10_false_alarm: log10 of an upper bound for the chance that an unmarked picture looks
            this much like a marked one, all that was tried counted in; 0 where it means nothing.
    """

    found: bool
    payload: bytes | None
    bit_agreement: float
    log10_false_alarm: float


_NOTHING = WatermarkReading(found=False, payload=None, bit_agreement=0.0, log10_false_alarm=0.0)


def embed(image: Image, payload: bytes) -> Image:
    """Hide 4 bytes in a picture.

    Args:
        image: (H, W, 3) uint8 RGB, at least 128 px on either side.
        payload: 4 bytes.

    Returns:
        (H, W, 3) uint8 RGB. The PSNR is at least 39 dB.

    Raises:
        UsageError: The payload has not 4 bytes, or the picture is no 8-bit RGB.
        LabelFailed: The picture is too small, or longer than 32 times its width.
        ModelUnavailable: The bundled network is absent or was altered.
    """
    _check(image)
    if len(payload) != PAYLOAD_BYTES:
        raise UsageError(
            f"A watermark carries {PAYLOAD_BYTES} bytes, and {len(payload)} were given.",
            hint="Give a number of 32 bits, such as the start of a digest.",
        )
    height, width = image.shape[:2]
    _check_room(height, width)
    size = _watermark_search.canonical_size(height, width)
    inputs = {
        "pixels": _watermark_search.shrunk(image, size),
        "pattern": _pattern(payload, *size),
    }
    change = _session("watermark-embedder.onnx").run_named(inputs)[0][0]
    change *= strength(min(height, width))
    change *= min(1.0, 255 * 10 ** (-MIN_PSNR_DB / 20) / float(np.sqrt((change**2).mean())))
    wide = cv2.resize(
        np.ascontiguousarray(change.transpose(1, 2, 0)),
        (width, height),
        interpolation=cv2.INTER_CUBIC if height <= 4 * size[0] else cv2.INTER_LINEAR,
    )
    marked: Image = cv2.add(image, wide, dtype=cv2.CV_8U)
    return marked


def strength(shorter_px: NDArray[np.int64] | int) -> Any:
    """Grey levels by which a change of visible power 1 is multiplied.

    The larger a picture, the less do codecs harm waves of a given share of it.
    """
    return np.maximum(2.4 * (np.asarray(shorter_px) / MIN_SIDE_PX) ** -0.26, 1.4)


def read(image: Image) -> WatermarkReading:
    """Look for a watermark in one picture.

    Args:
        image: (H, W, 3) uint8 RGB of any size; it may have been resized, and up to three tenths
            of either side cut away.

    Raises:
        UsageError: The picture is no 8-bit RGB.
        ModelUnavailable: The bundled network is absent or was altered.
    """
    _check(image)
    if min(_sides(image)) < MIN_READ_PX:
        return _NOTHING
    image = _middle(image)
    whole = _evidence(image, 0)
    found = _watermark_search.untouched(_waves(whole))
    if found.log10_false_alarm > LOG10_FALSE_ALARM:
        found = _watermark_search.search(_spectra(image, whole))
    return _reading(found)


def readable_copy(image: Image) -> Image:
    """Shrink a picture as far as reading it later does not suffer, to at most 6 MB.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (h, w, 3), its middle where it is a strip, with a shorter side of at most 512 px.
    """
    image = _middle(image)
    height, width = _sides(image)
    shorter_px = min(height, width)
    if shorter_px <= _COPY_PX:
        return image
    size = (width * _COPY_PX // shorter_px, height * _COPY_PX // shorter_px)
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def prepare_to_read() -> None:
    """Begin to compile the reader network, once in a process, so that no reading has to wait.

    Raises:
        ModelUnavailable: The bundled network is absent or was altered.
    """
    _session("watermark-reader.onnx")


class FilmWatermarkReader:
    """Looks for one watermark in all frames of a film together.

    What is too weak in any single frame adds up. Frames may be left out; a few dozen are enough.
    """

    def __init__(self) -> None:
        self._spectra: NDArray[np.complex64] | None = None

    def add(self, image: Image) -> None:
        """Take one frame in: (H, W, 3) uint8 RGB.

        Raises:
            UsageError: It is no 8-bit RGB.
            ModelUnavailable: The bundled network is absent or was altered.
        """
        _check(image)
        if min(_sides(image)) < MIN_READ_PX:
            return
        image = _middle(image)
        spectra = _spectra(image, _evidence(image, 0))
        self._spectra = spectra if self._spectra is None else self._spectra + spectra

    def reading(self) -> WatermarkReading:
        """What the frames so far say together; nothing is found in no frames."""
        if self._spectra is None:
            return _NOTHING
        return _reading(_watermark_search.search(self._spectra))


def _reading(found: _watermark_search.Found) -> WatermarkReading:
    sure = found.log10_false_alarm <= LOG10_FALSE_ALARM
    return WatermarkReading(
        found=sure,
        payload=found.payload if sure else None,
        bit_agreement=found.bit_agreement,
        log10_false_alarm=found.log10_false_alarm,
    )


def _evidence(image: Image, look: int) -> Floats:
    """(h, w): what the reader network sees with the shorter side at ``LOOKS_PX[look]``."""
    size = _watermark_search.canonical_size(*_sides(image), _watermark_search.LOOKS_PX[look])
    pixels = _watermark_search.shrunk(image, size)
    evidence: Floats = _session("watermark-reader.onnx").run(pixels)[0][0, 0]
    return evidence


def _middle(image: Image) -> Image:
    """The middle of a strip: the pattern repeats, so any part of it will do."""
    height, width = _sides(image)
    longest = _MAX_READ_RATIO * min(height, width)
    top, left = max(height - longest, 0) // 2, max(width - longest, 0) // 2
    return np.ascontiguousarray(image[top : top + longest, left : left + longest])


def _check_room(height_px: int, width_px: int) -> None:
    shorter, longer = sorted((height_px, width_px))
    if shorter < MIN_SIDE_PX:
        raise LabelFailed(
            f"A picture of {width_px}x{height_px} px is too small for the invisible watermark, "
            f"which needs {MIN_SIDE_PX} px on either side.",
            hint="Make the picture larger.",
        )
    if longer > _MAX_EMBED_RATIO * shorter:
        raise LabelFailed(
            f"A picture of {width_px}x{height_px} px is too long and narrow for the invisible "
            f"watermark, which takes sides of at most {_MAX_EMBED_RATIO} to 1.",
            hint="Cut the picture into parts.",
        )


def _sides(image: Image) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _waves(evidence: Floats) -> NDArray[np.complex64]:
    return _watermark_tile.band_of(_watermark_tile.folded(evidence))


def _spectra(image: Image, whole: Floats) -> NDArray[np.complex64]:
    """(scales, K) waves of folded evidence."""
    looks = [whole, *(_evidence(image, n) for n in range(1, len(_watermark_search.LOOKS_PX)))]
    rows = [_watermark_tile.folded(whole)]
    for scale in _watermark_search.scales()[1:].tolist():
        look = looks[_watermark_search.look_of(scale)]
        rows.append(
            _watermark_tile.folded(_watermark_search.evidence_at(look, _sides(image), scale))
        )
    return _watermark_tile.band_of(np.stack(rows))


@lru_cache(maxsize=8)
def _pattern(payload: bytes, height_px: int, width_px: int) -> Floats:
    tile = _watermark_tile.tile_of(_watermark_tile.direction(_error_correction.encode(payload)))
    return _watermark_tile.laid(tile, height_px, width_px)[None, None]


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise UsageError(
            f"A picture of shape {image.shape} and type {image.dtype} was given.",
            hint="Give (height, width, 3) of uint8, RGB.",
        )


@cache
def _session(name: str) -> Session:
    packaged = files("unmask.provenance").joinpath("weights", name)
    with as_file(packaged) as path:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelUnavailable(
                f"The bundled network {name} cannot be read: {error.strerror}.",
                hint="Install Unmask again.",
            ) from error
        if digest != _WEIGHTS[name]:
            raise ModelUnavailable(
                f"The bundled network {name} has SHA-256 {digest}, expected {_WEIGHTS[name]}.",
                hint="It was altered or only partly installed. Install Unmask again.",
            )
        # In the background, unless the file was only unpacked for as long as this block lasts.
        return Session(path, wait=path != packaged)
