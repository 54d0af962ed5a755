"""Unlabelled faces of a target domain, drawn beside the labelled ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.train.samples import FaceSampler

_STREAM = 1  # beside the labelled faces of the same step and place


class TargetSampler:
    """Draws as many faces of the target domain as the labelled sampler draws.

    Args:
        sampler: A sampler over the target's faces; labels play no part in what it draws.
        per_place: Faces at each place of a batch.
    """

    def __init__(self, sampler: FaceSampler, per_place: int) -> None:
        self._sampler, self._per_place = sampler, per_place

    def images(self, step: int, places: Sequence[int]) -> NDArray[np.uint8]:
        """(B, S, S, 3) or (B, T, S, S, 3) uint8 RGB, at some places of the batch of a step."""
        drawn = []
        for place in places:
            rng = np.random.default_rng((self._sampler.recipe.seed, step, place, _STREAM))
            drawn += [self._sampler.any_image(rng) for _ in range(self._per_place)]
        return np.stack(drawn)
