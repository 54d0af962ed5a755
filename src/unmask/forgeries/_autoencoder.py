"""Running the face autoencoders: a generator's trace without a change of content.

There are several, since each leaves traces of its own: one shuffles pixels to enlarge, one
transposes convolutions, one repeats pixels and was trained against a discriminator. All weights
were trained on the openly licensed portraits only (``unmask.train.face_autoencoder``), so forgeries
made with them may serve an open detector, too.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.alignment import align_region
from unmask.faces.mesh import Region, upright_region
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.types import Floats, Image

CODE = 32
REDUCTION = 16
PAINTERS = ("shuffle", "transposed", "nearest")
_PAINTER_SHARES = (0.4, 0.3, 0.3)
# Sides that the face is painted at: from the first face-swap programs to those of today.
_SIDES_PX = (96, 128, 160, 192, 224, 256, 288)
_SIDE_SHARES = (0.06, 0.14, 0.18, 0.2, 0.2, 0.12, 0.1)
_FEWEST, _FEW = 8, 22


@cache
def _session(painter: str) -> Session:
    packaged = files("unmask.forgeries").joinpath("weights", f"face-autoencoder-{painter}.onnx")
    with as_file(packaged) as path:
        return Session(path, threads=1)


def repaint(image: Image, landmarks: Floats, rng: np.random.Generator) -> Image:
    """Let an autoencoder paint the face of a picture again, at a random size and fidelity.

    Half of the time a part of the picture stays under the paint: generators of today keep more of
    a face than this small one can.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (468, 2) mesh points in its pixels.
        rng: Source of all randomness.

    Returns:
        (H, W, 3) uint8 RGB; the square around the face is painted, the rest is as it was.
    """
    margin = float(rng.uniform(1.15, 1.6))
    tilt = float(rng.normal(0, 0.03))
    region = upright_region(landmarks, margin)
    region = replace(region, roll_rad=region.roll_rad + tilt)
    side = int(rng.choice(_SIDES_PX, p=_SIDE_SHARES))
    # Mostly faithful: what gives a generator away must not always be that it blurs.
    kept = int(rng.integers(_FEW if rng.random() < 0.85 else _FEWEST, CODE + 1))
    crop = align_region(image, region, side).image
    painted = paint_again(crop, kept, str(rng.choice(PAINTERS, p=_PAINTER_SHARES)))
    if rng.random() < 0.5:
        share = float(rng.uniform(0.5, 0.9))
        painted = np.asarray(cv2.addWeighted(painted, share, crop, 1 - share, 0), np.uint8)
    if rng.random() < 0.4:
        painted = sharpened(painted, float(rng.uniform(0.3, 1.2)))
    return put_back(painted, image, region, cubic=bool(rng.random() < 0.6))


def paint_again(crop: Image, kept: int, painter: str = PAINTERS[0]) -> Image:
    """Pass a square crop through an autoencoder.

    Args:
        crop: (S, S, 3) uint8 RGB; S a multiple of 16.
        kept: Channels of the code that are kept, 1..``CODE``: fewer is less faithful.
        painter: Which autoencoder, one of :data:`PAINTERS`.

    Returns:
        (S, S, 3) uint8 RGB.
    """
    channels = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32)
    pixels: Floats = channels / np.float32(255)
    keep = (np.arange(CODE) < kept).astype(np.float32).reshape(1, CODE, 1, 1)
    painted = _session(painter).run_named({"pixels": pixels, "keep": keep})[0][0]
    image: Image = np.clip(np.rint(painted.transpose(1, 2, 0) * 255), 0, 255).astype(np.uint8)
    return image


def sharpened(image: Image, amount: float) -> Image:
    """Unsharp masking; ``amount`` is the share of the fine detail that is added."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.2)
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def put_back(painted: Image, image: Image, region: Region, *, cubic: bool) -> Image:
    """Lay a painted square over the region of a picture that it was cut from.

    Args:
        painted: (S, S, 3) uint8 RGB.
        image: (H, W, 3) uint8 RGB.
        region: Where the square was cut.
        cubic: Interpolate so, and not linearly.
    """
    height, width = image.shape[:2]
    side = painted.shape[0]
    back = cv2.invertAffineTransform(region.matrix(side))
    shrink = side / max(region.side_px, 1.0)
    if shrink > 1.5:  # painted larger than it is shown: average before sampling
        painted = np.asarray(cv2.GaussianBlur(painted, (0, 0), shrink / 2.5), np.uint8)
    flags = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    laid = cv2.warpAffine(
        painted, back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    inside = cv2.warpAffine(
        np.ones((side, side), np.uint8), back, (width, height), flags=cv2.INTER_NEAREST
    )
    return np.asarray(np.where(inside[..., None] > 0, laid, image), np.uint8)
