"""Self-blended pictures: forgeries from a single real face.

A picture is blended with a slightly different copy of itself. What remains is the seam and the
mismatch of colour, sharpness and place that most swaps share, and nothing of any one generator.
What is drawn and what is done with it are apart, so that the same draw can be applied to every
frame of a film (:mod:`unmask.forgeries.self_blended_video`).

Source: Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022. What
differs: masks come from the 468-point mesh and include parts of the face; the copy may also be
smoothed as generators do (blur, bilateral filter, strong resampling); the shift and scale of the
copy are drawn a little wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from unmask.faces.masks import face_mask
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import alpha_blend, soft_edge
from unmask.forgeries.warp import bend_mask, field_of_knots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

_MASKS = ("oval", "inner_hull", "components", "lower_face", "eyes_and_nose", "mouth")
_MASK_SHARES = (0.44, 0.26, 0.08, 0.10, 0.07, 0.05)
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
_RESIZERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_CELLS = 6


@dataclass(frozen=True, slots=True, eq=False)
class ColourDraw:
    """A change of colour: shift of each channel, contrast, brightness, hue, saturation, value."""

    shift: NDArray[np.float32]
    gain: float
    brightness: float
    hue: int
    saturation_value: NDArray[np.int16]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> ColourDraw:
        """Draw one."""
        shift = rng.uniform(-20, 20, 3).astype(np.float32)
        gain, brightness = 1 + rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1) * 128
        hue = round(rng.uniform(-6, 6))
        return cls(shift, gain, brightness, hue, np.rint(rng.uniform(-20, 20, 2)).astype(np.int16))

    def apply(self, image: Image) -> Image:
        """Return a changed copy of (H, W, 3)."""
        shifted = image.astype(np.float32) + self.shift
        shifted = np.clip((shifted - 127.5) * self.gain + 127.5 + self.brightness, 0, 255)
        hsv = cv2.cvtColor(shifted.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.int16)
        hsv[..., 0] = (hsv[..., 0] + self.hue) % 180
        hsv[..., 1:] = np.clip(hsv[..., 1:] + self.saturation_value, 0, 255)
        return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


@dataclass(frozen=True, slots=True)
class SharpnessDraw:
    """A change of sharpness: ``resample``, ``sharpen``, ``blur`` or ``bilateral``.

    Attributes:
        kind: Which.
        size: Factor of reduction, or width of the filter.
        amount: Strength of the sharpening.
        resizers: OpenCV's codes for going down and up.
    """

    kind: str
    size: float
    amount: float = 0.0
    resizers: tuple[int, int] = (cv2.INTER_LINEAR, cv2.INTER_LINEAR)

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> SharpnessDraw:
        """Draw one."""
        choice = rng.random()
        if choice < 0.5:
            factor = float(rng.uniform(1.5, 4.0))
            down = int(rng.choice(_RESIZERS))
            return cls("resample", factor, resizers=(down, int(rng.choice(_RESIZERS[:2]))))
        if choice < 0.7:
            sigma = float(rng.uniform(1.0, 2.0))
            return cls("sharpen", sigma, float(rng.uniform(0.2, 0.8)))
        if choice < 0.85:
            return cls("blur", float(rng.uniform(0.5, 1.6)))
        return cls("bilateral", float(rng.uniform(15, 50)))

    def apply(self, image: Image) -> Image:
        """Return a changed copy of (H, W, 3)."""
        if self.kind == "resample":
            return _resample(image, self.size, self.resizers)
        if self.kind == "bilateral":
            return np.asarray(cv2.bilateralFilter(image, 5, self.size, 3), np.uint8)
        soft = cv2.GaussianBlur(image, (0, 0), self.size)
        if self.kind == "sharpen":
            soft = cv2.addWeighted(image, 1 + self.amount, soft, -self.amount, 0)
        return np.asarray(soft, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class BlendDraw:
    """Everything random about one self-blended picture; lengths are shares of the face.

    Attributes:
        colour: Change of colour.
        sharpness: Change of sharpness.
        on_face: The face carries the change; else its surroundings do.
        mask_kind: One of :data:`unmask.faces.masks.MASK_KINDS`.
        grow: How far the mask reaches beyond that.
        elastic_strength: Deviation of the shifts that bend the mask.
        elastic: (6, 6, 2) those shifts at the knots, over their deviation.
        scale: Of the pasted copy.
        turn_deg: Of the pasted copy.
        shift: (2,) of the pasted copy.
        edges: Widths of the first and second blur of the mask.
        threshold: Where the mask's edge is cut between the two.
        ratio: Largest share of the pasted copy, 0..1.
    """

    colour: ColourDraw
    sharpness: SharpnessDraw
    on_face: bool
    mask_kind: str
    grow: float
    elastic_strength: float
    elastic: NDArray[np.float64]
    scale: float
    turn_deg: float
    shift: NDArray[np.float64]
    edges: tuple[float, float]
    threshold: float
    ratio: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> BlendDraw:
        """Draw one. What is drawn does not depend on the picture."""
        colour, sharpness = ColourDraw.drawn(rng), SharpnessDraw.drawn(rng)
        # Either the face or its surroundings carry the change, so neither is the tell.
        on_face = bool(rng.random() < 0.6)
        kind = str(rng.choice(_MASKS, p=_MASK_SHARES))
        grow = float(rng.uniform(-0.04, 0.06))
        elastic_strength = float(rng.uniform(0.005, 0.03))
        elastic = rng.standard_normal((_CELLS, _CELLS, 2))
        scale, turn_deg = float(rng.uniform(0.95, 1.06)), float(rng.uniform(-2, 2))
        shift = rng.uniform(-0.03, 0.03, 2)
        first = float(rng.uniform(0.02, 0.08))
        threshold = float(rng.choice([0.2, 0.5, 0.9, 0.98]))
        edges = (first, float(rng.uniform(0.015, 0.12)))
        ratio = float(rng.choice(_RATIOS))
        return cls(
            colour, sharpness, on_face, kind, grow, elastic_strength, elastic, scale, turn_deg,
            shift, edges, threshold, ratio,
        )  # fmt: skip


@FORGERIES.register
class SelfBlending:
    """Blend a face with a transformed copy of itself."""

    spec: ClassVar = ForgerySpec(
        id="self_blending",
        title="Self-blended image",
        paper="Shiohara & Yamasaki, CVPR 2022",
        family="blending",
        needs_donor=False,
    )

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Return a self-blended picture of ``target``; ``donor`` is not used."""
        del donor
        return apply_blend(target, BlendDraw.drawn(rng))


def apply_blend(
    target: RealFace,
    draw: BlendDraw,
    *,
    intensity: float = 1.0,
    nudge: tuple[float, float] = (0.0, 0.0),
) -> ForgedFace:
    """Blend ``target`` with a copy of itself as ``draw`` says.

    Args:
        target: The face.
        draw: What to do.
        intensity: Factor on the share of the pasted copy, 0..1.
        nudge: Further shift of the pasted copy, as a share of the face.
    """
    image, landmarks = target.image, target.landmarks
    face_px = float((landmarks.max(0) - landmarks.min(0)).max())
    changed = draw.sharpness.apply(draw.colour.apply(image))
    source, base = (changed, image) if draw.on_face else (image, changed)
    height, width = image.shape[:2]
    mask = face_mask(landmarks, height, width, kind=draw.mask_kind, grow=draw.grow)
    knots_px = face_px * draw.elastic_strength * draw.elastic
    mask = bend_mask(mask, field_of_knots(knots_px, height, width))
    shift_px = (draw.shift + nudge) * face_px
    turn = _turn(landmarks.mean(0), draw, shift_px)
    source = np.asarray(
        cv2.warpAffine(
            source, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        ),
        np.uint8,
    )
    mask = np.asarray(cv2.warpAffine(mask, turn, (width, height), flags=cv2.INTER_LINEAR))
    first_px, second_px = (face_px * share for share in draw.edges)
    mask = soft_edge(mask, first_px, draw.threshold, second_px)
    mask = mask * np.float32(draw.ratio * intensity)
    return ForgedFace(alpha_blend(source, base, mask), base, mask, SelfBlending.spec.id)


def _resample(image: Image, factor: float, resizers: tuple[int, int]) -> Image:
    height, width = image.shape[:2]
    small = (max(8, round(width / factor)), max(8, round(height / factor)))
    down = cv2.resize(image, small, interpolation=resizers[0])
    return np.asarray(cv2.resize(down, (width, height), interpolation=resizers[1]), np.uint8)


def _turn(centre: Floats, draw: BlendDraw, shift_px: NDArray[np.float64]) -> NDArray[np.float64]:
    at = (float(centre[0]), float(centre[1]))
    turn = np.asarray(cv2.getRotationMatrix2D(at, draw.turn_deg, draw.scale))
    turn[:, 2] += shift_px
    return turn
