"""Face-warping negatives: what the resampling of a generated face leaves, without a generator.

A face swap draws its face at one small size and warps it back onto the frame. Here the face itself
goes that way: aligned, made small, smoothed, warped back and pasted. Nothing but its sharpness is
foreign. The network that was proposed with it is :mod:`unmask.networks.face_warping`.

Source: Li & Lyu, "Exposing DeepFake Videos By Detecting Face Warping Artifacts", CVPR Workshops
2019, section 3.1. What differs: the small size is a share of the face's own, because faces come in
all sizes; edges of the pasted region are softened a little; brightness, contrast and colour are
left to the augmentation that real and forged pictures share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from unmask.faces.alignment import AlignedFace, align_face
from unmask.faces.masks import face_mask
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import alpha_blend

if TYPE_CHECKING:
    from unmask.types import Floats

_MARGIN = 1.1  # side of the aligned square over the face: generators draw a little beyond it
_SQUARE = (0.6, 0.85)  # share of it that is pasted: smaller than the face, so that its edge is seen
_SHARES = (0.25, 0.375, 0.5, 0.625, 0.75)
_SMALLEST_PX = 16
_SMOOTHING_PX = 5
_KINDS = ("square", "oval", "inner_hull")
_KIND_SHARES = (0.3, 0.2, 0.5)


@FORGERIES.register
class FaceWarping:
    """Bring the face to a small size and back, and paste it onto where it was."""

    spec: ClassVar = ForgerySpec(
        id="face_warping",
        title="Face-warping negative",
        paper="Li & Lyu, Face Warping Artifacts, CVPRW 2019",
        family="blending",
        needs_donor=False,
    )

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Return ``target`` with its own face resampled; ``donor`` is not used."""
        del donor
        image, landmarks = target.image, target.landmarks
        height, width = image.shape[:2]
        face_px = float((landmarks.max(0) - landmarks.min(0)).max())
        side = max(_SMALLEST_PX, round(face_px * _MARGIN * float(rng.choice(_SHARES))))
        small = align_face(image, landmarks, size=side, margin=_MARGIN)
        soft = cv2.GaussianBlur(small.image, (_SMOOTHING_PX, _SMOOTHING_PX), 0)
        back = cv2.warpAffine(
            soft,
            small.matrix,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        kind = str(rng.choice(_KINDS, p=_KIND_SHARES))
        if kind == "square":
            mask = _square(small, side, float(rng.uniform(*_SQUARE)), (height, width))
        else:
            grow = float(rng.uniform(-0.03, 0.05))
            mask = face_mask(landmarks, height, width, kind=kind, grow=grow)
        edge = 2 * round(face_px * float(rng.uniform(0, 0.02))) + 1
        mask = np.asarray(cv2.GaussianBlur(mask, (edge, edge), 0), np.float32)
        forged = alpha_blend(np.asarray(back, np.uint8), image, mask)
        return ForgedFace(forged, image, mask, self.spec.id)


def _square(small: AlignedFace, side: int, share: float, shape: tuple[int, int]) -> Floats:
    """Where the middle ``share`` of the aligned square lies in the picture."""
    low, high = side * (1 - share) / 2, side * (1 + share) / 2
    corners = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)
    back = cv2.invertAffineTransform(small.matrix)
    placed = corners @ back[:, :2].T + back[:, 2]
    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, np.round(placed).astype(np.int32), 1)
    return canvas.astype(np.float32)
