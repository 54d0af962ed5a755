"""Training samples: which faces are drawn, forged, cut and degraded for a batch.

Every sample is a pure function of (seed, step, place in the batch). So a run that was stopped
goes on with exactly the samples it would have seen, whatever the number of loader processes,
devices or pieces that the batch is computed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unmask.datasets.preprocessing import difference_mask
from unmask.train.balance import WeightedRows, draw_weights
from unmask.train.degradation import Degradation
from unmask.train.footage import Footage
from unmask.train.on_the_fly import OnTheFly
from unmask.train.originals import Originals
from unmask.train.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmask.datasets.store import StoredFace
    from unmask.networks.base import NetworkSpec
    from unmask.train.network_recipe import NetworkRecipe
    from unmask.train.selection import TrainingFaces
    from unmask.types import Floats

_FOUND = "found"  # forgeries that came with the data rather than from our forge
_SAME_PLACE_PX = 0.75


class RawBatch(NamedTuple):
    """A batch as loader processes make it.

    Attributes:
        images: (B, S, S, 3) uint8 RGB, or (B, T, S, S, 3) for clips.
        y_true: (B,) float32, 1 = fake.
        masks: (B, S, S) float32, share of foreign pixels; zero where it is not known.
        mask_known: (B,) bool.
    """

    images: NDArray[np.uint8]
    y_true: Floats
    masks: Floats
    mask_known: NDArray[np.bool_]


class _Sample(NamedTuple):
    """What stands at one row of a batch, before it is cut."""

    footage: Footage
    y_true: int
    mask_known: bool


class _Cut(NamedTuple):
    """One row of a batch; see :class:`RawBatch`."""

    image: NDArray[np.uint8]
    y_true: float
    mask: Floats
    mask_known: bool


class FaceSampler:
    """Draws samples for a recipe.

    Args:
        recipe: What to draw.
        spec: Of the network.
        size: Side of the crops.
        faces: What may be trained on.

    Raises:
        UsageError: A class is missing, or no fake has its original where pairs are wanted.
        UnknownEntry: There is no such forgery (of clips, for networks that see clips).
    """

    def __init__(
        self, recipe: NetworkRecipe, spec: NetworkSpec, size: int, faces: TrainingFaces
    ) -> None:
        self.recipe, self.size, self.faces = recipe, size, faces
        crops = recipe.crops
        low, high = 0.85 * spec.crop_margin, 1.15 * spec.crop_margin
        self._margin = (crops.margin[0], crops.margin[1]) if crops.margin else (low, high)
        self._degrade = Degradation(crops.strength, crops.parts)
        self._originals = Originals(faces)
        self._all: WeightedRows | None = None
        self._fakes: WeightedRows | None = None
        self._forge = OnTheFly(recipe.mixture.forgeries, faces, spec)
        self._prepare_draws()

    def _prepare_draws(self) -> None:
        mixture, y_true = self.recipe.mixture, self.faces.columns.y_true
        if mixture.balance == "none":
            self._all = self._weighted(np.arange(len(self.faces)), "faces", by="class")
            return
        fake = np.flatnonzero(y_true == 1)
        if mixture.paired:
            fake = np.array([n for n in fake if self._originals.has(int(n))], np.int64)
        self._reals = self._weighted(np.flatnonzero(y_true == 0), "real faces", by=mixture.balance)
        if mixture.found and (len(fake) or not mixture.forgeries):
            what = "forgeries with their originals" if mixture.paired else "forgeries"
            self._fakes = self._weighted(fake, what, by=mixture.balance)
        shares = np.array([mixture.found if self._fakes else 0.0, *mixture.forgeries.values()])
        self._kinds = [_FOUND, *mixture.forgeries]
        self._kind_shares = shares / shares.sum()

    def _weighted(self, numbers: NDArray[np.int64], what: str, *, by: str) -> WeightedRows:
        columns = self.faces.columns.take(numbers)
        weights = draw_weights(columns, self.faces.store_of[numbers], self.faces.shares, by=by)
        return WeightedRows(numbers, weights, what)

    def batch(self, step: int, places: Sequence[int]) -> RawBatch:
        """Samples at some places of the batch of a step.

        Args:
            step: Number of the step, from 0.
            places: Places, of ``range(recipe.batch // 2)``, each of which holds a real and a fake
                one; of ``range(recipe.batch)`` without balance.
        """
        cut: list[_Cut] = []
        for place in places:
            rng = np.random.default_rng((self.recipe.seed, step, place))
            cut += self._samples(rng)
        images, y_true, masks, known = zip(*cut, strict=True)
        return RawBatch(
            np.stack(images), np.array(y_true, np.float32), np.stack(masks), np.array(known)
        )

    def any_image(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One face as it comes, cut and degraded; only with ``balance = "none"``."""
        assert self._all is not None  # noqa: S101 - see above
        return self._cut([self._stored(self._all.draw(rng), rng)], rng)[0].image

    def _samples(self, rng: np.random.Generator) -> list[_Cut]:
        if self._all is not None:
            return self._cut([self._stored(self._all.draw(rng), rng)], rng)
        kind = str(rng.choice(self._kinds, p=self._kind_shares))
        if self.recipe.mixture.paired:
            pair = self._found_pair(rng) if kind == _FOUND else self._forged_pair(kind, rng)
            return self._cut(pair, rng)
        real = self._stored(self._reals.draw(rng), rng)
        fake = self._found(rng) if kind == _FOUND else self._forged_pair(kind, rng)[1]
        return self._cut([real], rng) + self._cut([fake], rng)

    def _found_pair(self, rng: np.random.Generator) -> list[_Sample]:
        number = self._found_number(rng)
        state = int(rng.integers(2**31))  # a still and its forgery must move alike
        fake = self.faces.footage.read(number, np.random.default_rng(state))
        real = self.faces.footage.frames(self._originals.of(number), np.random.default_rng(state))
        return [_Sample(real, 0, mask_known=True), self._with_mask(fake, real)]

    def _found(self, rng: np.random.Generator) -> _Sample:
        number = self._found_number(rng)
        state = int(rng.integers(2**31))
        fake = self.faces.footage.read(number, np.random.default_rng(state))
        if not (self.recipe.mixture.masks and self._originals.has(number)):
            return _Sample(fake, 1, mask_known=fake.frames[0].mask is not None)
        real = self.faces.footage.frames(self._originals.of(number), np.random.default_rng(state))
        return self._with_mask(fake, real)

    def _found_number(self, rng: np.random.Generator) -> int:
        assert self._fakes is not None  # noqa: S101 - without any, their share is 0
        return self._fakes.draw(rng)

    def _stored(self, number: int, rng: np.random.Generator) -> _Sample:
        footage = self.faces.footage.read(number, np.random.default_rng(rng.integers(2**31)))
        label = int(self.faces.columns.y_true[number])
        known = label == 0 or footage.frames[0].mask is not None
        return _Sample(footage, label, known)

    def _with_mask(self, fake: Footage, real: Footage) -> _Sample:
        """A found fake whose mask, where it brings none, is where it differs from its original."""
        if fake.frames[0].mask is not None or not self.recipe.mixture.masks:
            return _Sample(fake, 1, mask_known=fake.frames[0].mask is not None)
        if not all(map(_in_the_same_place, fake.frames, real.frames)):
            return _Sample(fake, 1, mask_known=False)
        masks = [
            difference_mask(np.asarray(r.image), np.asarray(f.image))
            for r, f in zip(real.frames, fake.frames, strict=True)
        ]
        return _Sample(Footage.of(fake.clip(), masks), 1, mask_known=True)

    def _forged_pair(self, kind: str, rng: np.random.Generator) -> list[_Sample]:
        real, fake = self._forge.pair(kind, self._reals, rng)
        return [_Sample(real, 0, mask_known=True), _Sample(fake, 1, mask_known=True)]

    def _cut(self, samples: list[_Sample], rng: np.random.Generator) -> list[_Cut]:
        """Cut and degrade samples that must go through the same: a pair, or one alone."""
        view = View.drawn(self._margin, self.recipe.crops, rng)
        images = [view.images(sample.footage, self.size) for sample in samples]
        masks = [view.mask(sample.footage, self.size) for sample in samples]
        images = self._degrade(images, rng)
        is_clip = self.faces.footage.rows.shape[1] > 1
        return [
            _Cut(
                np.stack(image) if is_clip else image[0],
                float(sample.y_true),
                mask,
                sample.mask_known,
            )
            for sample, image, mask in zip(samples, images, masks, strict=True)
        ]


def _in_the_same_place(first: StoredFace, second: StoredFace) -> bool:
    if first.image.shape != second.image.shape:
        return False
    return bool(np.abs(first.landmarks - second.landmarks).mean() < _SAME_PLACE_PX)
