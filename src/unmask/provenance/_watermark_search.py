"""Finding scale, place and payload of a watermark in the evidence that the reader network gives.

The pattern was laid on the picture at a size that follows from its shorter side. Resizing does not
change that size, cropping does: what is left may have any shorter side below the old one. So the
evidence is folded onto one tile for a row of scales, and the beacon is looked for at every half
pixel of each. All that was tried is priced into the false-alarm probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.provenance import _error_correction, _watermark_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

CANONICAL_PX = 128
# Shorter sides at which the network looks, each for the scales near it: it bears 8 % either way.
LOOKS_PX = (128, 112, 98)
_SMALLEST_SCALE, _SCALE_STEP = 0.7, 0.006
_FINE = 2  # places tried per pixel, along each axis
_CANDIDATES = 16


def scales() -> Floats:
    """Shares of the shorter side that may be left of the picture, from 1 downwards."""
    count = math.ceil(math.log(_SMALLEST_SCALE) / math.log1p(-_SCALE_STEP))
    shares: Floats = ((1 - _SCALE_STEP) ** np.arange(count + 1)).astype(np.float32)
    return shares


def log10_tries() -> float:
    """log10 of how many patterns are compared with one picture: scales, places and payloads."""
    places = (_FINE * _watermark_tile.SIDE_PX) ** 2
    payloads = 8 * _error_correction.PAYLOAD_BYTES * math.log10(2)
    return math.log10(len(scales()) * places) + payloads


def canonical_size(
    height_px: int, width_px: int, shorter_px: int = CANONICAL_PX
) -> tuple[int, int]:
    """(height, width) with the given shorter side, the longer one rounded to even."""
    factor = shorter_px / min(height_px, width_px)
    longer = max(2 * round(max(height_px, width_px) * factor / 2), shorter_px)
    return (shorter_px, longer) if height_px <= width_px else (longer, shorter_px)


def shrunk(image: Image, size: tuple[int, int]) -> Floats:
    """A picture at another size, as networks take it: (1, 3, h, w) float32 in 0..1."""
    smaller = size[0] <= image.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    small = cv2.resize(image, size[::-1], interpolation=method)
    pixels: Floats = np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)
    return pixels / np.float32(255)


def look_of(scale: float) -> int:
    """Which of ``LOOKS_PX`` serves a scale."""
    distances = [abs(math.log(look / (CANONICAL_PX * scale))) for look in LOOKS_PX]
    return distances.index(min(distances))


def evidence_at(evidence: Floats, shape: tuple[int, int], scale: float) -> Floats:
    """Resample evidence so that the pattern has its own size again, if ``scale`` is right.

    Args:
        evidence: (h, w) from the network.
        shape: (height, width) of the picture that it saw.
        scale: Share of the shorter side of the marked picture that the picture has.
    """
    wanted = CANONICAL_PX * scale / min(shape)
    down = wanted * shape[0] / evidence.shape[0]
    right = wanted * shape[1] / evidence.shape[1]
    move = np.array([[right, 0, (right - 1) / 2], [0, down, (down - 1) / 2]], np.float64)
    size = (math.ceil(evidence.shape[1] * right), math.ceil(evidence.shape[0] * down))
    moved: Floats = cv2.warpAffine(evidence, move, size, flags=cv2.INTER_LINEAR)
    return moved


@dataclass(frozen=True, slots=True)
class Found:
    """The likeliest mark.

    Attributes:
        payload: 4 bytes.
        correlation: Cosine between the evidence and the pattern of that payload.
        bit_agreement: Share of the coded bits whose sign agrees with the payload, 0..1.
        log10_false_alarm: log10 of a bound for the chance that an unmarked picture comes this far.
        scale: Share of the shorter side that is left of the marked picture.
    """

    payload: bytes
    correlation: float
    bit_agreement: float
    log10_false_alarm: float
    scale: float


def untouched(spectrum: NDArray[np.complex64]) -> Found:
    """The likeliest payload if nothing was cut away: (K,) waves at scale 1."""
    return _best(spectrum[None], np.ones(1, np.float32))


def search(spectra: NDArray[np.complex64]) -> Found:
    """The likeliest payload over all places and scales.

    Args:
        spectra: (scales, K) waves of the folded evidence, one row for each of :func:`scales`.
    """
    likeness, down, right = _beacon_peaks(spectra)
    chosen = np.argsort(likeness)[::-1][:_CANDIDATES]
    # What was never cut needs no search: it is always among the candidates.
    aligned = np.concatenate(
        [spectra[:1], _watermark_tile.moved(spectra[chosen], down[chosen], right[chosen])]
    )
    return _best(aligned, np.concatenate([scales()[:1], scales()[chosen]]))


@cache
def _beacon() -> NDArray[np.complex64]:
    return _watermark_tile.spectrum_of(_watermark_tile.carriers()[0])


def _beacon_peaks(spectra: NDArray[np.complex64]) -> tuple[Floats, Floats, Floats]:
    """For each scale the best likeness to the beacon, and how far down and right it lies."""
    side = _FINE * _watermark_tile.SIDE_PX
    rows, columns = _watermark_tile.waves()
    upright = np.where(rows < _watermark_tile.SIDE_PX // 2, rows, rows - _watermark_tile.SIDE_PX)
    # The columns beyond the band are empty: they are left out until the last transform.
    product = np.zeros((len(spectra), side, int(columns.max()) + 1), np.complex64)
    product[:, upright % side, columns] = spectra * _beacon().conj()
    edge = columns == 0  # their conjugates stand beside them, not across the axis
    product[:, -upright[edge] % side, 0] = product[:, upright[edge] % side, 0].conj()
    likeness = np.fft.irfft(np.fft.ifft(product, axis=1), side, axis=2).reshape(len(spectra), -1)
    best = likeness.argmax(-1)
    norms = np.linalg.norm(spectra, axis=-1) + 1e-12
    down, right = np.divmod(best, side)
    peak: Floats = (likeness[np.arange(len(best)), best] / norms).astype(np.float32)
    return peak, (down / _FINE).astype(np.float32), (right / _FINE).astype(np.float32)


def _best(aligned: NDArray[np.complex64], shares: Floats) -> Found:
    """The best of several candidates, (N, K) waves with the tile at its origin."""
    vectors = _watermark_tile.vector_of(aligned)
    vectors = vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + np.float32(1e-12))
    soft = vectors @ _watermark_tile.carriers()[1:].T
    payloads = _error_correction.decode(soft)
    coded = np.stack([_error_correction.encode(payload) for payload in payloads])
    correlation = (vectors * _watermark_tile.direction(coded)).sum(-1)
    one = int(correlation.argmax())
    return Found(
        payload=payloads[one],
        correlation=float(correlation[one]),
        bit_agreement=float((np.sign(soft[one]) == coded[one]).mean()),
        log10_false_alarm=min(
            log10_tries() + _watermark_tile.log10_tail(float(correlation[one])), 0.0
        ),
        scale=float(shares[one]),
    )
