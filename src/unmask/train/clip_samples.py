"""Pairs of clips: a real one and a forgery of it, cut and degraded alike, frame by frame.

A batch is a pure function of (seed, batch number).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from unmask.errors import UsageError
from unmask.faces.alignment import align_region
from unmask.faces.mesh import Region
from unmask.forgeries.clip import CLIP_FORGERIES
from unmask.train.clips import ClipReader, clip_region
from unmask.train.still_films import moved_still

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore
    from unmask.forgeries.clip import ForgedClip, RealClip
    from unmask.networks.base import NetworkSpec
    from unmask.train.clips import ClipIndex
    from unmask.types import Floats, Image

    Degrade = Callable[[list[list[Image]], np.random.Generator], list[list[Image]]]

_SHIFT = 0.05
_ROLL_DEG = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class ClipBatch:
    """Real and forged clips, alternating: even rows real, each odd row forged from the one before.

    Attributes:
        images: (2 P, T, S, S, 3) uint8 RGB.
        y_true: (2 P,) float32, 1 = fake.
        masks: (2 P, T, S, S) float32, share of foreign pixels.
    """

    images: NDArray[np.uint8]
    y_true: Floats
    masks: Floats


@dataclass(frozen=True, slots=True)
class ClipCrops:
    """How clips are cut.

    Attributes:
        size: Side of the crops.
        margin: Smallest and largest crop margin.
        jitter: Factor on the random shift and turn; 0 also leaves out mirroring.
        move_stills: Let clips of a single picture move
            (:func:`unmask.train.still_films.moved_still`).
        plane_px: Side that larger pictures are reduced to before they are forged, so that this
            costs less; None: forge at full size.
    """

    size: int
    margin: tuple[float, float]
    jitter: float = 1.0
    move_stills: bool = True
    plane_px: int | None = None


class ClipSampler:
    """Draws pairs of clips whose forgeries are made on the fly.

    All frames of both clips of a pair are cut by one square that does not move
    (:func:`unmask.train.clips.clip_region`), shifted, turned and mirrored by one draw, and
    degraded by one draw.

    Args:
        store: The faces.
        clips: Clips of real faces in it.
        forgeries: Share of each clip forgery by id.
        crops: How they are cut.
        degrade: Degrades lists of frames all alike, as
            :class:`unmask.train.degradation.Degradation` does; None: nothing is degraded.
        seed: Seed of everything.

    Raises:
        UsageError: There is no clip, or no forgery.
        UnknownEntry: A forgery is unknown.
    """

    def __init__(
        self,
        store: FaceStore,
        clips: ClipIndex,
        forgeries: Mapping[str, float],
        crops: ClipCrops,
        *,
        degrade: Degrade | None = None,
        seed: int = 0,
    ) -> None:
        shares = np.array(list(forgeries.values()), float)
        if not len(clips) or not shares.sum() > 0:
            raise UsageError(
                f"There are {len(clips)} clips and {len(forgeries)} forgeries to draw from.",
                hint="Both are needed: check the store, and give each forgery a share above 0.",
            )
        self.crops, self.seed = crops, seed
        self._clips, self._reader = clips, ClipReader(store, max_side_px=crops.plane_px)
        self._kinds, self._shares = list(forgeries), shares / shares.sum()
        self._forge = {kind: CLIP_FORGERIES.get(kind)() for kind in forgeries}
        self._degrade = degrade
        self._source = store.columns.source_id[clips.rows[:, 0]]

    def batch(self, number: int, pairs: int) -> ClipBatch:
        """Batch ``number``: ``pairs`` pairs of clips drawn at random."""
        images, masks = [], []
        for slot in range(pairs):
            rng = np.random.default_rng((self.seed, number, slot))
            real, fake, mask = self.pair(int(rng.integers(len(self._clips))), rng)
            images += [real, fake]
            masks += [np.zeros_like(mask), mask]
        y_true = np.tile(np.array([0, 1], np.float32), pairs)
        return ClipBatch(np.stack(images), y_true, np.stack(masks))

    def pair(
        self, clip: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Floats]:
        """Clip number ``clip``, its forgery, (T, S, S, 3) each, and the masks (T, S, S)."""
        target = self._read(clip, rng)
        kind = str(rng.choice(self._kinds, p=self._shares))
        forge = self._forge[kind]
        donor = self._donor(clip, rng) if forge.spec.needs_donor else None
        forged = forge.forge(target, donor, rng)
        return self._cut(target, forged, rng)

    def _read(self, clip: int, rng: np.random.Generator) -> RealClip:
        rows = self._clips.rows[clip]
        read = self._reader.read(rows).frames
        if self.crops.move_stills and len(rows) > 1 and len(np.unique(rows)) == 1:
            return moved_still(read.face(0), len(rows), rng)
        return read

    def _donor(self, clip: int, rng: np.random.Generator) -> RealClip:
        others = np.flatnonzero(self._source != self._source[clip])
        if not len(others):
            raise UsageError(
                f"Swapping needs clips of two originals; there is only {self._source[clip]}.",
                hint="Add films, or take the forgeries that need a donor out.",
            )
        return self._read(int(rng.choice(others)), rng)

    def _cut(
        self, target: RealClip, forged: ForgedClip, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Floats]:
        steady = clip_region(target.landmarks, float(rng.uniform(*self.crops.margin)))
        region = _jittered(steady, self.crops.jitter, rng)
        flipped = bool(rng.random() < 0.5) and self.crops.jitter > 0
        both = [
            [align_region(image, region, self.crops.size).image for image in frames]
            for frames in (forged.originals, forged.images)
        ]
        matrix, size = region.matrix(self.crops.size), (self.crops.size, self.crops.size)
        masks = np.stack([cv2.warpAffine(mask, matrix, size) for mask in forged.masks])
        if flipped:
            both = [[np.ascontiguousarray(frame[:, ::-1]) for frame in frames] for frames in both]
            masks = np.ascontiguousarray(masks[:, :, ::-1])
        if self._degrade is not None:
            both = self._degrade(both, rng)
        return np.stack(both[0]), np.stack(both[1]), masks.astype(np.float32)


def clip_pixels(images: NDArray[np.uint8], spec: NetworkSpec) -> torch.Tensor:
    """(B, T, S, S, 3) uint8 -> (B, T, 3, S, S) float32, normalised as ``spec`` says."""
    mean = torch.tensor(spec.mean)[:, None, None]
    std = torch.tensor(spec.std)[:, None, None]
    pixels: Any = torch.from_numpy(images).permute(0, 1, 4, 2, 3).float()
    return torch.as_tensor((pixels - mean) / std)


def _jittered(region: Region, strength: float, rng: np.random.Generator) -> Region:
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * region.side_px * strength
    centre = (region.centre[0] + float(shift[0]), region.centre[1] + float(shift[1]))
    roll = float(np.radians(rng.normal(0, _ROLL_DEG))) * strength
    return Region(centre, region.side_px, region.roll_rad + roll)
