"""The study: forge held-out faces by every family, score the detector, leave families out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.comparison.measures import Cell, measure
from unmask.bench.comparison.runner import run_study
from unmask.bench.comparison.score_files import read_scores, write_scores
from unmask.bench.comparison.scores import ScoreTable, concatenate, from_faces
from unmask.bench.comparison.study import NetworkChoice, Plan, ScoredSet, Study
from unmask.bench.comparison.study_runs import Place, Stores, fingerprint, slug
from unmask.bench.families.detector_scores import face_logits, shipped_threshold
from unmask.bench.forged_choice import forged_choice
from unmask.bench.workplace import Workplace
from unmask.detectors.choice import open_detector
from unmask.forge.face_forgers import FaceForger, forgers_of
from unmask.forge.forged_samples import altered_originals

if TYPE_CHECKING:
    from unmask.bench.comparison.tables import Record
    from unmask.bench.face_choice import FaceChoice
    from unmask.bench.families.recipe import FamiliesPlan, LeftOut
    from unmask.datasets.shards import ShardStore
    from unmask.detectors.base import Detector

_TRAINING = "training"


@dataclass(frozen=True, slots=True)
class FamilyRow:
    """One family on one set of faces.

    Attributes:
        test: Name of the faces.
        method: Id of the family.
        title: For people.
        family: ``swap``, ``blending`` ...
        trained_with: Whether the detector met it in training.
        cell: The detector's numbers against all real faces of the test.
    """

    test: str
    method: str
    title: str
    family: str
    trained_with: bool
    cell: Cell


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured.

    Attributes:
        rows: A family and test each.
        threshold: The shipped threshold, a logit.
        scores: Of the detector, all tests.
        with_all: The small network trained with every family, by family and test.
        without: The same trained without the family that it is tested on.
    """

    rows: Sequence[FamilyRow]
    threshold: float
    scores: ScoreTable
    with_all: Sequence[Record]
    without: Sequence[Record]


def run_families(plan: FamiliesPlan, place: Workplace) -> Found:
    """Run the study, or go on with it: shards, scores and trainings that are there are kept.

    Raises:
        UsageError: The study contradicts itself.
        InputError: A store or a run is absent or damaged.
        OutputRefused: Something cannot be written.
    """
    study = plan.study
    forgers = forgers_of((*study.methods, *study.runs))
    detector = open_detector(study.detector)
    threshold = shipped_threshold(detector)
    rows: list[FamilyRow] = []
    tables: list[ScoreTable] = []
    stores = {
        test.name: forged_choice(
            test, forgers, place, split="test", seed=study.seed, per_face=study.per_face
        )
        for test in study.tests
    }
    for test in study.tests:
        table = _scored(detector, stores[test.name], test, place)
        tables.append(table)
        rows += [_row(table, test.name, one, plan, threshold) for one in forgers]
    scores = concatenate(tables)
    records: tuple[Sequence[Record], Sequence[Record]] = ((), ())
    for left_out in study.left_out:
        records = _left_out(left_out, forgers, stores, plan, place)
    return Found(rows, threshold, scores, *records)


def _scored(
    detector: Detector, store: ShardStore, test: FaceChoice, place: Workplace
) -> ScoreTable:
    # Real faces as they came, and no others: what a method sets beside its forgeries is changed.
    rows = np.flatnonzero(~altered_originals(store.columns.video_id))
    columns = dataclasses.replace(
        store.columns.take(rows), data_set=np.full(len(rows), test.name),
        split=np.full(len(rows), "test"),
    )  # fmt: skip
    key = fingerprint(store.folder.name, columns.sample_id.tolist(), detector.weights_sha256)
    path = place.out / "scores" / f"{slug(test.name)}-{key}.parquet"
    if path.is_file():
        return read_scores(path)
    place.say(f"{test.name}: {detector.spec.id} scores {len(rows):,} faces")
    logits = face_logits(detector, store, rows)
    table = from_faces(columns, logits, detector=detector.spec.id,
                       trained_on=" + ".join(detector.spec.training_sets))  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores(path, table)
    return table


def _row(
    table: ScoreTable, test: str, forger: FaceForger, plan: FamiliesPlan, threshold: float
) -> FamilyRow:
    mine = (table.y_true == 0) | (table.method == forger.id)
    cell = measure(
        table.y_true[mine], table.logit[mine][None], table.source_id[mine],
        thresholds=threshold, resamples=plan.study.resamples,
    )  # fmt: skip
    facts = forger.facts
    return FamilyRow(
        test, forger.id, str(facts.get("title", forger.id)), str(facts.get("family", "")),
        forger.id in plan.study.trained_with, cell,
    )  # fmt: skip


def _left_out(
    asked: LeftOut,
    forgers: Sequence[FaceForger],
    tested: Mapping[str, ShardStore],
    plan: FamiliesPlan,
    place: Workplace,
) -> tuple[Sequence[Record], Sequence[Record]]:
    """Train the small network with and without each family; score it on the same tests."""
    trained_on = forged_choice(
        asked.faces, forgers, place, split="train", seed=plan.study.seed, per_face=asked.per_face
    )
    tests = [ScoredSet(name=name, path=store.folder.name) for name, store in tested.items()]
    stores = [{"name": _TRAINING, "path": trained_on.folder.name}]
    data = {"stores": stores, **plan.training.get("data", {})}
    training = plan.training | {"data": data}
    left_out = asked.methods or tuple(one.id for one in forgers)
    study = Study(
        title=f"{asked.network}, with and without each family",
        about=plan.study.about,
        networks=(NetworkChoice(asked.network),),
        tests=tuple(tests),
        seeds=asked.seeds,
        left_out=left_out,
        resamples=plan.study.resamples,
    )
    lab = Place(
        out=place.out / "left-out",
        stores=Stores(place.out / "forged"),
        data=place.data,
        workers=0,
        threads=place.threads,
        say=place.say,
    )
    found = run_study(Plan(study, training, {}, plan.folder, plan.name), lab,
                      command=f"unmask bench families {plan.name}.toml")  # fmt: skip
    return found.tables.seen, found.tables.left_out
