"""Self-blended video: one draw of the self-blending, replayed over a clip, varying in strength.

A picture forgery that is drawn anew in every frame flickers as no film does, and a network learns
the flicker. Here everything is drawn once; the frames differ as those of a careful forgery do: by
how much of the copy shows, and by how steadily it sits.

Source: Nguyen et al., "Vulnerability-Aware Spatio-Temporal Learning for Generalizable Deepfake
Video Detection" (FakeSTormer), ICCV 2025: parameters drawn once a clip, landmarks steadied between
frames. What differs: the parameters are those of our self-blended picture; landmarks are steadied
by a short running mean wherever the face moves slowly; the share of the copy may rise and fall
along a sine, and the copy may tremble, which the paper does not do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from unmask.forgeries.base import ForgerySpec, RealFace
from unmask.forgeries.clip import CLIP_FORGERIES, ForgedClip, RealClip
from unmask.forgeries.self_blending import BlendDraw, apply_blend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

_STEADY = 0.6
_TREMBLES = 0.5
_DEEPEST = 0.6
_WIDEST_TREMBLE = 0.006
_WINDOW = 5
_SLOW = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class ClipDraw:
    """Everything random about one self-blended clip of T frames.

    Attributes:
        blend: What is done in every frame.
        intensity: (T,) factor on the share of the copy, 0.4..1.
        tremble: (T, 2) shift of the copy in each frame, as a share of the face.
    """

    blend: BlendDraw
    intensity: NDArray[np.float64]
    tremble: NDArray[np.float64]

    @classmethod
    def drawn(cls, frames: int, rng: np.random.Generator) -> ClipDraw:
        """Draw one; what is drawn depends on the number of frames alone."""
        blend = BlendDraw.drawn(rng)
        depth = float(rng.uniform(0, _DEEPEST)) if rng.random() > _STEADY else 0.0
        waves, phase = float(rng.uniform(0.25, 2.0)), float(rng.uniform(0, 2 * np.pi))
        along = np.arange(frames) / max(1, frames)
        intensity = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * waves * along + phase))
        spread = float(rng.uniform(0, _WIDEST_TREMBLE)) if rng.random() < _TREMBLES else 0.0
        return cls(blend, intensity, spread * rng.standard_normal((frames, 2)))


@CLIP_FORGERIES.register
class SelfBlendedVideo:
    """Blend a clip with a transformed copy of itself, the same way in every frame."""

    spec: ClassVar = ForgerySpec(
        id="self_blended_video",
        title="Self-blended video",
        paper="Nguyen et al., FakeSTormer, ICCV 2025",
        family="blending",
        needs_donor=False,
    )

    def forge(
        self, target: RealClip, donor: RealClip | None, rng: np.random.Generator
    ) -> ForgedClip:
        """Return a self-blended clip of ``target``; ``donor`` is not used."""
        del donor
        draw = ClipDraw.drawn(len(target), rng)
        steady = steadied(target.landmarks)
        frames = []
        for number, image in enumerate(target.images):
            x, y = draw.tremble[number]
            frames.append(
                apply_blend(
                    RealFace(image, steady[number]),
                    draw.blend,
                    intensity=float(draw.intensity[number]),
                    nudge=(float(x), float(y)),
                )
            )
        return ForgedClip.of(frames, self.spec.id)


def steadied(landmarks: Floats) -> Floats:
    """Take the noise of the mesh out of slow motion.

    Args:
        landmarks: (T, N, 2) points, frame by frame.

    Returns:
        (T, N, 2): the mean over up to five frames around each. Where a point moved further from
        that mean than 2 % of the face, it stays: that is motion, not noise.
    """
    frames = len(landmarks)
    extent = float(np.ptp(landmarks, axis=1).max())
    mean = np.empty_like(landmarks)
    for number in range(frames):
        # As many frames before as after, so that steady motion is not delayed.
        reach = min(_WINDOW // 2, number, frames - 1 - number)
        mean[number] = landmarks[number - reach : number + reach + 1].mean(0)
    moved = np.linalg.norm(landmarks - mean, axis=2, keepdims=True) > _SLOW * extent
    return np.where(moved, landmarks, mean).astype(np.float32)
