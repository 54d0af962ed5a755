"""Searching the settings that a detector misses most, from its scores alone.

Source: Rubinstein, "The Cross-Entropy Method for Combinatorial and Continuous Optimization",
Methodology and Computing in Applied Probability 1 (1999): settings are drawn from independent
distributions, the best of them are kept, and the distributions move towards what those share.
What differs: shares are smoothed and never fall below a floor, since what is wanted is a region
to train on and not one point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bench.rounds.space import Setting, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ELITE = 0.25
_STEP = 0.7
_FLOOR = 0.25  # of the share that a value has when all are alike


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often each value of each setting is drawn.

    Attributes:
        space: Values by setting.
        shares: Share of each value, summing to 1 for each setting.
    """

    space: Mapping[str, Sequence[Value]]
    shares: Mapping[str, tuple[float, ...]]

    @classmethod
    def uniform(cls, space: Mapping[str, Sequence[Value]]) -> Distribution:
        """All values alike."""
        return cls(space, {name: (1 / len(v),) * len(v) for name, v in space.items()})

    def draw(self, rng: np.random.Generator) -> dict[str, int]:
        """One setting, as the place of each value."""
        return {
            name: int(rng.choice(len(shares), p=np.asarray(shares)))
            for name, shares in self.shares.items()
        }

    def setting(self, rng: np.random.Generator) -> Setting:
        """One setting."""
        return Setting.at(self.draw(rng), self.space)

    def towards(self, best: Sequence[Mapping[str, int]]) -> Distribution:
        """The distribution moved towards what the best settings share."""
        moved = {}
        for name, shares in self.shares.items():
            counts = np.bincount([one[name] for one in best], minlength=len(shares))
            mixed = (1 - _STEP) * np.asarray(shares) + _STEP * counts / len(best)
            floored = np.maximum(mixed, _FLOOR / len(shares))
            moved[name] = tuple((floored / floored.sum()).tolist())
        return Distribution(self.space, moved)

    def to_json(self) -> dict[str, Any]:
        """Shares by setting and value, for a file."""
        return {
            name: {str(value): share for value, share in zip(self.space[name], shares, strict=True)}
            for name, shares in self.shares.items()
        }

    @classmethod
    def from_json(
        cls, table: Mapping[str, Any], space: Mapping[str, Sequence[Value]]
    ) -> Distribution:
        """Read what :meth:`to_json` gave.

        Raises:
            KeyError: It is of another space.
        """
        shares = {
            name: tuple(float(table[name][str(value)]) for value in values)
            for name, values in space.items()
        }
        return cls(space, shares)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """Settings that were tried, and what came of them.

    Attributes:
        places: (S,) settings.
        missed: (S,) forgeries below the threshold.
        visible: (S,) forgeries that changed enough to count.
    """

    places: Sequence[Mapping[str, int]]
    missed: NDArray[np.int64]
    visible: NDArray[np.int64]

    def rates(self, fewest: int) -> NDArray[np.float64]:
        """Miss rates, drawn towards one half where few count; 0 where fewer than ``fewest`` do."""
        rates: NDArray[np.float64] = (self.missed + 1) / (self.visible + 2)
        return np.where(self.visible >= fewest, rates, 0.0)


Trial = Callable[[Sequence[Setting], int], "tuple[NDArray[np.int64], NDArray[np.int64]]"]


def search(
    start: Distribution,
    trial: Trial,
    *,
    generations: int,
    settings: int,
    fewest: int,
    rng: np.random.Generator,
) -> tuple[Distribution, list[Tried]]:
    """Move a distribution to where forgeries are missed.

    Args:
        start: Where to begin.
        trial: Forges with each setting and returns how many were missed and how many were visible;
            its second argument is the number of the generation.
        generations: How often.
        settings: Settings tried in each.
        fewest: Visible forgeries that a setting needs to count.
        rng: Source of all randomness.

    Returns:
        The last distribution, and what was tried in each generation.
    """
    current, told = start, []
    for generation in range(generations):
        places = [current.draw(rng) for _ in range(settings)]
        missed, visible = trial([Setting.at(one, current.space) for one in places], generation)
        tried = Tried(places, missed, visible)
        told.append(tried)
        rates = tried.rates(fewest)
        order = np.argsort(-rates, kind="stable")[: max(1, round(_ELITE * settings))]
        best = [places[place] for place in order.tolist() if rates[place] > 0]
        if best:
            current = current.towards(best)
    return current, told
