"""Putting a painted face back into its frame: mask, colours, edge, blend.

Everything happens in the pixels of the frame: a crop that was painted small is enlarged by a good
filter, and edges are as soft in a close-up as in a small face, since their widths are shares of
the face.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import UsageError
from unmask.faces.masks import MASK_KINDS, face_mask
from unmask.forgeries.blend import alpha_blend, poisson_blend, transfer_colour

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.faces.mesh import Region
    from unmask.types import Floats, Image

AUTO, LEARNED = "auto", "learned"
MASKS = (AUTO, LEARNED, *MASK_KINDS)
COLOURS = ("none", "reinhard", "histogram")
BLENDS = ("alpha", "poisson")

# Masks of small faces are drawn larger and averaged down: whole pixels would tremble.
_DRAWN_FACE_PX = 240.0
# Crops end in mirrored pixels where the frame ends; generators are poor at their rim.
_RIM = 0.02
_UNSHARP_SIGMA = 0.012
# Of a part's half width, how much erosion may take; its ramp may take twice as much.
_THIN = 0.3
_QUANTILES = np.linspace(0.02, 0.98, 25)
_SLOPES = 0.3, 3.0


@dataclass(frozen=True, slots=True)
class MergeSettings:
    """How a painted face is put back. Widths are shares of the longer side of the face hull.

    Attributes:
        mask: One of :data:`MASKS`; ``auto``: learned where the generator gives one, else that
            which fits its family.
        erode: The mask is made smaller by so much; negative: larger.
        feather: Width of the soft edge, inside the eroded mask.
        colour: One of :data:`COLOURS`: as painted, mean and deviation in Lab (Reinhard), or the
            whole histogram of each Lab channel taken from the frame.
        blend: One of :data:`BLENDS`.
        sharpen: Strength of an unsharp mask on the painted face, 0..3.

    Raises:
        UsageError: A name is unknown or a number out of range.
    """

    mask: str = AUTO
    erode: float = 0.02
    feather: float = 0.12
    colour: str = "reinhard"
    blend: str = "alpha"
    sharpen: float = 0.0

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("mask", self.mask, MASKS),
            ("colour", self.colour, COLOURS),
            ("blend", self.blend, BLENDS),
        ):
            if value not in allowed:
                raise UsageError(
                    f"{name} {value!r} is unknown.", hint=f"There is: {', '.join(allowed)}."
                )
        for name, number, low, high in (
            ("erode", self.erode, -0.3, 0.4),
            ("feather", self.feather, 0.0, 0.5),
            ("sharpen", self.sharpen, 0.0, 3.0),
        ):
            if not low <= number <= high:
                raise UsageError(
                    f"{name} {number:g} is out of range.", hint=f"Give {low:g} .. {high:g}."
                )

    def with_mask(self, default: str) -> MergeSettings:
        """The same with ``auto`` decided."""
        return replace(self, mask=default) if self.mask == AUTO else self


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The part of a frame that merging changed.

    Attributes:
        left: Column of the frame where it begins.
        top: Row.
        image: (h, w, 3) uint8 RGB, what stands there now.
        mask: (h, w) uint8: the share of foreign pixels, rounded up; 0: the frame's own pixel.
    """

    left: int
    top: int
    image: Image
    mask: NDArray[np.uint8]

    def laid_on(self, frame: Image) -> Image:
        """A copy of the frame with the patch in its place."""
        out = frame.copy()
        height, width = self.mask.shape
        room = out[self.top : self.top + height, self.left : self.left + width]
        np.copyto(room, self.image, where=(self.mask > 0)[..., None])
        return out

    def whole_mask(self, height: int, width: int) -> NDArray[np.uint8]:
        """The mask at the size of the frame, (height, width) uint8."""
        out = np.zeros((height, width), np.uint8)
        there = self.mask.shape
        out[self.top : self.top + there[0], self.left : self.left + there[1]] = self.mask
        return out


def merge_face(
    frame: Image,
    painted: Image,
    region: Region,
    landmarks: Floats,
    settings: MergeSettings,
    *,
    crop_px: int,
    learned: Floats | None = None,
) -> Patch | None:
    """Put one painted face into its frame.

    Args:
        frame: (H, W, 3) uint8 RGB.
        painted: (P, P, 3) uint8 RGB, what was painted into the crop of ``region``.
        region: The square that was cut out.
        landmarks: (468, 2) in pixels of the frame.
        settings: How; its mask must be decided.
        crop_px: Side of the crop that the generator saw; P is that or a multiple of it.
        learned: (Q, Q) float32 0..1, the generator's own mask.

    Returns:
        The changed part, or None where the face lies outside the frame.

    Raises:
        UsageError: The learned mask is asked for, and the generator has none.
    """
    box = _box(region, frame.shape[1], frame.shape[0])
    if box is None:
        return None
    left, top, right, bottom = box
    under = np.ascontiguousarray(frame[top:bottom, left:right])
    face_px = float((landmarks.max(0) - landmarks.min(0)).max())
    here = landmarks - np.array([left, top], np.float32)
    rim = _rim(painted.shape[0])
    inside = _unwarp(rim, region, crop_px, box) > 0.5
    if settings.mask == LEARNED:
        if learned is None:
            raise UsageError(
                "This generator has learned no mask.",
                hint=f"Give --mask with one of: {', '.join(MASK_KINDS)}.",
            )
        hard = (_unwarp(learned, region, crop_px, box) > 0.5).astype(np.float32)
        distance = _signed_distance(hard * inside)
    else:
        distance = _drawn_distance(here, under.shape[0], under.shape[1], settings.mask, face_px)
        distance = np.minimum(distance, _signed_distance(inside.astype(np.float32)))
    mask = _soft(distance, settings, face_px)
    if not (mask > 0).any():
        return None
    face = _unwarp(painted, region, crop_px, box)
    face = _sharpened(face, settings.sharpen, face_px)
    face = coloured(face, under, mask, settings.colour)
    if settings.blend == "poisson":
        merged, share = poisson_blend(face, under, mask), np.clip(mask * 2, 0, 1)
    else:
        merged, share = alpha_blend(face, under, mask), mask
    return _tight(left, top, merged, np.ceil(share * 255 - 1e-3).astype(np.uint8))


def coloured(face: Image, under: Image, mask: Floats, how: str) -> Image:
    """Give the painted face the colours of what it covers; see :class:`MergeSettings`."""
    if how == "reinhard":
        return transfer_colour(face, under, mask)
    if how == "histogram":
        return match_histograms(face, under, mask)
    return face


def match_histograms(source: Image, target: Image, mask: Floats) -> Image:
    """Give each Lab channel of ``source`` the distribution that ``target`` has inside ``mask``.

    Args:
        source: (H, W, 3) uint8 RGB.
        target: (H, W, 3) uint8 RGB.
        mask: (H, W) 0..1; pixels above one half are counted.

    Source: Gonzalez & Woods, "Digital Image Processing", section 3.3 (histogram specification).
        What differs: channels of CIE Lab; the curve goes through 25 quantiles instead of every
        level and its slope is bounded, since a few hundred pixels of lips or eyes would give
        colours that are in neither picture.
    """
    inside = mask > 0.5
    if inside.sum() < 16:
        return source
    lab = cv2.cvtColor(source, cv2.COLOR_RGB2LAB)
    wanted = cv2.cvtColor(target, cv2.COLOR_RGB2LAB)
    for channel in range(3):
        here = np.quantile(lab[..., channel][inside], _QUANTILES)
        there = np.quantile(wanted[..., channel][inside], _QUANTILES)
        lab[..., channel] = _curve(here, there)[lab[..., channel]]
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _curve(here: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A table of 256 levels that brings quantiles to quantiles, level with both ends beyond."""
    middle = len(here) // 2
    steps = np.maximum(np.diff(here), 1e-3)
    slopes = np.clip(np.diff(there) / steps, *_SLOPES)
    rises = np.concatenate([[0.0], np.cumsum(slopes * steps)])
    knots = here[0] + np.concatenate([[0.0], np.cumsum(steps)])
    values = rises - rises[middle] + there[middle]
    levels = np.arange(256.0)
    table = np.interp(levels, knots, values)
    table += np.minimum(levels - knots[0], 0) + np.maximum(levels - knots[-1], 0)
    return np.asarray(np.clip(np.rint(table), 0, 255), np.uint8)


def _box(region: Region, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The part of the frame that the square touches: left, top, right, bottom."""
    reach = region.side_px / 2 * (abs(np.cos(region.roll_rad)) + abs(np.sin(region.roll_rad)))
    x, y = region.centre
    left, top = max(0, int(np.floor(x - reach))), max(0, int(np.floor(y - reach)))
    right = min(width, int(np.ceil(x + reach)) + 1)
    bottom = min(height, int(np.ceil(y + reach)) + 1)
    return (left, top, right, bottom) if right - left > 8 and bottom - top > 8 else None


def _unwarp(
    painted: NDArray[Any], region: Region, crop_px: int, box: tuple[int, int, int, int]
) -> NDArray[Any]:
    """Bring a picture or mask from the plane of the crop into that of the box."""
    left, top, right, bottom = box
    scale = painted.shape[0] / crop_px
    shrink = painted.shape[0] / max(region.side_px, 1.0)
    if shrink > 1.25:  # a warp samples points, so strong reduction would alias
        side = max(8, round(painted.shape[0] / shrink))
        smaller = cv2.resize(painted, (side, side), interpolation=cv2.INTER_AREA)
        return _unwarp(np.asarray(smaller, painted.dtype), region, crop_px, box)
    # Crop pixels are points; in a painted picture of another size they are squares.
    matrix = region.matrix(crop_px).astype(np.float64)
    matrix[:, 2] += matrix[:, :2] @ np.array([left, top], np.float64)
    matrix *= scale
    matrix[:, 2] += 0.5 * scale - 0.5
    quality = cv2.INTER_LANCZOS4 if painted.ndim == 3 else cv2.INTER_LINEAR
    warped = cv2.warpAffine(
        painted,
        matrix,
        (right - left, bottom - top),
        flags=quality | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE if painted.ndim == 3 else cv2.BORDER_CONSTANT,
    )
    return np.asarray(warped, painted.dtype)


def _rim(side: int) -> Floats:
    inside = np.zeros((side, side), np.float32)
    rim = max(1, round(_RIM * side))
    inside[rim:-rim, rim:-rim] = 1
    return inside


def _drawn_distance(
    landmarks: Floats, height: int, width: int, kind: str, face_px: float
) -> Floats:
    """Signed distance from the edge of a mask of landmarks, in pixels of the box."""
    factor = max(1, min(4, round(_DRAWN_FACE_PX / max(face_px, 1.0))))
    drawn = face_mask((landmarks + 0.5) * factor - 0.5, height * factor, width * factor, kind=kind)
    distance = _signed_distance(drawn) / factor
    if factor == 1:
        return np.asarray(distance, np.float32)
    size = (width, height)
    return np.asarray(cv2.resize(distance, size, interpolation=cv2.INTER_AREA), np.float32)


def _signed_distance(mask: Floats) -> Floats:
    """Distance to the edge: positive inside, negative outside."""
    inside = (mask > 0.5).astype(np.uint8)
    if inside.all():
        return np.full(mask.shape, 1e6, np.float32)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    beyond = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return np.asarray(within - beyond, np.float32)


def _soft(distance: Floats, settings: MergeSettings, face_px: float) -> Floats:
    """Erode and feather: a smooth ramp inside the edge, so nothing is painted beyond it."""
    erode, feather = settings.erode * face_px, max(settings.feather * face_px, 0.5)
    if erode < 0:  # what grows may grow together: one ramp for all
        rise = np.clip((distance - erode) / feather, 0, 1)
        return np.asarray(rise * rise * (3 - 2 * rise), np.float32)
    count, parts = cv2.connectedComponents((distance > 0).astype(np.uint8))
    rise = np.zeros(distance.shape, np.float32)
    for part in range(1, count):
        here = parts == part
        # Lips and eyes are thinner than the ramp of a whole face: theirs is narrower.
        deepest = float(distance[here].max())
        edge, ramp = min(erode, _THIN * deepest), min(feather, 2 * _THIN * deepest)
        rise[here] = np.clip((distance[here] - edge) / max(ramp, 0.5), 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise), np.float32)


def _sharpened(face: Image, strength: float, face_px: float) -> Image:
    if strength <= 0:
        return face
    blurred = cv2.GaussianBlur(face, (0, 0), max(0.6, _UNSHARP_SIGMA * face_px))
    return np.asarray(cv2.addWeighted(face, 1 + strength, blurred, -strength, 0), np.uint8)


def _tight(left: int, top: int, image: Image, mask: NDArray[np.uint8]) -> Patch | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    patch = image[part].copy()
    patch[mask[part] == 0] = 0  # the frame's own pixels are not needed, and zeros pack well
    return Patch(left + int(columns[0]), top + int(rows[0]), patch, mask[part].copy())
