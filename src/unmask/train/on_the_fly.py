"""Forgeries made while training, from real faces or clips that are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UsageError
from unmask.forgeries import FORGERIES
from unmask.forgeries.clip import CLIP_FORGERIES, FrameByFrame, RealClip
from unmask.train.footage import Footage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.forgeries import Forgery
    from unmask.forgeries.clip import ClipForgery
    from unmask.networks.base import NetworkSpec
    from unmask.train.balance import WeightedRows
    from unmask.train.selection import TrainingFaces

_DONORS = 24


class OnTheFly:
    """Makes pairs of real and forged footage.

    Networks that see clips get clip forgeries, or an image forgery with the same draws in every
    frame; a clip forgery by that id goes before.

    Args:
        forgeries: Ids of forgeries.
        faces: What may be trained on.
        spec: Of the network.

    Raises:
        UnknownEntry: There is no such forgery.
    """

    def __init__(
        self, forgeries: Mapping[str, float], faces: TrainingFaces, spec: NetworkSpec
    ) -> None:
        self._faces = faces
        is_clip = spec.modality == "clip"
        self._image: dict[str, Forgery] = {}
        self._clip: dict[str, ClipForgery | FrameByFrame] = {}
        for name in forgeries:
            if is_clip and name in CLIP_FORGERIES.ids():
                self._clip[name] = CLIP_FORGERIES.get(name)()
            elif is_clip:
                self._clip[name] = FrameByFrame(FORGERIES.get(name)(), replay=True)
            else:
                self._image[name] = FORGERIES.get(name)()

    def pair(
        self, kind: str, reals: WeightedRows, rng: np.random.Generator
    ) -> tuple[Footage, Footage]:
        """A real face or clip, as a detector must call it unmanipulated, and its forgery."""
        number = reals.draw(rng)
        target = self._faces.footage.read(number, rng).clip()
        forge = self._clip[kind] if self._clip else self._image[kind]
        donor = self._donor(number, reals, rng) if forge.spec.needs_donor else None
        if self._clip:
            forged = self._clip[kind].forge(target, donor, rng)
            points = target.landmarks
            return (
                Footage.of(RealClip(forged.originals, points), None),
                Footage.of(RealClip(forged.images, points), forged.masks),
            )
        other = None if donor is None else donor.face(0)
        face = self._image[kind].forge(target.face(0), other, rng)
        points = target.landmarks
        return (
            Footage.of(RealClip([face.original], points), None),
            Footage.of(RealClip([face.image], points), [face.mask]),
        )

    def _donor(self, number: int, reals: WeightedRows, rng: np.random.Generator) -> RealClip:
        """A face from another original, turned about the same way."""
        columns = self._faces.columns
        drawn = np.array([reals.draw(rng) for _ in range(_DONORS)])
        candidates = self._of_others(drawn, number)
        if not len(candidates):  # a tiny set: any other original will do
            candidates = self._of_others(reals.rows, number)
        if not len(candidates):
            raise UsageError(
                f"Swapping needs faces of two originals; there is only "
                f"{columns.source_id[number]}.",
                hint="Add faces, or take the forgeries that need a donor out of the mixture.",
            )
        turn = np.abs(columns.yaw_deg[candidates] - columns.yaw_deg[number])
        best = int(candidates[np.argmin(np.nan_to_num(turn))])
        return self._faces.footage.read(best, rng).clip()

    def _of_others(self, numbers: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        sources = self._faces.columns.source_id
        others: NDArray[np.int64] = numbers[sources[numbers] != sources[number]]
        return others
