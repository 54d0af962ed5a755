"""Comparing faces with what they should be: pixels, landmarks, pose and likeness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces.masks import face_mask
from unmask.forge import likeness as looks
from unmask.forge.measures import HIGHER, LOWER, Gathered
from unmask.forge.small_faces import SmallFace, face_in
from unmask.metrics.motion import flicker, landmark_error, pose_error
from unmask.metrics.pictures import mean_absolute_error, psnr, ssim

if TYPE_CHECKING:
    from unmask.types import Floats, Image

LIKENESS_NOTE = (
    "Not a recognition network. On london against london_smile: the same person .83 in the median, "
    "different people .33; AUC .999."
)
MESH_NOTE = "By Unmask's own 468-point mesh, on both pictures alike."
_STILL_LEVELS = 0.1
FLICKER_NOTE = "Mean absolute second difference over time inside the face, in grey levels of 255."


def compare_pixels(
    found: Gathered, what: str, image: Image, reference: Image, group: str,
    mask: Floats | None = None,
) -> None:  # fmt: skip
    """SSIM, PSNR and L1 of one crop.

    Args:
        found: Where to.
        what: Of what.
        image: (H, W, 3).
        reference: Resized to that where it differs.
        group: Film or picture.
        mask: (H, W) where PSNR and L1 are measured; None: everywhere.
    """
    if reference.shape != image.shape:
        reference = resized(reference, image.shape[0])
    if min(image.shape[:2]) >= 11:
        found.add(what, "SSIM", ssim(image, reference), group, better=HIGHER)
    where = " inside the region" if mask is not None else ""
    ratio = psnr(image, reference, mask)
    if np.isfinite(ratio):
        found.add(what, f"PSNR{where}", ratio, group, unit="dB", better=HIGHER)
    found.add(what, f"L1{where}", mean_absolute_error(image, reference, mask), group, better=LOWER)


def compare_faces(
    found: Gathered, what: str, image: Image, reference: SmallFace, group: str
) -> SmallFace | None:
    """Landmark and pose error of one crop against the face it should move like.

    Returns:
        What the mesh sees, or None where it sees no face, which is counted.
    """
    seen = face_in(image)
    found.add(what, "share of faces that the mesh finds", float(seen is not None), group,
              unit="share", better=HIGHER)  # fmt: skip
    if seen is None:
        return None
    error = landmark_error(seen.landmarks[None], reference.landmarks[None])[0]
    found.add(what, "landmark error", float(error), group, unit="of the face", better=LOWER,
              note=MESH_NOTE)  # fmt: skip
    error = pose_error([seen.pose_deg], [reference.pose_deg])[0]
    found.add(what, "pose error", float(error), group, unit="deg", better=LOWER, note=MESH_NOTE)
    return seen


def add_likeness(
    found: Gathered, what: str, first: Floats, second: Floats, group: str, *, better: str = HIGHER
) -> None:
    """Likeness of two descriptors."""
    found.add(what, looks.NAME, looks.likeness(first, second), group, better=better,
              note=LIKENESS_NOTE)  # fmt: skip


def compare_flicker(
    found: Gathered, what: str, images: Sequence[Image], originals: Sequence[Image],
    landmarks: Floats, group: str,
) -> None:  # fmt: skip
    """Flicker of a run of frames and of its original, inside the face.

    Args:
        found: Where to.
        what: Of what.
        images: T crops of one region.
        originals: T crops of the same region.
        landmarks: (T, 468, 2) in their pixels.
        group: Film.
    """
    if len(images) < 3:
        return
    height, width = images[0].shape[:2]
    masks = [face_mask(points, height, width, grow=-0.05) for points in landmarks]
    ours, theirs = flicker(images, masks), flicker(originals, masks)
    for one, other in zip(ours, theirs, strict=True):
        found.add(what, "flicker", float(one), group, unit="levels", note=FLICKER_NOTE)
        found.add(what, "flicker of the original", float(other), group, unit="levels",
                  note=FLICKER_NOTE)  # fmt: skip
    still = float(np.nanmean(theirs))
    if still < _STILL_LEVELS:  # a picture shown as a film: any change would be infinitely more
        return
    ratio = float(np.nanmean(ours)) / still
    found.add(what, "flicker over that of the original", ratio, group, better=LOWER,
              note=FLICKER_NOTE)  # fmt: skip


def resized(image: Image, side: int) -> Image:
    """A square crop at another side."""
    how = cv2.INTER_AREA if side < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8)
