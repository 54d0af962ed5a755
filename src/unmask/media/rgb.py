"""From whatever mode Pillow read to upright 8-bit RGB."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from unmask.types import Image

GREY = 128
"""What lies behind transparent pixels."""

# EXIF orientation -> (name of Pillow's transposition, clockwise rotation in degrees).
ORIENTATIONS: dict[int, tuple[str, int]] = {
    2: ("FLIP_LEFT_RIGHT", 0),
    3: ("ROTATE_180", 180),
    4: ("FLIP_TOP_BOTTOM", 180),
    5: ("TRANSPOSE", 270),
    6: ("ROTATE_270", 90),  # Pillow turns anticlockwise
    7: ("TRANSVERSE", 90),
    8: ("ROTATE_90", 270),
}


def to_rgb(picture: Picture, orientation: int = 1) -> Image:
    """Convert to (H, W, 3) uint8 RGB, upright, alpha laid on mid-grey.

    Colour profiles are applied to CMYK and Lab, which have no meaning without one, and left
    alone for RGB. Sixteen bits become eight by dropping the lower byte.

    Args:
        picture: Loaded or loadable picture of any mode.
        orientation: EXIF orientation still to be applied, 1..8; others count as 1.
    """
    import PIL.Image

    if picture.mode.startswith("I;16"):
        eight = (np.asarray(picture) >> 8).astype(np.uint8)
        picture = PIL.Image.fromarray(eight)
    elif picture.mode in {"I", "F"}:
        picture = PIL.Image.fromarray(_eight_bits(np.asarray(picture)))
    elif picture.mode in {"CMYK", "LAB"}:
        picture = _from_profile(picture)
    elif picture.has_transparency_data:
        picture = _on_grey(picture)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    if orientation in ORIENTATIONS:
        picture = picture.transpose(PIL.Image.Transpose[ORIENTATIONS[orientation][0]])
    return np.array(picture)


def lay_on_grey(rgba: NDArray[np.uint8]) -> Image:
    """Lay (H, W, 4) uint8 RGBA on mid-grey; returns (H, W, 3) uint8."""
    import PIL.Image

    return np.array(_on_grey(PIL.Image.fromarray(rgba)))


def _on_grey(picture: Picture) -> Picture:
    import PIL.Image

    ground = PIL.Image.new("RGBA", picture.size, (GREY, GREY, GREY, 255))
    return PIL.Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale 32-bit integers or floats; the range is not stated, so the peak tells it."""
    numbers = np.nan_to_num(values.astype(np.float64))
    peak = float(numbers.max(initial=0.0))
    if np.issubdtype(values.dtype, np.floating):
        white = 1.0 if peak <= 1.0 else 255.0
    else:
        white = next((top for top in (255.0, 65535.0) if peak <= top), 2.0**31 - 1)
    return np.clip(numbers * (255.0 / white), 0, 255).round().astype(np.uint8)


def _from_profile(picture: Picture) -> Picture:
    from PIL import ImageCms

    srgb = ImageCms.createProfile("sRGB")
    profile = picture.info.get("icc_profile")
    try:
        if picture.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        # A broken profile is no reason to see nothing: inks are then taken at face value.
        return picture.convert("RGB")
    return picture.convert("RGB") if converted is None else converted
