"""Stress, costs and features of a study's networks; each result is kept once it is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bench.comparison.adversarial import attacked_logits, crop_pixels, get_attack
from unmask.bench.comparison.costs import Costs, measure_costs
from unmask.bench.comparison.degradations import DegradedStore, get_degradation
from unmask.bench.comparison.embedding import Embedding, embed
from unmask.bench.comparison.score_files import read_scores, write_scores
from unmask.bench.comparison.scores import ScoreTable, from_faces
from unmask.bench.comparison.stress import Stressed
from unmask.bench.comparison.study_runs import (
    Place,
    Run,
    fingerprint,
    rows_of,
    slug,
    trained_on,
    write_text,
)
from unmask.errors import UsageError
from unmask.train.scoring import score_store
from unmask.train.trained_network import arguments_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.comparison.study import (
        Adversarial,
        CostSettings,
        Features,
        Robustness,
        ScoredSet,
    )
    from unmask.datasets import FaceStore
    from unmask.networks import DetectorNetwork

STEPS_OF_255 = "largest change, of 255"


def degraded_scores(
    run: Run,
    network: DetectorNetwork,
    asked: Robustness,
    test: ScoredSet,
    place: Place,
) -> Iterator[Stressed]:
    """Scores of one network under every degradation that is asked for."""
    store = place.stores.get(test.path)
    rows = rows_of(test, store.columns, asked.faces)
    for name in asked.degradations:
        degradation = get_degradation(name)
        for strength in asked.strengths.get(name, degradation.strengths):
            path = _path(run, store, rows, f"{name}-{strength:g}", place)
            if path.is_file():
                table = read_scores(path)
            else:
                place.say(f"{run.choice.title}: {degradation.title} {strength:g}")
                degraded = DegradedStore(store, degradation, strength)
                scores = score_store(network, degraded, rows, with_features=False)
                table = from_faces(scores.columns, scores.logits, **_constant(run, test, place))
                _keep(path, table)
            yield Stressed(name, degradation.title, degradation.unit, strength, table)


@dataclass(frozen=True, slots=True)
class ChosenAttack:
    """One attack on one network.

    Attributes:
        id: Which.
        asked: Strengths and faces.
        threshold: Logit from which the network calls a sample fake.
        surrogate: Network whose gradients are used instead, or None.
    """

    id: str
    asked: Adversarial
    threshold: float
    surrogate: DetectorNetwork | None = None

    def check(self, network: DetectorNetwork) -> None:
        """Refuse what cannot be attacked.

        Raises:
            UsageError: The network takes clips, or other crops than the surrogate.
        """
        if network.spec.modality != "image":
            raise UsageError("Clips are not attacked: the attacks here change single crops.")
        if self.surrogate is not None and self.surrogate.input_px != network.input_px:
            raise UsageError(
                f"The surrogate takes crops of {self.surrogate.input_px} px, this network of "
                f"{network.input_px} px; the same pixels must fit both."
            )

    @property
    def name(self) -> str:
        """What tells its scores from those of other attacks."""
        through = f"-{self.asked.surrogate}" if self.surrogate else ""
        return f"{self.id}{through}-at-{self.threshold:.4f}"


def attacked_scores(
    run: Run, network: DetectorNetwork, chosen: ChosenAttack, test: ScoredSet, place: Place
) -> Iterator[Stressed]:
    """Scores of one network under one attack; the pixels are gone afterwards.

    Raises:
        UsageError: See :meth:`ChosenAttack.check`.
    """
    chosen.check(network)
    attack, epsilons = get_attack(chosen.id), chosen.asked.epsilons
    store = place.stores.get(test.path)
    rows = rows_of(test, store.columns, chosen.asked.faces)
    columns = store.columns.take(rows)
    paths = {e: _path(run, store, rows, f"{chosen.name}-{e:g}", place) for e in epsilons}
    missing = [epsilon for epsilon, path in paths.items() if not path.is_file()]
    if missing:
        place.say(f"{run.choice.title}: {attack.title} on {len(rows)} faces")
        found = attacked_logits(
            network, crop_pixels(network, store, rows), columns.y_true, attack, missing,
            threshold=chosen.threshold, surrogate=chosen.surrogate, seed=run.seed,
        )  # fmt: skip
        for epsilon, logits in found:
            _keep(paths[epsilon], from_faces(columns, logits, **_constant(run, test, place)))
    for epsilon, path in paths.items():
        yield Stressed(chosen.id, attack.title, STEPS_OF_255, epsilon, read_scores(path))


def costs_of(run: Run, network_px: int, asked: CostSettings, place: Place) -> Costs:
    """Costs of a run's network as it was built, measured once for each number of threads."""
    arguments = arguments_of(run.recipe)
    own = f"-{fingerprint(sorted(arguments.items()))}" if arguments else ""
    name = f"{run.choice.id}-{network_px}px{own}-{asked.threads}threads.json"
    path = place.out / "costs" / name
    if path.is_file():
        return Costs(**json.loads(path.read_text(encoding="utf-8")))
    place.say(f"{run.choice.title}: speed, memory and size")
    found = measure_costs(
        run.choice.id, network_px, arguments, threads=asked.threads, seconds=asked.seconds
    )
    write_text(path, json.dumps(dataclasses.asdict(found), indent=1) + "\n")
    return found


def features_of(
    run: Run,
    network: DetectorNetwork,
    asked: Features,
    tests: dict[str, ScoredSet],
    place: Place,
) -> Embedding:
    """Features of one network on the faces of several sets, laid out."""
    place.say(f"{run.choice.title}: features of {', '.join(asked.tests)}")
    features, domains, labels = [], [], []
    for name in asked.tests:
        store = place.stores.get(tests[name].path)
        scores = score_store(network, store, rows_of(tests[name], store.columns, asked.faces))
        if scores.features is None:
            continue
        features.append(scores.features)
        domains.append(np.full(len(scores.features), name))
        labels.append(scores.columns.y_true)
    return embed(
        run.choice.title, np.concatenate(features), np.concatenate(domains),
        np.concatenate(labels), seed=run.seed,
    )  # fmt: skip


def _constant(run: Run, test: ScoredSet, place: Place) -> dict[str, Any]:
    return {"detector": run.choice.title, "seed": run.seed, "data_set": test.name,
            "trained_on": trained_on(run, place.stores)}  # fmt: skip


def _path(run: Run, store: FaceStore, rows: NDArray[np.int64], what: str, place: Place) -> Path:
    samples = fingerprint(store.columns.sample_id[rows].tolist(), what)
    return place.out / "stress" / run.folder / f"{slug(what)}-{samples}.parquet"


def _keep(path: Path, table: ScoreTable) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores(path, table)
