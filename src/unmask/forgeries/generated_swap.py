"""Another person's face, painted by a generator: the landmark swap passed through an autoencoder.

What learned swaps leave behind, without training one for every pair of people: the donor's shape
and skin, the target's pose and expression, a generator's smoothness, and a blended edge.

Source: the pipeline of face-swap programs (Perov et al., DeepFaceLab, 2020, section 3: extract,
convert, blend). What differs: the swapped face comes from bending the donor's photograph instead of
from a decoder trained on them; the package's own autoencoder then repaints it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from unmask.faces.masks import face_mask
from unmask.forgeries._autoencoder import repaint
from unmask.forgeries.base import FORGERIES, ForgedFace, ForgerySpec, RealFace
from unmask.forgeries.blend import transfer_colour
from unmask.forgeries.landmark_swap import bent_face
from unmask.forgeries.reconstruction import blended, tinted


@FORGERIES.register
class GeneratedSwap:
    """Replace the target's face by the donor's, as a generator would paint it."""

    spec: ClassVar = ForgerySpec(
        id="generated_swap",
        title="Swap repainted by an autoencoder",
        paper="own; after DeepFaceLab (Perov et al., 2020)",
        family="swap",
        needs_donor=True,
    )

    def forge(
        self, target: RealFace, donor: RealFace | None, rng: np.random.Generator
    ) -> ForgedFace:
        """Swap with randomly chosen generator, mask, softness and blending.

        Raises:
            ValueError: No donor was given.
        """
        if donor is None:
            raise ValueError("generated_swap needs a donor face; none was given")
        height, width = target.image.shape[:2]
        kind = "oval" if rng.random() < 0.6 else "inner_hull"
        grow = float(rng.uniform(-0.08, 0.02))
        mask = face_mask(target.landmarks, height, width, kind=kind, grow=grow)
        swapped = transfer_colour(bent_face(target, donor), target.image, mask)
        if rng.random() < 0.5:  # decoders keep much of the target: expression, light, shape
            share = np.float32(rng.uniform(0.3, 0.9))
            mixed = swapped * share + target.image.astype(np.float32) * (1 - share)
            swapped = mixed.astype(np.uint8)
        face = tinted(repaint(swapped, target.landmarks, rng), rng)
        return blended(face, target, mask, rng, self.spec.id)
