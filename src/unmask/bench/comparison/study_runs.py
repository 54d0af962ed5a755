"""Training and scoring for a study: what is finished is never done again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from unmask.bench.comparison.score_files import read_scores, write_scores
from unmask.bench.comparison.scores import VALIDATION, ScoreTable, from_faces
from unmask.errors import OutputRefused, UsageError
from unmask.train.face_stores import open_store
from unmask.train.run_files import WEIGHTS
from unmask.train.runs import load_network, train_network
from unmask.train.scoring import score_store
from unmask.train.selection import select, validation_faces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.comparison.study import NetworkChoice, Plan, ScoredSet
    from unmask.datasets import FaceColumns, FaceStore
    from unmask.networks import DetectorNetwork
    from unmask.train.network_recipe import NetworkRecipe, Store
    from unmask.train.run import Progress

    Rows = NDArray[np.int64]

Say = Callable[[str], None]
_FINISHED = "finished.json"
_RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Run:
    """One training run of a study.

    Attributes:
        choice: The network.
        seed: Seed of training.
        left_out: Forgery that it is kept from, or empty.
        recipe: Its recipe.
        before: The run that it goes on from, or None.
    """

    choice: NetworkChoice
    seed: int
    left_out: str
    recipe: NetworkRecipe
    before: Run | None = None

    @property
    def folder(self) -> str:
        """Name of its folder: another recipe is another folder, so nothing is overwritten."""
        parts = [self.choice.title, f"seed{self.seed}"]
        parts += [f"without-{self.left_out}"] * bool(self.left_out)
        return slug("-".join(parts)) + "-" + self.recipe.digest()[:8]


class Stores:
    """Face stores by path, opened once.

    Attributes:
        root: Folder that they are in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[str, FaceStore] = {}

    def get(self, path: str) -> FaceStore:
        """The store at ``path``, relative to the root.

        Raises:
            NotFound: It is not there.
            CorruptMedia: It is damaged.
        """
        if path not in self._open:
            self._open[path] = open_store(self.root / path)
        return self._open[path]

    def for_recipe(self, recipe: NetworkRecipe) -> dict[str, FaceStore]:
        """An open store for each name in a recipe."""
        named = (*recipe.data.stores, *recipe.adaptation.target)
        return {one.name: self.get(one.path) for one in named}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study reads and writes, and with what it computes.

    Attributes:
        out: Folder of the study: ``runs/``, ``scores/``, tables and page.
        stores: Face stores.
        data: Folder that ``init`` is relative to, or None.
        workers: Loader processes.
        threads: Threads of PyTorch, or None.
        say: Told what is being done.
    """

    out: Path
    stores: Stores
    data: Path | None
    workers: int
    threads: int | None
    say: Say


def runs_of(plan: Plan, stores: Stores) -> list[Run]:
    """All training runs of a study, the plain ones first, seed by seed.

    Raises:
        UsageError: A forgery that is to be left out occurs in no training store.
    """
    study = plan.study
    runs = [run_of(plan, one, seed, stores) for seed in study.seeds for one in study.networks]
    for method in study.left_out:
        runs += [run_of(plan, one, study.seeds[0], stores, method) for one in study.networks]
    return runs


def run_of(plan: Plan, choice: NetworkChoice, seed: int, stores: Stores, left_out: str = "") -> Run:
    """One training run of a study.

    Args:
        plan: The study.
        choice: The network.
        seed: Seed of training.
        stores: To look up which forgeries there are.
        left_out: Forgery that it is kept from, or empty.

    Raises:
        UsageError: ``left_out`` occurs in no training store.
    """
    recipe = plan.recipe(choice, seed)
    if left_out:
        recipe = _without(recipe, left_out, stores)
    if not choice.after:
        return Run(choice, seed, left_out, recipe)
    first = next(one for one in plan.study.networks if one.title == choice.after)
    before = run_of(plan, first, seed, stores, left_out)
    weights = f"{_RUNS}/{before.folder}/{WEIGHTS}"  # its folder's name changes with its recipe
    recipe = dataclasses.replace(recipe, init=weights, pretrained=False)
    return Run(choice, seed, left_out, recipe, before)


def trained(run: Run, place: Place) -> DetectorNetwork:
    """The network of a run, trained now where that was not finished before.

    Raises:
        KeyboardInterrupt: Training was stopped; its checkpoint is kept.
        UnmaskError: It cannot be trained.
    """
    folder = place.out / _RUNS / run.folder
    if not (folder / _FINISHED).is_file():
        if run.before is not None:
            trained(run.before, place)
        result = train_network(
            run.recipe,
            folder,
            stores=place.stores.for_recipe(run.recipe),
            on_progress=_Reporter(run, place.say),
            data_root=place.data if run.before is None else place.out,
            workers=place.workers,
            threads=place.threads,
        )
        if not result.finished:
            raise KeyboardInterrupt
        facts = {"steps": result.step, "best_step": result.best_step,
                 "images_per_s": result.images_per_s, **result.figures}  # fmt: skip
        write_text(folder / _FINISHED, json.dumps(facts, indent=1) + "\n")
    network = load_network(folder)
    return network.to(device()).eval()


def device() -> torch.device:
    """Where networks are scored."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def set_scores(run: Run, network: DetectorNetwork, test: ScoredSet, place: Place) -> ScoreTable:
    """Scores of a run on a test set, read where they are there already."""
    store = place.stores.get(test.path)
    rows = rows_of(test, store.columns)
    constant = {"data_set": test.name, "split": test.role}
    return _scores(run, network, store, rows, constant, place, test.name)


def validation_scores(run: Run, network: DetectorNetwork, place: Place) -> ScoreTable | None:
    """Scores on the faces that the run held out of its training; None where there are none."""
    chosen = select(run.recipe, place.stores.for_recipe(run.recipe))
    store, rows = validation_faces(run.recipe, chosen)
    if not len(rows):
        return None
    return _scores(run, network, store, rows, {"split": VALIDATION}, place, "held-out")


def rows_of(test: ScoredSet, columns: FaceColumns, faces: int = 0) -> Rows:
    """Rows of a test set, at most ``faces`` of them where that is not 0.

    Raises:
        UsageError: Nothing is left.
    """
    wanted = np.isin(columns.y_true, [("real", "fake").index(one) for one in test.labels])
    for name in ("data_set", "split", "compression"):
        asked = test.data_sets if name == "data_set" else getattr(test, name)
        asked = (asked,) if isinstance(asked, str) and asked else asked
        if asked:
            wanted &= np.isin(getattr(columns, name), asked)
    if test.methods:
        wanted &= (columns.y_true == 0) | np.isin(columns.method, test.methods)
    rows = np.flatnonzero(wanted)
    if not len(rows):
        raise UsageError(
            f"No face of the store {test.path} belongs to the test {test.name}.",
            hint="Check its data_sets, split, methods, compression and labels.",
        )
    least = min(filter(None, (test.faces, faces)), default=0)
    return few_sources(columns, rows, least) if least else rows


def few_sources(columns: FaceColumns, rows: Rows, most: int) -> Rows:
    """At most so many rows, source by source in the order of a hash of their names."""
    sources = columns.source_id[rows]
    order = sorted(set(sources.tolist()), key=lambda s: hashlib.sha256(s.encode()).digest())
    sizes = dict(zip(*np.unique(sources, return_counts=True), strict=True))
    kept, left = set(), most
    for source in order:
        if sizes[source] <= left:
            kept.add(source)
            left -= int(sizes[source])
    chosen: Rows = rows[np.array([source in kept for source in sources.tolist()], bool)]
    return chosen


def slug(text: str) -> str:
    """A name for a file: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower() or "unnamed"


def fingerprint(*parts: object) -> str:
    """Eight letters that change when any of the parts does."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]


def write_text(path: Path, text: str) -> None:
    """Write a file that appears only when it is whole.

    Raises:
        OutputRefused: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise OutputRefused(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Choose another folder with -o; what is finished is kept.",
        ) from error


def trained_on(run: Run, stores: Stores) -> str:
    """Names of the sets that a run was trained on, with their splits."""
    chosen = select(run.recipe, stores.for_recipe(run.recipe))
    columns = chosen.store.columns.take(chosen.training)
    names = {
        f"{data_set}/{split}" if split else data_set
        for data_set, split in zip(columns.data_set.tolist(), columns.split.tolist(), strict=True)
    }
    return " + ".join(sorted(names))


def _scores(
    run: Run,
    network: DetectorNetwork,
    store: FaceStore,
    rows: Rows,
    constant: dict[str, str],
    place: Place,
    name: str,
) -> ScoreTable:
    samples = fingerprint(store.columns.sample_id[rows].tolist(), constant)
    path = place.out / "scores" / run.folder / f"{slug(name)}-{samples}.parquet"
    if path.is_file():
        return read_scores(path)
    place.say(f"{run.choice.title}: scoring {len(rows):,} faces of {name}")
    scores = score_store(network, store, rows, with_features=False)
    table = from_faces(
        scores.columns, scores.logits, detector=run.choice.title, seed=run.seed,
        left_out=run.left_out, trained_on=trained_on(run, place.stores), **constant,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores(path, table)
    return table


def _without(recipe: NetworkRecipe, method: str, stores: Stores) -> NetworkRecipe:
    """A recipe whose stores give every forgery but one."""
    kept, seen = [], False
    for one in recipe.data.stores:
        known = _methods(one, stores)
        seen |= method in known
        others = tuple(name for name in known if name != method)
        labels = one.labels if others else ("real",)
        kept.append(dataclasses.replace(one, methods=others, labels=labels))
    if not seen:
        raise UsageError(
            f"left_out names {method!r}, which no training store holds.",
            hint="Methods are named as the data set names them.",
        )
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=tuple(kept)))


def _methods(one: Store, stores: Stores) -> list[str]:
    if one.methods:
        return list(one.methods)
    columns = stores.get(one.path).columns
    return sorted(set(columns.method[columns.y_true == 1].tolist()))


class _Reporter:
    """Says how far training is, about ten times a run."""

    def __init__(self, run: Run, say: Say) -> None:
        self._run, self._say, self._told = run, say, -1

    def __call__(self, progress: Progress) -> None:
        tenth = 10 * progress.step // max(1, progress.steps)
        if tenth > self._told:
            self._told = tenth
            self._say(
                f"{self._run.choice.title}, seed {self._run.seed}: step {progress.step} of "
                f"{progress.steps}, {progress.images_per_s:.1f} img/s"
            )
