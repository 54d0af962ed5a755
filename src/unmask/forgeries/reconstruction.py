"""A real face, painted again by a generator and blended back.

Nothing of the content changes: what is left to learn is the generator's trace (lost grain and
pores, its up-sampling, its resolution) beside untouched surroundings, and the seam between them.

Own method; masks and blending as in ``self_blending``. The generator is the package's own small
face autoencoder (:mod:`unmask.forgeries._autoencoder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from unmask.faces.masks import face_mask
from unmask.forgeries._autoencoder import repaint
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import alpha_blend, poisson_blend, soften, transfer_colour
from unmask.forgeries.warp import bend, elastic_field

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_MASKS = ("oval", "inner_hull", "lower_face", "eyes_and_nose", "mouth")
_MASK_SHARES = (0.5, 0.3, 0.1, 0.05, 0.05)


@FORGERIES.register
class Reconstruction:
    """Repaint a face and blend it back onto itself."""

    spec: ClassVar = ForgerySpec(
        id="reconstruction",
        title="Autoencoder reconstruction",
        paper="own; after face-swap autoencoders and self-blended images (CVPR 2022)",
        family="synthesis",
        needs_donor=False,
    )

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Return ``target`` with its face repainted; ``donor`` is not used."""
        del donor
        height, width = target.image.shape[:2]
        face_px = float((target.landmarks.max(0) - target.landmarks.min(0)).max())
        source = target.image
        if rng.random() < 0.6:  # a swapped face never lies quite where the old one lay
            strength = face_px * float(rng.uniform(0.003, 0.02))
            source = bend(source, elastic_field(height, width, strength, rng))
        face = tinted(repaint(source, target.landmarks, rng), rng)
        kind = str(rng.choice(_MASKS, p=_MASK_SHARES))
        grow = float(rng.uniform(-0.08, 0.04))
        mask = face_mask(target.landmarks, height, width, kind=kind, grow=grow)
        return blended(face, target, mask, rng, self.spec.id)


def tinted(image: Image, rng: np.random.Generator) -> Image:
    """Shift colour and contrast a little, as a generator trained on other light does."""
    if rng.random() < 0.4:
        return image
    gain = 1 + rng.uniform(-0.12, 0.12, 3)
    shifted = (image.astype(np.float32) - 127.5) * gain + 127.5 + rng.uniform(-12, 12, 3)
    return np.clip(shifted, 0, 255).astype(np.uint8)


def blended(
    face: Image, target: RealFace, mask: Floats, rng: np.random.Generator, method: str
) -> ForgedFace:
    """The last step of every swap: colour transfer (mostly), a soft mask, alpha or Poisson.

    Args:
        face: (H, W, 3) uint8 RGB, the new face in the frame of ``target``.
        target: The picture that receives it.
        mask: (H, W) hard mask.
        rng: Source of all randomness.
        method: Id of the forgery.
    """
    face_px = float((target.landmarks.max(0) - target.landmarks.min(0)).max())
    if rng.random() < 0.75:
        face = transfer_colour(face, target.image, mask)
    soft = soften(mask, face_px, rng, widest=0.2)
    if rng.random() < 0.2:
        soft = soft * np.float32(rng.uniform(0.6, 1.0))
    blend = poisson_blend if rng.random() < 0.15 else alpha_blend
    out = blend(face, target.image, soft)
    if rng.random() < 0.15:  # some programs hide the lost grain under noise of their own
        grain = rng.normal(0, rng.uniform(1, 5), face.shape[:2]).astype(np.float32)
        grain = cv2.GaussianBlur(grain, (0, 0), 0.5) * soft
        out = np.clip(out + grain[..., None], 0, 255).astype(np.uint8)
    return ForgedFace(out, target.image, soft, method)
