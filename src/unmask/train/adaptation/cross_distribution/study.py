"""A whole study: faces, frozen features, heads of all seeds, measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unmask.train.adaptation.cross_distribution.domains import source_faces, target_faces
from unmask.train.adaptation.cross_distribution.frozen_features import (
    FrozenNetwork,
    SourceComponents,
    cached_features,
)
from unmask.train.adaptation.cross_distribution.heads import Labelled
from unmask.train.adaptation.cross_distribution.measures import Row, measured
from unmask.train.adaptation.cross_distribution.results import write_results
from unmask.train.adaptation.cross_distribution.trial import DomainFeatures, Outcome, trial
from unmask.train.adaptation.unlabelled import UnlabelledFaces
from unmask.train.face_stores import open_store

if TYPE_CHECKING:
    from unmask.train.adaptation.cross_distribution.domains import Faces
    from unmask.train.adaptation.cross_distribution.recipe import Study

OnProgress = Callable[[str], None]


def run_study(
    study: Study, folder: Path, *, data: Path, shards: Path, on_progress: OnProgress
) -> list[Row]:
    """Run a study; features that were computed before are taken up.

    Args:
        study: What to measure.
        folder: Where results and features are written.
        data: Folder that ``study.init`` is relative to.
        shards: Folder that the stores' paths are relative to.
        on_progress: Told what is done, in words.

    Raises:
        InputError: A store or the file of weights is absent or damaged.
        UsageError: A store has not the faces that the study asks for, or a strategy is unknown.
    """
    stores = {
        path: open_store(shards / path)
        for path in dict.fromkeys([study.source.path, *(one.path for one in study.targets)])
    }
    train, test = source_faces(stores[study.source.path], study.source)
    targets = {one.name: target_faces(stores[one.path], one) for one in study.targets}
    frozen = _Frozen(study, folder / "features", data, on_progress)
    seen = frozen.of(train)
    reduced = SourceComponents(seen, study.training.components)
    source, source_test = Labelled(reduced(seen), _labels(train)), reduced(frozen.of(test))
    domains = {
        name: DomainFeatures(
            reduced(frozen.of(_without_labels(adapted))),
            reduced(frozen.of(tested)),
            _labels(adapted),
        )
        for name, (adapted, tested) in targets.items()
    }
    outcomes: list[Outcome] = []
    for seed in study.seeds:
        for one in trial(study, source, source_test, domains, seed):
            on_progress(f"seed {seed}, {one.target}: {one.method}")
            outcomes.append(one)
    tested_on = {name: tested for name, (_, tested) in targets.items()}
    rows = measured(outcomes, test, tested_on)
    write_results(folder, rows, outcomes, test, tested_on, study.few)
    return rows


class _Frozen:
    """Computes features and says how far it is."""

    def __init__(self, study: Study, folder: Path, data: Path, on_progress: OnProgress) -> None:
        self._network = FrozenNetwork(data / study.init, study.input_px, study.crop_margin)
        self._folder, self._on_progress = folder, on_progress
        self._done = 0

    def of(self, faces: Faces) -> torch.Tensor:
        return torch.from_numpy(cached_features(self._network, faces, self._folder, self._count))

    def _count(self, more: int) -> None:
        self._done += more
        self._on_progress(f"features of {self._done} faces")


def _without_labels(faces: Faces) -> Faces:
    return replace(faces, store=UnlabelledFaces(faces.store))


def _labels(faces: Faces) -> torch.Tensor:
    return torch.from_numpy(faces.y_true).float()
