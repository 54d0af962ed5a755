"""Training runs of networks: start or go on, evaluate, keep the best weights.

A run is a folder: ``recipe.json``, ``checkpoint.pt`` (to go on from), ``weights.pt`` (the best so
far), ``log.csv``, ``evaluation.csv``, ``tb/`` and, where asked for, ``mlruns/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unmask.errors import OutputRefused, UsageError
from unmask.train import run_files
from unmask.train.devices import launched_fabric
from unmask.train.engine import Engine, StepReport, plain_failure
from unmask.train.fitting import collect_and_fit
from unmask.train.interrupts import signals_call
from unmask.train.network_recipe import NetworkRecipe, check
from unmask.train.network_recipe_checks import FALLING_METRICS
from unmask.train.pieces import pieces_of
from unmask.train.run import Progress, keep_freed_memory
from unmask.train.run_files import CHECKPOINT, RECIPE, TABLES, WEIGHTS
from unmask.train.scoring import figures, score_store
from unmask.train.selection import Selection, select, validation_faces
from unmask.train.step import TrainingStep
from unmask.train.strategy import STRATEGIES, Strategy
from unmask.train.tracking import Tracker
from unmask.train.trained_network import build_network, load_network, save_weights

if TYPE_CHECKING:
    from unmask.datasets.store import FaceStore
    from unmask.networks.base import DetectorNetwork

__all__ = ["RunResult", "load_network", "train_network"]

_EVALUATION_BATCH = 32
_LOG_EVERY = 20
_SMOOTH = 0.97
_STATE = {"trained", "optimiser", "average", "step", "digest", "best", "means"}
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended.

    Attributes:
        folder: The run's folder.
        step: Steps done.
        steps: Steps of the recipe.
        finished: The end was reached, by steps or early.
        stopped_early: Nothing got better for ``evaluation.patience`` evaluations.
        best_step: Step of the weights that were kept; 0 where none were.
        figures: Image-level and video-level figures of those on the validation faces.
        images_per_s: Rate of training at the end, evaluations left out.
    """

    folder: Path
    step: int
    steps: int
    finished: bool
    stopped_early: bool
    best_step: int
    figures: dict[str, float]
    images_per_s: float


@dataclass(frozen=True, slots=True)
class _Best:
    """What was best so far, as checkpoints keep it."""

    step: int = 0
    figures: tuple[tuple[str, float], ...] = ()
    evaluations_since: int = 0
    ended_early: bool = False

    def with_evaluation(self, step: int, found: dict[str, float], recipe: NetworkRecipe) -> _Best:
        metric, patience = recipe.evaluation.metric, recipe.evaluation.patience
        sign = -1 if metric in FALLING_METRICS else 1
        old = dict(self.figures).get(metric)
        new = found.get(metric)
        if old is None or new is None or sign * new > sign * old:
            return _Best(step, tuple(found.items()))
        since = self.evaluations_since + 1
        return replace(self, evaluations_since=since, ended_early=0 < patience <= since)


def train_network(
    recipe: NetworkRecipe,
    folder: Path,
    *,
    stores: Mapping[str, FaceStore],
    on_progress: OnProgress | None = None,
    data_root: Path | None = None,
    workers: int = 1,
    threads: int | None = None,
    fresh: bool = False,
) -> RunResult:
    """Train a network in a folder, or go on with the run that is there.

    With ``recipe.compute.devices`` above 1, Lightning Fabric starts the calling program again for
    each further device, so this must then be called from a script or the command line.

    Args:
        recipe: What to train.
        folder: Where the run lives.
        stores: An open store for each name in ``data.stores`` and ``adaptation.target``.
        on_progress: Called after every step, on the first device.
        data_root: Folder that ``recipe.init`` is relative to.
        workers: Loader processes of each device.
        threads: Threads of PyTorch; None: as it is.
        fresh: Start again even where there is a checkpoint.

    Raises:
        UsageError: The recipe is impossible, or leaves no faces or one class only.
        CorruptMedia: A checkpoint or a face is damaged, or belongs to another recipe.
        EnvironmentProblem: The loss became NaN, or memory ran out; the last checkpoint is kept.
        OutputRefused: The run cannot be written.
    """
    check(recipe)
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()
    chosen = select(recipe, stores)
    network = build_network(recipe, data_root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(
            f"The run {folder} cannot be written: {error.strerror or error}.",
            hint="Choose another folder with --run.",
        ) from error
    run = _Run(recipe, folder, chosen, network, stores, fresh=fresh)
    try:
        return run.train(on_progress or _ignore, workers=workers)
    except (RuntimeError, MemoryError) as error:
        plain = plain_failure(error, recipe, network.input_px)
        if plain is error:
            raise
        raise plain from error


class _Run:
    """One run of one network, on this device."""

    def __init__(
        self,
        recipe: NetworkRecipe,
        folder: Path,
        chosen: Selection,
        network: DetectorNetwork,
        stores: Mapping[str, FaceStore],
        *,
        fresh: bool,
    ) -> None:
        self.recipe, self.folder, self.network = recipe, folder, network
        self._chosen = chosen
        self._store, self._rows = validation_faces(recipe, chosen)
        self.fabric = launched_fabric(recipe.compute)
        if fresh and self.fabric.is_global_zero:
            for name in (CHECKPOINT, WEIGHTS, RECIPE, *TABLES):
                (folder / name).unlink(missing_ok=True)
        self.fabric.barrier()
        self.steps = recipe.steps_for(len(chosen.training))
        self.pieces = pieces_of(
            recipe, chosen, stores, network,
            rank=self.fabric.global_rank, devices=self.fabric.world_size,
        )  # fmt: skip
        self.best = _Best()
        self._means: dict[str, float] = {}
        self._rate = 0.0

    def train(self, on_progress: OnProgress, *, workers: int) -> RunResult:
        if self.network.spec.trained_by == "fit":
            return self._fit(on_progress, workers)
        strategy = _strategy(self.recipe, self.network)
        trained = TrainingStep(self.network, strategy, paired=self.recipe.mixture.paired)
        engine = Engine(self.recipe, self.steps, trained, self.pieces, self.fabric)
        self._resume(engine)
        if self.fabric.is_global_zero:
            run_files.write_recipe(self.folder, self.recipe)
        if engine.step < self.steps and not self.best.ended_early:
            self._go_on(engine, on_progress, workers)
        return self._result(engine.step)

    def _go_on(self, engine: Engine, on_progress: OnProgress, workers: int) -> None:
        every, save_every = self.recipe.evaluation.every, self.recipe.compute.save_every
        first = self.fabric.is_global_zero
        with (
            Tracker(self.folder, self.recipe, engine.step) if first else nullcontext() as tracker,
            signals_call(engine.stop),
        ):
            for report in engine.run(workers=workers):
                self._log(tracker, report)
                found = None
                if report.step == self.steps or (every and report.step % every == 0):
                    found = self._evaluate(engine, tracker)
                over = report.step == self.steps or report.is_last or self.best.ended_early
                if over or found is not None or report.step % save_every == 0:
                    self._save(engine)
                if first:
                    on_progress(self._progress(report, found))
                if self.best.ended_early:
                    return

    def _evaluate(self, engine: Engine, tracker: Tracker | None) -> dict[str, float]:
        found: dict[str, float] = {}
        best = self.best
        if self.fabric.is_global_zero:
            average = engine.average
            with average.lent_to(self.network) if average else nullcontext():
                found = self._figures()
                best = self.best.with_evaluation(engine.step, found, self.recipe)
                if best.step == engine.step:
                    self._keep_weights(engine.step, found)
            if tracker is not None and found:
                tracker.add("validation", engine.step, found)
        self.best = self.fabric.broadcast(best)
        return found

    def _fit(self, on_progress: OnProgress, workers: int) -> RunResult:
        if self.fabric.world_size > 1:
            raise UsageError(
                f"{self.recipe.network} is fitted at once, which one device does.",
                hint="Set compute.devices to 1.",
            )
        if not self._is_fitted():
            collect_and_fit(
                self.network, self.pieces, self.folder, steps=self.steps, digest=self._digest(),
                workers=workers, device=self.fabric.device, on_progress=on_progress,
            )  # fmt: skip
            found = self._figures()
            run_files.write_recipe(self.folder, self.recipe)
            self._keep_weights(self.steps, found)
            with Tracker(self.folder, self.recipe, 0) as tracker:
                if found:
                    tracker.add("validation", self.steps, found)
        kept = run_files.load(self.folder / WEIGHTS, {"step", "figures"})
        self.best = _Best(int(kept["step"]), tuple(kept["figures"].items()))
        return self._result(self.steps)

    def _figures(self) -> dict[str, float]:
        """How the network does on the validation faces; in half precision where it trains so."""
        half = self.recipe.compute.precision != "32-true"
        if not len(self._rows):
            return {}
        scores = score_store(
            self.network, self._store, self._rows, batch=_EVALUATION_BATCH,
            margin=self.recipe.crop_margin(self.network.spec.crop_margin),
            with_features=False, half=half,
        )  # fmt: skip
        return figures(scores.columns, scores.logits)

    def _is_fitted(self) -> bool:
        path = self.folder / WEIGHTS
        return path.is_file() and run_files.load(path, {"digest"})["digest"] == self._digest()

    def _keep_weights(self, step: int, found: dict[str, float]) -> None:
        path = self.folder / WEIGHTS
        save_weights(path, self.network, step, found, self._digest())

    def _log(self, tracker: Tracker | None, report: StepReport) -> None:
        self._rate = report.images_per_s
        for name, value in report.losses.items():
            old = self._means.get(name, value)
            self._means[name] = _SMOOTH * old + (1 - _SMOOTH) * value
        if tracker is not None and (report.step % _LOG_EVERY == 0 or report.step == self.steps):
            row = {"rate": report.rate, "images_per_s": report.images_per_s, **self._means}
            tracker.add("train", report.step, row)

    def _progress(self, report: StepReport, found: dict[str, float] | None) -> Progress:
        return Progress(
            report.step, self.steps, report.images_per_s, dict(self._means), found or None
        )

    def _save(self, engine: Engine) -> None:
        if self.fabric.is_global_zero:
            state = {
                **engine.state(),
                "digest": self._digest(),
                "best": asdict(self.best),
                "means": self._means,
            }
            run_files.save(self.folder / CHECKPOINT, state)
        self.fabric.barrier()

    def _resume(self, engine: Engine) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        state = run_files.load(path, _STATE)
        if state["digest"] != self._digest():
            raise run_files.cannot_use(path, "it was made by another recipe, or from other faces")
        try:
            engine.restore(state)
            best = {**state["best"], "figures": tuple(map(tuple, state["best"]["figures"]))}
            self.best = _Best(**best)
            self._means = dict(state["means"])
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise run_files.cannot_use(path, error) from error

    def _digest(self) -> str:
        """Of the recipe and the faces: with other faces, other samples would be drawn."""
        digest = hashlib.sha256(self.recipe.digest().encode())
        digest.update(self._chosen.store.columns.sample_id[self._chosen.training].tobytes())
        return digest.hexdigest()

    def _result(self, step: int) -> RunResult:
        ended = self.best.ended_early
        return RunResult(
            self.folder, step, self.steps, ended or step >= self.steps, ended,
            self.best.step, dict(self.best.figures), self._rate,
        )  # fmt: skip


def _strategy(recipe: NetworkRecipe, network: DetectorNetwork) -> Strategy | None:
    """The training strategy of a recipe, its weights seeded.

    Raises:
        UnknownEntry: There is no such strategy.
        UsageError: It has no such option.
    """
    name = recipe.adaptation.strategy
    if not name:
        return None
    cls = STRATEGIES.get(name)
    for option in recipe.adaptation.options:
        if option not in cls.spec.options:
            known = ", ".join(cls.spec.options) or "none"
            raise UsageError(f"{name} has no option {option!r}.", hint=f"Its options: {known}.")
    if cls.spec.needs_target != bool(recipe.adaptation.target):
        wants = "needs a target domain" if cls.spec.needs_target else "takes no target domain"
        raise UsageError(f"The strategy {name} {wants}.", hint="See adaptation.target.")
    torch.manual_seed(recipe.seed + 1)
    return cls(network, **{**cls.spec.options, **recipe.adaptation.options})


def _ignore(progress: Progress) -> None:
    del progress
