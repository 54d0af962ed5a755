"""Self-blended pictures: forgeries from a single real face.

A picture is blended with a slightly different copy of itself. What remains is the seam and the
mismatch of colour, sharpness and place that most swaps share, and nothing of any one generator.

Source: Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022. What
differs: masks come from the 468-point mesh and include parts of the face; the copy may also be
smoothed as generators do (blur, bilateral filter, strong resampling); the shift and scale of the
copy are drawn a little wider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from unmask.faces.masks import face_mask
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import alpha_blend, soften
from unmask.forgeries.warp import bend_mask, elastic_field

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_MASKS = ("oval", "inner_hull", "components", "lower_face", "eyes_and_nose", "mouth")
_MASK_SHARES = (0.44, 0.26, 0.08, 0.10, 0.07, 0.05)
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
_RESIZERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)


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
        image, landmarks = target.image, target.landmarks
        face_px = float((landmarks.max(0) - landmarks.min(0)).max())
        changed = _sharpness_change(_colour_change(image, rng), rng)
        # Either the face or its surroundings carry the change, so neither is the tell.
        source, base = (changed, image) if rng.random() < 0.6 else (image, changed)
        kind = str(rng.choice(_MASKS, p=_MASK_SHARES))
        height, width = image.shape[:2]
        grow = float(rng.uniform(-0.04, 0.06))
        mask = face_mask(landmarks, height, width, kind=kind, grow=grow)
        field = elastic_field(height, width, face_px * float(rng.uniform(0.005, 0.03)), rng)
        source, mask = _misalign(source, bend_mask(mask, field), landmarks, face_px, rng)
        mask = soften(mask, face_px, rng) * np.float32(rng.choice(_RATIOS))
        return ForgedFace(alpha_blend(source, base, mask), base, mask, self.spec.id)


def _colour_change(image: Image, rng: np.random.Generator) -> Image:
    shifted = image.astype(np.float32) + rng.uniform(-20, 20, 3).astype(np.float32)
    gain = 1 + rng.uniform(-0.1, 0.1)
    shifted = np.clip((shifted - 127.5) * gain + 127.5 + rng.uniform(-0.1, 0.1) * 128, 0, 255)
    hsv = cv2.cvtColor(shifted.astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv[..., 0] = (hsv[..., 0] + round(rng.uniform(-6, 6))) % 180
    hsv[..., 1:] = np.clip(hsv[..., 1:] + np.rint(rng.uniform(-20, 20, 2)).astype(np.int16), 0, 255)
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.uint8)


def _sharpness_change(image: Image, rng: np.random.Generator) -> Image:
    choice = rng.random()
    if choice < 0.5:
        return _resample(image, float(rng.uniform(1.5, 4.0)), rng)
    if choice < 0.7:
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1.0, 2.0)))
        amount = float(rng.uniform(0.2, 0.8))
        return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)
    if choice < 0.85:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.6))), np.uint8)
    spread = float(rng.uniform(15, 50))
    return np.asarray(cv2.bilateralFilter(image, 5, spread, 3), np.uint8)


def _resample(image: Image, factor: float, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    small = (max(8, round(width / factor)), max(8, round(height / factor)))
    down = cv2.resize(image, small, interpolation=int(rng.choice(_RESIZERS)))
    up = cv2.resize(down, (width, height), interpolation=int(rng.choice(_RESIZERS[:2])))
    return np.asarray(up, np.uint8)


def _misalign(
    source: Image, mask: Floats, landmarks: Floats, face_px: float, rng: np.random.Generator
) -> tuple[Image, Floats]:
    height, width = mask.shape
    centre = landmarks.mean(0)
    scale = float(rng.uniform(0.95, 1.06))
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), rng.uniform(-2, 2), scale)
    turn[:, 2] += rng.uniform(-0.03, 0.03, 2) * face_px
    moved = cv2.warpAffine(
        source, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    moved_mask = cv2.warpAffine(mask, turn, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(moved, np.uint8), np.asarray(moved_mask, np.float32)
