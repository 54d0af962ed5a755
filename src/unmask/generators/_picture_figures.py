"""How near made pictures come to real ones: means over pictures of :mod:`unmask.metrics.pictures`.

What is measured is what a viewer gets, 8-bit pictures, so that every method counts alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.metrics import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

HIGHEST_PSNR_DB = 100.0
"""What a picture without any error counts; a mean over pictures must stay finite."""


def psnr_db(made: Pixels, real: Pixels, masks: Floats | None = None) -> float:
    """Mean peak signal-to-noise ratio over pictures, in dB, each at most 100.

    Args:
        made: (N, S, S, 3) uint8.
        real: Likewise.
        masks: (N, S, S) weight of each pixel; pictures whose mask is empty are left out, and
            without any other the result is NaN. None: all pixels alike.
    """
    if masks is None:
        found = [pictures.psnr(one, other) for one, other in zip(made, real, strict=True)]
    else:
        found = [
            pictures.psnr(one, other, mask)
            for one, other, mask in zip(made, real, masks, strict=True)
            if mask.any()
        ]
    return float(np.minimum(found, HIGHEST_PSNR_DB).mean()) if found else float("nan")


def ssim(made: Pixels, real: Pixels) -> float:
    """Mean structural similarity over pictures, -1..1, each channel apart.

    Args:
        made: (N, S, S, 3) uint8, at least 11 pixels wide.
        real: Likewise.
    """
    found = [pictures.ssim(one, other) for one, other in zip(made, real, strict=True)]
    return float(np.mean(found))
