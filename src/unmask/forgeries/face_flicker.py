"""Flicker alone: a face whose light changes a little, without reason, from frame to frame.

No frame shows anything by itself: the change is a few grey levels, even over the face and faded
out over a wide border. Only a network that compares frames can find it; it serves to test whether
one does, and stands for swaps that are made frame by frame and blended well.

Source: our own.
"""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np

from unmask.faces.masks import face_mask
from unmask.forgeries.base import ForgedFace, ForgerySpec
from unmask.forgeries.blend import alpha_blend
from unmask.forgeries.clip import CLIP_FORGERIES, ForgedClip, RealClip
from unmask.forgeries.self_blended_video import steadied

_LIGHT = (3.0, 8.0)
_COLOUR = 0.4
_BORDER = 0.08


@CLIP_FORGERIES.register
class FaceFlicker:
    """Light and colour of the face, drawn anew in every frame."""

    spec: ClassVar = ForgerySpec(
        id="face_flicker",
        title="Flickering face",
        paper="our own test of temporal networks",
        family="blending",
        needs_donor=False,
    )

    def forge(
        self, target: RealClip, donor: RealClip | None, rng: np.random.Generator
    ) -> ForgedClip:
        """Return a flickering clip of ``target``; ``donor`` is not used."""
        del donor
        spread = float(rng.uniform(*_LIGHT))
        # White in time: every frame has its own light, and that of its neighbours tells nothing.
        light = rng.normal(0, spread, (len(target), 1))
        colour = rng.normal(0, _COLOUR * spread, (len(target), 3))
        shifts = light + colour
        landmarks = steadied(target.landmarks)
        frames = []
        for image, points, shift in zip(target.images, landmarks, shifts, strict=True):
            height, width = image.shape[:2]
            sigma = _BORDER * float(np.ptp(points, axis=0).max())
            mask = face_mask(points, height, width, kind="oval", grow=-_BORDER)
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma), np.float32)
            lit = np.clip(np.rint(image + shift), 0, 255).astype(np.uint8)
            frames.append(ForgedFace(alpha_blend(lit, image, mask), image, mask, self.spec.id))
        return ForgedClip.of(frames, self.spec.id)
