"""Hardening rounds as one TOML file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from unmask.bench.comparison.measures import RESAMPLES
from unmask.bench.face_choice import FaceChoice
from unmask.bench.rounds.space import narrowed
from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of
from unmask.train.network_recipe import NetworkRecipe, network_recipe_from

_WORDS = ("title", "about")


@dataclass(frozen=True)
class SearchSettings:
    """How the forge's settings are searched.

    Attributes:
        generations: Steps of the search in each round.
        settings: Settings tried in each.
        faces: Faces that each setting is tried on.
    """

    generations: int = 3
    settings: int = 40
    faces: int = 10


@dataclass(frozen=True)
class Rounds:
    """What is hardened, on what, and how it is looked at.

    Attributes:
        title: Heading.
        network: Id of the network.
        families: Families of the space that are searched and trained on; the others of the space
            are held out with ``held_out``.
        training_faces: Real faces that are forged for training and for the search.
        threshold_faces: Real faces that set the threshold; apart from training and tests.
        tests: Real faces that are forged by the held-out families, and counted as false alarms.
        held_out: Ids of forgeries, or folders of generators' runs (relative to the recipe), that
            are never trained on.
        about: What is asked.
        rounds: How many.
        steps: Training steps of each round.
        start_steps: Training steps before the first, on settings drawn alike.
        false_alarm_rate: Share of ``threshold_faces`` at or above the threshold.
        control: Also train for as long on settings drawn alike, without the search.
        search: How the search is done.
        seed: Of everything.
        resamples: Of each bootstrap.
    """

    title: str
    network: str
    families: tuple[str, ...]
    training_faces: FaceChoice
    threshold_faces: FaceChoice
    tests: tuple[FaceChoice, ...]
    held_out: tuple[str, ...]
    about: str = ""
    rounds: int = 3
    steps: int = 100
    start_steps: int = 200
    false_alarm_rate: float = 0.05
    control: bool = True
    search: SearchSettings = field(default_factory=SearchSettings)
    seed: int = 1
    resamples: int = RESAMPLES


@dataclass(frozen=True)
class RoundsPlan:
    """Rounds with the training table of their network and where they were read from."""

    rounds: Rounds
    training: dict[str, Any]
    folder: Path = Path()
    name: str = "rounds"

    def recipe(self, steps: int, init: str, stores: dict[str, float]) -> NetworkRecipe:
        """The training recipe of one round.

        Args:
            steps: How long.
            init: Weights to go on from; empty: those of the table.
            stores: Weight of each store that is made while training, by name.
        """
        named = [{"name": name, "path": name, "weight": share} for name, share in stores.items()]
        table = dict(self.training)
        data = dict(table.get("data", {}))
        # Nothing is held out of training by chance: what is looked at lies apart.
        data = {"validation_share": 0.0, **data, "stores": [*data.get("stores", []), *named]}
        table |= {"network": self.rounds.network, "steps": steps, "data": data}
        table.setdefault("seed", self.rounds.seed)
        if init:
            table["init"] = init
        return network_recipe_from(table, f"the training of {self.name}")

    def digest(self) -> str:
        """SHA-256 of everything that the result depends on; not of what the page says."""
        rounds = {name: value for name, value in asdict(self.rounds).items() if name not in _WORDS}
        text = json.dumps([rounds, self.training], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_rounds(path: Path) -> RoundsPlan:
    """Read and check a recipe.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key (with the near match), or an impossible value.
    """
    table = read_toml(path, "recipes/studies/")
    training = table.pop("training", {})
    rounds: Rounds = record_of(Rounds, table, path.name)
    narrowed(rounds.families)
    search = rounds.search
    for is_wrong, complaint in (
        (not rounds.tests or not rounds.held_out, "it names no tests or no held-out families"),
        (min(rounds.rounds, rounds.steps, rounds.start_steps) < 1, "a number of steps is below 1"),
        (not 0 < rounds.false_alarm_rate < 1, "false_alarm_rate must lie in 0..1"),
        (min(search.generations, search.settings, search.faces) < 1,
         "a number of the search is below 1"),
        (bool(set(rounds.families) & set(rounds.held_out)),
         "a family is searched and held out at once"),
    ):  # fmt: skip
        if is_wrong:
            raise UsageError(f"{path.name}: {complaint}.", hint="See recipes/studies/rounds.toml.")
    runs = tuple(
        str((path.parent / one).resolve()) if "/" in one else one for one in rounds.held_out
    )
    plan = RoundsPlan(replace(rounds, held_out=runs), training, path.parent, path.stem)
    plan.recipe(1, "", {"check": 1.0})
    return plan
