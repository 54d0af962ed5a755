"""The rounds: search what is missed, train on it, look; and the same without the search."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bench.comparison.study_runs import write_text
from unmask.bench.face_choice import ChosenFaces, FaceChoice
from unmask.bench.forged_choice import forged_choice
from unmask.bench.rounds.forged_faces import Forge, SettingStore, Tries, drawn_settings
from unmask.bench.rounds.measuring import Figure, figures_of, logits_of, threshold_at
from unmask.bench.rounds.search import Distribution, Tried, search
from unmask.bench.rounds.space import Setting, narrowed
from unmask.bench.workplace import Workplace
from unmask.errors import UsageError
from unmask.forge.face_forgers import forgers_of
from unmask.train.run_files import WEIGHTS
from unmask.train.runs import load_network, train_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.rounds.recipe import RoundsPlan
    from unmask.datasets.store import FaceStore
    from unmask.networks.base import DetectorNetwork

    Counts = NDArray[np.int64]

SEARCHED, ALIKE = "searched", "alike"
_UNIFORM, _HARD = "drawn-alike", "searched"
WEAK = "weakest settings"


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One round of one arm.

    Attributes:
        arm: ``searched``, or ``alike`` for the control.
        number: 0: before the first round.
        threshold: Logit at the false-alarm rate.
        figures: All that was measured after it.
        shares: Distribution that was trained on, where one was searched.
        generations: Miss rate of each generation of the search.
    """

    arm: str
    number: int
    threshold: float
    figures: Sequence[Figure]
    shares: Mapping[str, Any] = field(default_factory=dict)
    generations: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class FoundRounds:
    """What the rounds gave: in the order of arms and rounds, and whether all are done."""

    results: Sequence[RoundResult]
    finished: bool


def run_rounds(plan: RoundsPlan, place: Workplace) -> FoundRounds:
    """Run the rounds, or go on with them; finished ones are read.

    Raises:
        UsageError: The recipe contradicts itself, or two choices of faces share an original.
        InputError: A store or a run is absent or damaged.
        OutputRefused: Something cannot be written.
    """
    session = _Session(plan, place)
    start = session.round(SEARCHED, 0, None)
    if start is None:
        return FoundRounds([], finished=False)
    results = [start]
    arms = (SEARCHED, ALIKE) if plan.rounds.control else (SEARCHED,)
    for arm in arms:
        last = start
        for number in range(1, plan.rounds.rounds + 1):
            found = session.round(arm, number, last)
            if found is None:
                return FoundRounds(results, finished=False)
            results.append(found)
            last = found
    return FoundRounds(results, finished=True)


class _Session:
    """What the rounds share."""

    def __init__(self, plan: RoundsPlan, place: Workplace) -> None:
        self.plan, self.place, self.asked = plan, place, plan.rounds
        self.space = narrowed(plan.rounds.families)
        self.uniform = Distribution.uniform(self.space)
        # Another recipe is another folder, so nothing is mixed.
        self.folder = place.out / "rounds" / plan.digest()[:8]
        self.training = self._chosen(self.asked.training_faces)
        self.threshold_faces = self._chosen(self.asked.threshold_faces)
        tests = {one.name: self._chosen(one) for one in self.asked.tests}
        self._keep_apart(tests)
        self.forge = Forge(self.training, self.asked.seed)
        held_out = forgers_of(self.asked.held_out)
        self.tests: dict[str, FaceStore] = {
            one.name: forged_choice(one, held_out, place, split="test", seed=self.asked.seed)
            for one in self.asked.tests
        }
        self.test_forge = Forge(tests[self.asked.tests[0].name], self.asked.seed + 1)

    def round(self, arm: str, number: int, last: RoundResult | None) -> RoundResult | None:
        """One round, or what is known of it; None where training was stopped."""
        path = self.folder / f"{arm}-{number}.json"
        if path.is_file():
            return _read(path)
        found = RoundResult(arm, number, 0.0, ())
        if arm == SEARCHED and last is not None:
            found = self._searched(number, last.threshold)
        network = self._trained(arm, number, found.shares)
        if network is None:
            return None
        threshold = threshold_at(network, self.threshold_faces, self.asked.false_alarm_rate)
        if number == 0:  # what the first search finds is a test of every round, this one too
            self._searched(1, threshold)
        self.place.say(f"{arm}, round {number}: measuring")
        tests = {**self.tests, WEAK: self._weak_test()}
        figures = figures_of(network, tests, threshold, self.asked.resamples)
        found = dataclasses.replace(found, threshold=threshold, figures=figures)
        write_text(path, json.dumps(dataclasses.asdict(found), indent=1) + "\n")
        return found

    def _searched(self, number: int, threshold: float) -> RoundResult:
        """Where the detector of the round before is weakest; searched once and kept."""
        path = self.folder / f"search-{number}.json"
        if not path.is_file():
            self.place.say(f"round {number}: searching settings that are missed")
            network = load_network(self._run(SEARCHED, number - 1))
            found, told = self._search(network, number, threshold)
            missed = [_missed(one) for one in told]
            kept = {"shares": found.to_json(), "generations": missed}
            write_text(path, json.dumps(kept, indent=1) + "\n")
            self.place.say("missed by generation: " + ", ".join(f"{one:.0%}" for one in missed))
        kept = json.loads(path.read_text(encoding="utf-8"))
        missed = kept["generations"]
        return RoundResult(SEARCHED, number, 0.0, (), kept["shares"], tuple(missed))

    def _search(
        self, network: DetectorNetwork, number: int, threshold: float
    ) -> tuple[Distribution, list[Tried]]:
        rng = np.random.default_rng((self.asked.seed, number))
        asked = self.asked.search

        def trial(settings: Sequence[Setting], generation: int) -> tuple[Counts, Counts]:
            rows = rng.integers(len(self.training), size=asked.faces)
            faces = Tries(self.forge, settings, rows, 10 * number + generation)
            missed = (logits_of(network, faces) < threshold) & faces.visible
            shape = (len(settings), len(rows))
            return missed.reshape(shape).sum(1), faces.visible.reshape(shape).sum(1)

        return search(
            self.uniform, trial, generations=asked.generations, settings=asked.settings,
            fewest=max(1, asked.faces // 3), rng=rng,
        )  # fmt: skip

    def _trained(self, arm: str, number: int, shares: Mapping[str, Any]) -> DetectorNetwork | None:
        stores = {_UNIFORM: self._store(self.uniform, 0, _UNIFORM)}
        weights = {_UNIFORM: 1.0}
        if shares:
            # All rounds so far, so that what was learnt in one is not lost in the next.
            for past in range(1, number + 1):
                table = shares if past == number else self._shares(past)
                name = f"{_HARD}-{past}"
                stores[name] = self._store(Distribution.from_json(table, self.space), past, name)
                weights[name] = 1.0 / number
        first = number == 0
        steps = self.asked.start_steps if first else self.asked.steps
        before = "" if first else str((self._run(arm, number - 1) / WEIGHTS).resolve())
        recipe = self.plan.recipe(steps, before, weights)
        recipe = dataclasses.replace(recipe, seed=recipe.seed + number)
        extra = {one.name: self.place.stores.get(one.path) for one in recipe.data.stores
                 if one.name not in stores}  # fmt: skip
        folder = self._run(arm, number)
        self.place.say(f"{arm}, round {number}: {steps} steps")
        result = train_network(
            recipe, folder, stores={**stores, **extra}, data_root=self.place.data, workers=0,
            threads=self.place.threads,
        )  # fmt: skip
        return load_network(folder) if result.finished else None

    def _shares(self, number: int) -> dict[str, Any]:
        path = self.folder / f"search-{number}.json"
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["shares"]
        return table

    def _run(self, arm: str, number: int) -> Path:
        return self.folder / f"run-{SEARCHED if number == 0 else arm}-{number}"

    def _store(self, drawn_from: Distribution, draw: int, name: str) -> SettingStore:
        setting_of = drawn_settings(drawn_from.setting, self.training, 100 * self.asked.seed + draw)
        return SettingStore(self.forge, setting_of, name, draw)

    def _weak_test(self) -> SettingStore:
        """Test faces forged by the settings that the first search found."""
        faces = self.test_forge.faces
        weak = Distribution.from_json(self._shares(1), self.space)
        settings = drawn_settings(weak.setting, faces, self.asked.seed + 7)
        store = SettingStore(self.test_forge, settings, WEAK)
        one = np.where(store.columns.y_true == 1, WEAK, "real")  # they count together
        store.columns = dataclasses.replace(store.columns, method=one)
        return store

    def _chosen(self, choice: FaceChoice) -> ChosenFaces:
        store = self.place.stores.get(choice.path)
        return ChosenFaces(store, choice.rows(store.columns))

    def _keep_apart(self, tests: Mapping[str, ChosenFaces]) -> None:
        """Refuse choices of faces that share originals.

        Raises:
            UsageError: Two do.
        """
        every = {"training_faces": self.training, "threshold_faces": self.threshold_faces, **tests}
        names = list(every)
        for at, first in enumerate(names[:2]):
            for second in names[at + 1 :]:
                shared = np.intersect1d(
                    every[first].columns.source_id, every[second].columns.source_id
                )
                if len(shared):
                    raise UsageError(
                        f"{first} and {second} share {len(shared)} originals, {shared[0]} for one.",
                        hint="Keep them apart with split, take, sources and skip_sources.",
                    )


def _missed(tried: Tried) -> float:
    """Share of the visible forgeries of a generation that were missed."""
    return float(tried.missed.sum() / max(1, tried.visible.sum()))


def _read(path: Path) -> RoundResult:
    table = json.loads(path.read_text(encoding="utf-8"))
    table["figures"] = [Figure(**one) for one in table["figures"]]
    table["generations"] = tuple(table["generations"])
    return RoundResult(**table)
