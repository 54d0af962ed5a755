"""The pattern of the watermark: one square tile, repeated over the picture, in a band of waves.

A tile is a sum of orthonormal carriers: one that never changes, by which the reader finds scale
and place (the beacon), and one for each coded bit, added or subtracted. The carriers are rows of a
fixed pseudo-random rotation of all waves of the band, so that whatever a picture shows, its
likeness to them is that of a random direction; this is what the false-alarm probability rests on.

Source: spread spectrum with a periodic tile (Kutter, "Watermarking Resistance to Translation,
Rotation, and Scaling", SPIE 1998, and Cox et al., "Secure Spread Spectrum Watermarking for
Multimedia", IEEE TIP 1997); the exact tail of a normalised correlation after Miller and Bloom,
"Computing the Probability of False Watermark Detection", IH 1999.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from unmask.provenance._error_correction import CODED_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

SIDE_PX = 64
# Waves a tile: the shortest must outlive halving a picture whose shorter side is 128 px; the
# longest must tell itself from the light of the scene.
_LOWEST, _HIGHEST = 4.0, 13.0
BEACON_SHARE = 0.25
_KEY = b"unmask invisible watermark, version 1"


@cache
def waves() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The band: (K,) rows and (K,) columns of a tile's ``rfft2`` that the carriers use."""
    columns, rows = np.meshgrid(np.arange(SIDE_PX // 2 + 1), np.arange(SIDE_PX))
    upright = np.where(rows < SIDE_PX // 2, rows, rows - SIDE_PX)
    radius = np.hypot(upright, columns)
    # Of a conjugate pair in the first column only one is kept.
    chosen = (radius >= _LOWEST) & (radius <= _HIGHEST) & ((columns > 0) | (upright > 0))
    return rows[chosen].astype(np.int64), columns[chosen].astype(np.int64)


def dimensions() -> int:
    """Real dimensions D of the band: a cosine and a sine for each wave."""
    return 2 * len(waves()[0])


@cache
def carriers() -> Floats:
    """(1 + coded bits, D) orthonormal rows: the beacon, then a carrier for each coded bit."""
    size = dimensions()
    count = 1 + CODED_BITS
    stream = np.frombuffer(hashlib.shake_256(_KEY).digest(count * size * 8), "<u4")
    uniform = (stream.astype(np.float64) + 0.5) / 2.0**32
    first, second = uniform.reshape(2, count, size)
    normal = np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second)
    basis, triangle = np.linalg.qr(normal.T)
    rows: Floats = (basis * np.sign(np.diag(triangle))).T.astype(np.float32)
    rows.flags.writeable = False
    return rows


def direction(coded: NDArray[np.int8]) -> Floats:
    """(..., coded bits) of +1 and -1 -> (..., D) unit vectors of the band."""
    signs = coded.astype(np.float32) * np.float32(math.sqrt((1 - BEACON_SHARE) / CODED_BITS))
    rows = carriers()
    unit: Floats = np.float32(math.sqrt(BEACON_SHARE)) * rows[0] + signs @ rows[1:]
    return unit


def spectrum_of(vectors: Floats) -> NDArray[np.complex64]:
    """(..., D) vectors -> (..., K) waves, the inverse of :func:`vector_of`."""
    half = vectors.shape[-1] // 2
    waves_: NDArray[np.complex64] = (vectors[..., :half] + 1j * vectors[..., half:]).astype(
        np.complex64
    )
    return waves_


def vector_of(spectrum: NDArray[np.complex64]) -> Floats:
    """(..., K) waves -> (..., D) real vectors."""
    vector: Floats = np.concatenate([spectrum.real, spectrum.imag], -1).astype(np.float32)
    return vector


def tile_of(vector: Floats) -> Floats:
    """(D,) unit vector -> (64, 64) tile of zero mean and unit variance."""
    spectrum = np.zeros((SIDE_PX, SIDE_PX // 2 + 1), np.complex64)
    rows, columns = waves()
    spectrum[rows, columns] = spectrum_of(vector)
    spectrum[-rows % SIDE_PX, columns] += np.where(columns == 0, spectrum_of(vector).conj(), 0)
    tile: Floats = np.fft.irfft2(spectrum, (SIDE_PX, SIDE_PX)).astype(np.float32)
    return tile / np.float32(tile.std())


def laid(tile: Floats, height_px: int, width_px: int) -> Floats:
    """(64, 64) tile -> (height, width): repeated from the upper left corner."""
    times = (-(-height_px // SIDE_PX), -(-width_px // SIDE_PX))
    return np.ascontiguousarray(np.tile(tile, times)[:height_px, :width_px])


def folded(plane: Floats) -> Floats:
    """(H, W) plane -> (64, 64): the sum of all its tiles, the lower right ones cut short."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % SIDE_PX), (0, -width % SIDE_PX)))
    rows, columns = padded.shape[0] // SIDE_PX, padded.shape[1] // SIDE_PX
    total: Floats = padded.reshape(rows, SIDE_PX, columns, SIDE_PX).sum((0, 2))
    return total


def band_of(tile: Floats) -> NDArray[np.complex64]:
    """(..., 64, 64) folded evidence -> (..., K) waves of the band."""
    rows, columns = waves()
    spectrum: NDArray[np.complex64] = np.fft.rfft2(tile)[..., rows, columns].astype(np.complex64)
    return spectrum


def moved(
    spectrum: NDArray[np.complex64], down_px: Floats, right_px: Floats
) -> NDArray[np.complex64]:
    """Undo a shift: waves of evidence whose tile begins at (down, right) -> as if at (0, 0)."""
    rows, columns = waves()
    phase = np.multiply.outer(down_px, rows) + np.multiply.outer(right_px, columns)
    turned: NDArray[np.complex64] = spectrum * np.exp(2j * np.pi / SIDE_PX * phase).astype(
        np.complex64
    )
    return turned


@cache
def _log10_half_sphere_share(size: int) -> float:
    # Of the integral of (1 - t^2)^((size - 3) / 2) over -1..1.
    return (
        0.5 * math.log(math.pi) + math.lgamma((size - 1) / 2) - math.lgamma(size / 2)
    ) / math.log(10)


def log10_tail(correlation: float) -> float:
    """log10 of the chance that a random direction is at least so like one given direction.

    Args:
        correlation: Cosine between the two, -1..1.
    """
    size = dimensions()
    if correlation <= 0:
        return 0.0
    if correlation >= 1:
        return -math.inf
    steps = np.linspace(correlation, 1, 4001)[:-1]
    logs = (size - 3) / 2 * np.log1p(-(steps**2))
    area = math.log(float(np.trapezoid(np.exp(logs - logs[0]), steps))) + float(logs[0])
    return min(area / math.log(10) - _log10_half_sphere_share(size), 0.0)
