"""The classical face swap: bend a donor's face onto the target's landmarks and blend it in.

Before learned generators this was the whole craft, and its last step still is the last step of
most of them: warp, colour transfer, blend.

Source: the scheme of "FaceSwap" in Roessler et al., FaceForensics++, ICCV 2019, section 3.1.
What differs: a thin-plate spline over mesh points instead of a fitted 3D model.
"""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np

from unmask.faces import topology
from unmask.faces.masks import face_mask
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import alpha_blend, poisson_blend, soften, transfer_colour
from unmask.forgeries.warp import bend, thin_plate_field

# Enough points to carry expression and outline; more only adds ripples.
_KNOTS = (
    *topology.FACE_OVAL[::3], *topology.LIPS[::3], *topology.LEFT_EYE[::4],
    *topology.RIGHT_EYE[::4], *topology.LEFT_BROW[:5:2], *topology.RIGHT_BROW[:5:2],
    *topology.NOSE[::4], 1, 4,
)  # fmt: skip


@FORGERIES.register
class LandmarkSwap:
    """Replace the target's face by the donor's."""

    spec: ClassVar = ForgerySpec(
        id="landmark_swap",
        title="Landmark face swap",
        paper="FaceSwap scheme, FaceForensics++ (Roessler et al., ICCV 2019)",
        family="swap",
        needs_donor=True,
    )

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Swap with randomly chosen mask, softness and blending.

        Raises:
            ValueError: No donor was given.
        """
        if donor is None:
            raise ValueError("landmark_swap needs a donor face; none was given")
        kind = "oval" if rng.random() < 0.6 else "inner_hull"
        mask = _mask(target, kind, float(rng.uniform(-0.06, 0.03)))
        face = bent_face(target, donor)
        sigma = float(rng.uniform(0.0, 1.2))
        if sigma > 0.4:  # generators smooth: so does this, most of the time
            face = np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.uint8)
        if rng.random() < 0.85:
            face = transfer_colour(face, target.image, mask)
        soft = soften(mask, _face_px(target), rng)
        blend = poisson_blend if rng.random() < 0.25 else alpha_blend
        return ForgedFace(blend(face, target.image, soft), target.image, soft, self.spec.id)


def swap_faces(target: RealFace, donor: RealFace, *, poisson: bool = True) -> ForgedFace:
    """One clean swap with fixed settings, for demonstrations.

    Args:
        target: The picture that receives a face.
        donor: Whose face it receives.
        poisson: Blend gradients (True) or values (False).
    """
    mask = _mask(target, "oval", -0.05)
    face = transfer_colour(bent_face(target, donor), target.image, mask)
    side = 2 * max(1, round(_face_px(target) * 0.04)) + 1
    soft = np.asarray(cv2.GaussianBlur(mask, (side, side), 0), np.float32)
    blended = (poisson_blend if poisson else alpha_blend)(face, target.image, soft)
    return ForgedFace(blended, target.image, soft, LandmarkSwap.spec.id)


def bent_face(target: RealFace, donor: RealFace) -> np.ndarray:
    """The donor's picture, bent so that its landmarks lie on the target's: (H, W, 3) uint8."""
    height, width = target.image.shape[:2]
    knots = list(_KNOTS)
    donor_face, points = donor.image, donor.landmarks[knots]
    shrink = _face_px(donor) / max(_face_px(target), 1.0)
    if shrink > 1.5:  # resampling far fewer pixels would alias
        donor_face = np.asarray(
            cv2.resize(
                donor_face, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA
            ),
            np.uint8,
        )
        points = points / shrink
    field = thin_plate_field(points, target.landmarks[knots], height, width)
    return bend(donor_face, field)


def _mask(face: RealFace, kind: str, grow: float) -> np.ndarray:
    height, width = face.image.shape[:2]
    return face_mask(face.landmarks, height, width, kind=kind, grow=grow)


def _face_px(face: RealFace) -> float:
    return float((face.landmarks.max(0) - face.landmarks.min(0)).max())
