"""A whole study: train, score, stress, measure; then tables and page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from unmask.bench.comparison.entries import entries
from unmask.bench.comparison.findings import Comparison, Failure
from unmask.bench.comparison.heat_map_panels import HeatMapPanel, panels_of
from unmask.bench.comparison.outputs import study_facts, write_comparison
from unmask.bench.comparison.score_files import read_scores
from unmask.bench.comparison.scores import TEST, ScoreTable, concatenate
from unmask.bench.comparison.stress import Stressed, StressPoint, stress_points
from unmask.bench.comparison.study_runs import (
    Place,
    Run,
    run_of,
    runs_of,
    set_scores,
    trained,
    validation_scores,
)
from unmask.bench.comparison.study_stores import make_stores
from unmask.bench.comparison.study_stress import (
    ChosenAttack,
    attacked_scores,
    costs_of,
    degraded_scores,
    features_of,
)
from unmask.bench.comparison.tables import make_tables
from unmask.errors import UnmaskError, UsageError

if TYPE_CHECKING:
    from unmask.bench.comparison.costs import Costs
    from unmask.bench.comparison.embedding import Embedding
    from unmask.bench.comparison.study import Adversarial, Plan
    from unmask.networks import DetectorNetwork


def run_study(plan: Plan, place: Place, *, command: str = "unmask bench") -> Comparison:
    """Run a study, or go on with it, and write its tables and page.

    Whatever is finished (a training run, the scores on a set, a point of a curve) is kept in
    ``place.out`` and not done again. A network that fails is told in the page; the others go on.

    Args:
        plan: What is compared.
        place: Where it reads and writes.
        command: The call as the page tells it.

    Raises:
        UsageError: The study contradicts itself, or nothing at all could be scored.
        InputError: A score table or a store is absent or damaged.
        OutputRefused: The results cannot be written.
        KeyboardInterrupt: It was stopped; what is finished is kept.
    """
    # What is missing is told before the first hour is spent.
    foreign = [read_scores(plan.folder / path) for path in plan.study.scores]
    make_stores(plan.study.prepare, plan.study.forge, place)
    for test in plan.study.tests:
        place.stores.get(test.path)
    session = _Session(plan, place, foreign)
    runs = runs_of(plan, place.stores)
    for run in runs:
        with session.told(run, "training and scoring"):
            session.tables += session.scores(run)
    table = session.table()
    for run in runs:
        scored = run.choice.title in table.detectors()
        if scored and run.seed == plan.study.seeds[0] and not run.left_out:
            session.measure(run, table)
    found = session.compared(table, command)
    write_comparison(found, table, place.out)
    return found


class _Session:
    """What a study has so far."""

    def __init__(self, plan: Plan, place: Place, tables: list[ScoreTable]) -> None:
        self.plan, self.study, self.place = plan, plan.study, place
        self.tests = {test.name: test for test in plan.study.tests}
        self.tables = tables
        self.degraded: list[Stressed] = []
        self.attacked: list[Stressed] = []
        self.costs: dict[str, Costs] = {}
        self.embeddings: list[Embedding] = []
        self.heat_maps: list[HeatMapPanel] = []
        self.failures: list[Failure] = []

    def scores(self, run: Run) -> list[ScoreTable]:
        """Scores of a run on every test, and on what chooses its thresholds."""
        network = trained(run, self.place)
        made = [set_scores(run, network, test, self.place) for test in self.study.tests]
        if all(test.role == TEST for test in self.study.tests):
            held_out = validation_scores(run, network, self.place)
            made += [held_out] if held_out is not None else []
        return made

    def table(self) -> ScoreTable:
        """All scores.

        Raises:
            UsageError: There are none; the reasons are told.
        """
        if not self.tables:
            reasons = "; ".join(f"{f.detector}: {f.message}" for f in self.failures[:3])
            raise UsageError(
                f"No detector could be scored ({reasons}).", hint="Mend the first reason first."
            )
        return concatenate(self.tables)

    def measure(self, run: Run, table: ScoreTable) -> None:
        """Everything beyond the scores of one network."""
        title, place = run.choice.title, self.place
        with self.told(run, "loading"):
            network = trained(run, place)
            for robust in self.study.robustness:
                if not robust.networks or title in robust.networks:
                    with self.told(run, "degradations"):
                        test = self.tests[robust.test]
                        self.degraded += degraded_scores(run, network, robust, test, place)
            for asked in self.study.adversarial:
                if not asked.networks or title in asked.networks:
                    self._attack(run, network, asked, _threshold(run, table))
            for settings in self.study.costs:
                with self.told(run, "costs"):
                    self.costs[title] = costs_of(run, network.input_px, settings, place)
            for picture in self.study.features:
                if title in picture.networks:
                    with self.told(run, "features"):
                        self.embeddings.append(
                            features_of(run, network, picture, self.tests, place)
                        )

            for shown in self.study.heat_maps:
                if not shown.networks or title in shown.networks:
                    with self.told(run, "heat maps"):
                        test = self.tests[shown.test]
                        self.heat_maps += panels_of(run, network, shown, test, table, place)

    def _attack(
        self, run: Run, network: DetectorNetwork, asked: Adversarial, threshold: float
    ) -> None:
        test = self.tests[asked.test]
        for name in asked.attacks:
            surrogate = None
            if name == "transfer" and run.choice.title == asked.surrogate:
                continue
            with self.told(run, f"attack {name}"):
                if name == "transfer":
                    surrogate = self._surrogate(asked.surrogate, run.seed)
                attack = ChosenAttack(name, asked, threshold, surrogate)
                self.attacked += attacked_scores(run, network, attack, test, self.place)

    def _surrogate(self, title: str, seed: int) -> DetectorNetwork:
        choice = next(one for one in self.study.networks if one.title == title)
        return trained(run_of(self.plan, choice, seed, self.place.stores), self.place)

    def compared(self, table: ScoreTable, command: str) -> Comparison:
        """Everything that the page tells."""
        study = self.study
        order = [choice.title for choice in study.networks]
        return Comparison(
            title=study.title,
            about=study.about,
            facts=study_facts(self.plan, command),
            tables=make_tables(table, resamples=study.resamples),
            entries=[entry for entry in entries(table) if not entry.left_out],
            robustness=_points(table, self.degraded, "auc", study.resamples),
            adversarial=_points(table, self.attacked, "accuracy", study.resamples),
            costs=self.costs,
            embeddings=sorted(self.embeddings, key=lambda one: order.index(one.title)),
            heat_maps=self.heat_maps,
            published=study.published,
            failures=self.failures,
            resamples=study.resamples,
        )

    @contextmanager
    def told(self, run: Run, stage: str) -> Iterator[None]:
        """Note a failure and go on: one network must not cost the others their results."""
        try:
            yield
        except Exception as error:
            said = error.message if isinstance(error, UnmaskError) else _plain(error)
            what = f"{stage}, seed {run.seed}"
            what += f", without {run.left_out}" if run.left_out else ""
            self.failures.append(Failure(run.choice.title, what, said))
            self.place.say(f"{run.choice.title}: {what} failed: {said}")


def _threshold(run: Run, table: ScoreTable) -> float:
    entry = next(
        one for one in entries(table) if one.detector == run.choice.title and not one.left_out
    )
    return float(entry.thresholds[entry.seeds.index(run.seed)])


def _points(
    table: ScoreTable, stressed: list[Stressed], metric: str, resamples: int
) -> list[StressPoint]:
    """Gathered detector by detector; told kind by kind."""
    kinds: dict[tuple[str, float], Stressed] = {}
    for one in stressed:
        key = (one.kind, one.strength)
        joined = [kinds[key].table, one.table] if key in kinds else [one.table]
        kinds[key] = dataclasses.replace(one, table=concatenate(joined))
    return stress_points(table, kinds.values(), metric=metric, resamples=resamples)


def _plain(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
