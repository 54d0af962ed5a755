"""A training run as one TOML file, read into dataclasses with every key checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of


@dataclass(frozen=True)
class DataSet:
    """One set of faces.

    Attributes:
        name: Name of the set, used by ``mixture.source_weights``.
        kind: ``reals`` (a folder of untouched pictures), ``films`` (untouched films) or ``pairs``
            (a manifest with originals).
        path: Folder, or CSV manifest, relative to the data root.
        group_prefix_chars: Pictures whose names share so many leading characters are one person
            or original, also across sets whose names share the first word (``london`` and
            ``london_smile``); 0: every picture stands alone. For ``reals`` only.
        names: Names of the films; for ``films`` only.
        frames: Frames of each film; for ``films`` only.
    """

    name: str
    kind: str
    path: str
    group_prefix_chars: int = 0
    names: tuple[str, ...] = ()
    frames: int = 24


@dataclass(frozen=True)
class Data:
    """Which faces are used."""

    sets: tuple[DataSet, ...]
    held_out_share: float = 0.08


@dataclass(frozen=True)
class Mixture:
    """What a batch is made of; see :mod:`unmask.train.pairs`.

    Attributes:
        pairs: Pairs in a batch.
        found: Share of pairs from sets that bring their own forgeries.
        forgeries: Share of pairs by forgery id.
        strength: Strength of the shared degradations, 0..1.
        margin: Smallest and largest crop margin.
        source_weights: Share of real faces by set.
    """

    pairs: int
    found: float
    forgeries: dict[str, float]
    source_weights: dict[str, float]
    strength: float = 1.0
    margin: tuple[float, float] = (1.1, 1.5)


@dataclass(frozen=True)
class Optimiser:
    """How weights move.

    Attributes:
        backbone_rate: Peak learning rate of the pre-trained part.
        head_rate: Peak learning rate of everything new.
        weight_decay: For matrices only.
        warm_up_steps: Linear rise.
        average_decay: Decay of the running average of weights that is kept in the end.
        map_weight: Weight of the map losses.
        rank_weight: Weight of the loss that wants a forgery above its own original.
    """

    backbone_rate: float = 4e-4
    head_rate: float = 1.5e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 300
    average_decay: float = 0.998
    map_weight: float = 0.5
    rank_weight: float = 0.3


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one resolution."""

    steps: int
    size: int
    frozen_blocks: int = 4


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        detector: Id of the detector that is trained.
        seed: Seed of everything.
        imagenet: Weights of the backbone to start from, relative to the data root; empty: random.
        start: Weights of the whole network to start from instead (``.npz``), relative to the
            recipe; empty: none.
    """

    detector: str
    seed: int
    data: Data
    mixture: Mixture
    phases: tuple[Phase, ...]
    optimiser: Optimiser = field(default_factory=Optimiser)
    imagenet: str = ""
    start: str = ""

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> Phase:
        """The phase that step number ``step`` (from 0) belongs to."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key (with the near match), a missing one or a wrong type.
    """
    recipe: Recipe = record_of(Recipe, read_toml(path, "recipes/"), path.name)
    for is_wrong, complaint in _complaints(recipe):
        if is_wrong:
            raise UsageError(f"{path.name}: {complaint}.")
    return recipe


def _complaints(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    """What types cannot say: (whether it is wrong, what)."""
    names = [one.name for one in recipe.data.sets]
    mixture = recipe.mixture
    low, high = mixture.margin
    shares = [mixture.found, *mixture.forgeries.values(), *mixture.source_weights.values()]
    yield not names, "data.sets is empty"
    yield len(set(names)) < len(names), "two data sets have the same name"
    yield not 0 <= recipe.data.held_out_share < 1, "data.held_out_share must be in 0..1"
    for name in mixture.source_weights:
        yield name not in names, f"mixture.source_weights names the unknown set {name!r}"
    yield mixture.pairs < 1, "mixture.pairs must be at least 1"
    yield min(shares) < 0, "a share in mixture is negative"
    yield not 0 <= mixture.strength <= 1, "mixture.strength must be in 0..1"
    yield not 0 < low <= high, "mixture.margin must be [smallest, largest]"
    yield not recipe.phases, "phases is empty"
    for phase in recipe.phases:
        yield phase.steps < 1, "a phase must have at least 1 step"
        yield phase.size < 32 or phase.size % 32 != 0, "a phase's size must be a multiple of 32"
        yield not 0 <= phase.frozen_blocks <= 19, "frozen_blocks must be in 0..19"
