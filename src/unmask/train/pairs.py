"""Batches of pairs: every forged face beside the real one it was made from.

A batch is a pure function of (seed, batch number), so a run that was stopped goes on with exactly
the batches it would have seen, whatever the number of loader processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.datasets.preprocessing import difference_mask
from unmask.errors import UsageError
from unmask.faces.alignment import align_region
from unmask.faces.mesh import Region, upright_region
from unmask.forgeries import FORGERIES, ForgedFace, RealFace
from unmask.train.augment import PairAugmenter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.train.facecache import FaceCache
    from unmask.train.recipe import Mixture
    from unmask.types import Floats, Image

MAP_STRIDE = 8
_FOUND = "found"  # forgeries that came with the data set rather than from our forge


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Real and forged faces, alternating: even rows real, odd rows forged.

    Attributes:
        images: (2 P, S, S, 3) uint8 RGB.
        maps: (2 P, S / 8, S / 8) float32 share of foreign pixels.
        seam_known: (2 P,) whether ``maps`` is a blending mask, so that its seam means something.
    """

    images: NDArray[np.uint8]
    maps: Floats
    seam_known: NDArray[np.bool_]


class PairSampler:
    """Draws batches from a face cache.

    Args:
        cache: The faces.
        rows: Row numbers that may be used (a split).
        mixture: What to draw.
        seed: Seed of everything.

    Raises:
        UsageError: The mixture leaves nothing to draw from these rows.
    """

    def __init__(
        self, cache: FaceCache, rows: NDArray[np.int64], mixture: Mixture, seed: int
    ) -> None:
        self.cache = cache
        self.seed = seed
        self.mixture = mixture
        real = rows[cache.label[rows] == 0]
        self._real_of = {cache.group[row]: row for row in real}
        fakes = rows[cache.label[rows] == 1]
        self._fakes = np.array([r for r in fakes if cache.group[r] in self._real_of], np.int64)
        self._by_source = {
            source: np.sort(real[cache.source[real] == source]) for source in mixture.source_weights
        }
        self._weights = np.array(
            [mixture.source_weights[s] if len(self._by_source[s]) else 0.0 for s in self._by_source]
        )
        self._kinds = [_FOUND, *mixture.forgeries]
        found = mixture.found if len(self._fakes) else 0.0
        shares = np.array([found, *mixture.forgeries.values()])
        if not self._weights.sum() or not shares.sum():
            raise UsageError(
                f"The mixture draws from nothing: {len(real)} real faces of the sets "
                f"{', '.join(mixture.source_weights)}, {len(self._fakes)} found forgeries.",
                hint="Check mixture.source_weights, found and forgeries against the data sets.",
            )
        self._weights = self._weights / self._weights.sum()
        self._kind_shares = shares / shares.sum()
        self._forge = {name: FORGERIES.get(name)() for name in mixture.forgeries}
        self._augment = PairAugmenter(mixture.strength)
        self._yaw = {int(row): face_turn(cache.landmarks[row]) for row in real}

    def batch(self, number: int, size: int) -> Batch:
        """Batch ``number`` with crops of ``size`` pixels (a multiple of 32)."""
        images, maps, known = [], [], []
        for slot in range(self.mixture.pairs):
            rng = np.random.default_rng((self.seed, number, slot))
            real, fake, mask, seam = self.pair(rng, size)
            images += [real, fake]
            maps += [np.zeros_like(mask), mask]
            known += [True, seam]
        return Batch(np.stack(images), np.stack(maps), np.array(known))

    def pair(self, rng: np.random.Generator, size: int) -> tuple[Image, Image, Floats, bool]:
        """One pair: real crop, forged crop, map of the forged one, whether its seam is known."""
        kind = str(rng.choice(self._kinds, p=self._kind_shares))
        if kind == _FOUND:
            forged, landmarks = self._found(rng)
        else:
            forged, landmarks = self._forged(kind, rng)
        region = _jittered(landmarks, self.mixture.margin, rng)
        real = align_region(forged.original, region, size).image
        fake = align_region(forged.image, region, size).image
        mask = cv2.warpAffine(forged.mask, region.matrix(size), (size, size))
        if rng.random() < 0.5:
            real, fake, mask = (np.ascontiguousarray(x[:, ::-1]) for x in (real, fake, mask))
        real, fake = self._augment(real, fake, rng)
        cells = size // MAP_STRIDE
        mask = cv2.resize(mask, (cells, cells), interpolation=cv2.INTER_AREA)
        return real, fake, np.asarray(mask, np.float32), kind != _FOUND

    def _found(self, rng: np.random.Generator) -> tuple[ForgedFace, Floats]:
        row = int(rng.choice(self._fakes))
        fake = self.cache.face(row)
        real = self.cache.face(int(self._real_of[self.cache.group[row]]))
        mask = difference_mask(real.image, fake.image)
        return ForgedFace(fake.image, real.image, mask, _FOUND), fake.landmarks

    def _forged(self, kind: str, rng: np.random.Generator) -> tuple[ForgedFace, Floats]:
        source = str(rng.choice(list(self._by_source), p=self._weights))
        row = int(rng.choice(self._by_source[source]))
        target = self.cache.face(row)
        forge = self._forge[kind]
        donor = self._donor(source, row, rng) if forge.spec.needs_donor else None
        return forge.forge(target, donor, rng), target.landmarks

    def _donor(self, source: str, row: int, rng: np.random.Generator) -> RealFace:
        """A face of the same set, turned about the same way, from another original."""
        drawn = rng.choice(self._by_source[source], 24)
        candidates = self._others(drawn, row)
        if not candidates:  # a tiny set: any other original will do
            candidates = self._others(np.array(sorted(self._yaw)), row)
        if not candidates:
            raise UsageError(
                f"Swapping needs faces of two originals; there is only {self.cache.group[row]}.",
                hint="Add faces, or take the forgeries that need a donor out of the mixture.",
            )
        best = min(candidates, key=lambda c: abs(self._yaw[c] - self._yaw[row]))
        return self.cache.face(best)

    def _others(self, candidates: NDArray[np.int64], row: int) -> list[int]:
        own = self.cache.group[row]
        return [int(c) for c in candidates if self.cache.group[c] != own]


def _jittered(landmarks: Floats, margin: tuple[float, float], rng: np.random.Generator) -> Region:
    region = upright_region(landmarks, float(rng.uniform(*margin)))
    shift = rng.uniform(-0.05, 0.05, 2) * region.side_px
    centre = (region.centre[0] + float(shift[0]), region.centre[1] + float(shift[1]))
    return Region(centre, region.side_px, region.roll_rad + float(np.radians(rng.normal(0, 4))))


def face_turn(landmarks: Floats) -> float:
    """Where the nose lies between the cheeks, -1..1: a cheap stand-in for yaw."""
    right, left, nose = landmarks[234], landmarks[454], landmarks[1]
    across = left - right
    return float(np.dot(nose - right, across) / max(float(across @ across), 1e-6)) * 2 - 1
