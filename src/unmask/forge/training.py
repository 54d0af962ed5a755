"""Training a generator in a folder: resumable to the bit, best weights kept, previews labelled.

A run is a folder: ``run.json`` (what is trained), ``checkpoint.pt`` (to go on from),
``weights.pt`` (the best so far, averaged), ``log.csv``, ``evaluation.csv`` and ``preview.jpg``.

Every step draws from generators that are seeded by the run's seed and the step's number alone, so
a run that was killed and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unmask.errors import (
    CorruptMedia,
    EnvironmentProblem,
    LabelFailed,
    NotFound,
    OutputRefused,
    UsageError,
)
from unmask.forge.material_signature import same_material, signature_of
from unmask.forge.run_record import WEIGHTS, RunRecord, first_consent, read_record, write_record
from unmask.generators.base import GENERATORS, Generator
from unmask.train import run_files
from unmask.train.averaging import WeightAverage
from unmask.train.interrupts import signals_call
from unmask.train.run import Progress, keep_freed_memory
from unmask.train.tracking import csv_table

if TYPE_CHECKING:
    from unmask.generators.base import GeneratorConfig
    from unmask.generators.material import Material

CHECKPOINT, PREVIEW = "checkpoint.pt", "preview.jpg"
_STATE = {"networks", "optimisers", "averages", "step", "best", "digest"}
_SMOOTH = 0.95
_LOG_EVERY = 10
OnProgress = Callable[[Progress], None]


class Schedule:
    """When a run saves, evaluates and shows itself.

    Args:
        steps: Length of the run; a longer one may be asked for when it is resumed.
        evaluate_every: Steps between evaluations on held-out tracks.
        preview_every: Steps between preview sheets.
        save_every: Steps between checkpoints.
        rate_falls_over: Share of the steps, at the end, over which the learning rate falls
            to nothing along a half cosine; 0 keeps it.

    Raises:
        UsageError: A number is below 1, or the share outside 0..1.
    """

    def __init__(
        self,
        steps: int,
        *,
        evaluate_every: int = 200,
        preview_every: int = 500,
        save_every: int = 100,
        rate_falls_over: float = 0.0,
    ) -> None:
        numbers = (steps, evaluate_every, preview_every, save_every)
        if min(numbers) < 1:
            raise UsageError(
                f"A schedule of {min(numbers)} steps came; all were to be at least 1.",
                hint="Correct --steps or the recipe.",
            )
        if not 0 <= rate_falls_over <= 1:
            raise UsageError(
                f"rate_falls_over = {rate_falls_over} came; it is a share of the steps, 0 to 1.",
                hint="Correct the recipe; 0 keeps the learning rate as it is.",
            )
        self.steps, self.evaluate_every, self.preview_every, self.save_every = numbers
        self.rate_falls_over = rate_falls_over

    def rate_factor(self, step: int) -> float:
        """What the learning rate is multiplied by at ``step`` (from 1): 0 < factor <= 1."""
        falling = self.steps * self.rate_falls_over
        left = self.steps + 1 - step
        if left > falling:
            return 1.0
        return 0.5 - 0.5 * math.cos(math.pi * left / (falling + 1))


class GeneratorRun:
    """One run of one generator.

    Args:
        record: What is trained.
        config: The method's configuration.
        material: What it is trained on.
        folder: Where the run lives; made if need be.
        fresh: Start again even where there is a checkpoint.

    Attributes:
        step: Steps done.
        best: Held-out figures of the weights that are kept.
        preview_problem: Why the last preview was not written, or empty.

    Raises:
        UsageError: The folder holds a run of something else.
        CorruptMedia: Its checkpoint is damaged.
        OutputRefused: The folder cannot be written.
    """

    def __init__(
        self,
        record: RunRecord,
        config: GeneratorConfig,
        material: Material,
        folder: Path,
        *,
        fresh: bool = False,
    ) -> None:
        self.record, self.folder = record, folder
        self.generator = GENERATORS.get(record.method)(config, material, seed=record.seed)
        self.record = record.with_facts(self.generator.facts())
        self.averages = {
            name: WeightAverage(self.generator.networks[name], config.average_decay)
            for name in self.generator.averaged
        }
        self._signature = signature_of(material)
        self._rates = {
            name: [float(group["lr"]) for group in optimiser.param_groups]
            for name, optimiser in self.generator.optimisers.items()
        }
        self.step = 0
        self.best: dict[str, float] = {}
        self.preview_problem = ""
        self._means: dict[str, float] = {}
        self._stopping = False
        self._prepare(fresh=fresh)

    def train(self, schedule: Schedule, on_progress: OnProgress | None = None) -> bool:
        """Train to the end of ``schedule``.

        Returns:
            True when the end was reached, False after Ctrl-C or a polite kill; either way the
            last step is saved.

        Raises:
            EnvironmentProblem: A loss became NaN or infinite; the last checkpoint is kept.
            OutputRefused: Something cannot be written.
        """
        keep_freed_memory()
        with ExitStack() as stack:
            log = stack.enter_context(csv_table(self.folder / "log.csv", self.step))
            table = stack.enter_context(csv_table(self.folder / "evaluation.csv", self.step))
            stack.enter_context(signals_call(self._stop))
            while self.step < schedule.steps and not self._stopping:
                self._one_step(schedule)
                last = self.step == schedule.steps or self._stopping
                if self.step % _LOG_EVERY == 0 or last:
                    log.add(self.step, self._means)
                found = None
                if last or self.step % schedule.evaluate_every == 0:
                    found = self._evaluate()
                    table.add(self.step, found)
                if last or self.step % schedule.save_every == 0:
                    self._save()
                if last or self.step % schedule.preview_every == 0:
                    self._try_preview()
                if on_progress is not None:
                    on_progress(Progress(self.step, schedule.steps, 0.0, dict(self._means), found))
        return self.step >= schedule.steps

    def write_preview(self) -> None:
        """Write the sheet that shows where training stands, with its labels."""
        from unmask.forge.labels import label_of_run, write_labelled_sheet

        with self.averaged():
            sheet = self.generator.preview()
        write_labelled_sheet(self.folder / PREVIEW, sheet, label_of_run(self.record, "preview"))

    def _try_preview(self) -> None:
        # A sheet that cannot be labelled is not written; that is no reason to stop training.
        try:
            self.write_preview()
            self.preview_problem = ""
        except LabelFailed as error:
            self.preview_problem = str(error)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While inside, the generator is in evaluation mode with averaged weights."""
        networks = self.generator.networks
        networks.eval()
        with ExitStack() as stack, torch.no_grad():
            for name, average in self.averages.items():
                stack.enter_context(average.lent_to(networks[name]))
            yield
        networks.train()

    def _prepare(self, *, fresh: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if fresh:
                for name in (CHECKPOINT, WEIGHTS, PREVIEW, "log.csv", "evaluation.csv"):
                    (self.folder / name).unlink(missing_ok=True)
            if (self.folder / CHECKPOINT).is_file():
                self._resume()
            write_record(self.folder, self.record)
        except OSError as error:
            raise OutputRefused(
                f"The run {self.folder} cannot be written: {error.strerror or error}.",
                hint="Choose another folder with --run.",
            ) from error

    def _one_step(self, schedule: Schedule) -> None:
        number = self.step + 1
        factor = schedule.rate_factor(number) * self.generator.rate_factor(number)
        for name, optimiser in self.generator.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self._rates[name], strict=True):
                group["lr"] = rate * factor
        torch.manual_seed((self.record.seed * 1_000_003 + number) % 2**63)
        rng = np.random.default_rng((self.record.seed, number))
        losses = self.generator.training_step(self.generator.draw_batch(rng), number)
        for name, value in losses.items():
            if not math.isfinite(value):
                raise EnvironmentProblem(
                    f"The loss {name!r} became {value} at step {number}.",
                    hint="The last checkpoint is kept. Lower learning_rate, then go on.",
                )
            mean = self._means.get(name, value)
            self._means[name] = _SMOOTH * mean + (1 - _SMOOTH) * value
        self.step = number
        for name, average in self.averages.items():
            average.update(self.generator.networks[name], number)

    def _evaluate(self) -> dict[str, float]:
        spec = self.generator.spec
        with self.averaged():
            # Not every float is Python's own, and only that is loaded from a file again.
            found = {name: float(v) for name, v in self.generator.held_out_figures().items()}
            new, old = found[spec.selected_by], self.best.get(spec.selected_by)
            better = old is None or (new > old if spec.higher_is_better else new < old)
            if better and math.isfinite(new):
                self.best = dict(found)
                kept = {"method": spec.id, "step": self.step, "figures": dict(found),
                        "networks": self.generator.networks.state_dict()}  # fmt: skip
                run_files.save(self.folder / WEIGHTS, kept)
        return found

    def _save(self) -> None:
        run_files.save(
            self.folder / CHECKPOINT,
            {
                "networks": self.generator.networks.state_dict(),
                "optimisers": {k: o.state_dict() for k, o in self.generator.optimisers.items()},
                "averages": {name: average.state for name, average in self.averages.items()},
                "step": self.step,
                "best": self.best,
                "means": self._means,
                "digest": self.record.digest(),
                "material": self._signature,
                "consent": self.record.consent,
            },
        )

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        state = run_files.load(path, _STATE)
        # Checkpoints of before know their material by names and numbers alone.
        same = "material" not in state or same_material(state["material"], self._signature)
        if state["digest"] != self.record.digest() or not same:
            raise UsageError(
                f"{self.folder} holds a run of another method, configuration, seed or material.",
                hint="Use another --run folder, or --fresh to start again.",
            )
        consent = state.get("consent") or first_consent(self.folder) or self.record.consent
        self.record = replace(self.record, consent=consent)
        try:
            self.generator.networks.load_state_dict(state["networks"])
            for name, optimiser in self.generator.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            for name, average in self.averages.items():
                average.state = state["averages"][name]
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise run_files.cannot_use(path, error) from error
        self.step, self.best = state["step"], state["best"]
        self._means = state.get("means", {})

    def _stop(self) -> None:
        self._stopping = True


def use_threads(count: int) -> None:
    """Let PyTorch use ``count`` threads."""
    torch.set_num_threads(count)


def load_generator(folder: Path) -> tuple[Generator, RunRecord]:
    """The generator that a run trained, with its best weights, in evaluation mode.

    Args:
        folder: The run's folder.

    Raises:
        NotFound: The folder holds no run, or none that has weights yet.
        CorruptMedia: Its files are damaged.
    """
    record = read_record(folder)
    path = folder / WEIGHTS
    if not path.is_file():
        raise NotFound(
            f"The run {folder} has no weights yet.",
            hint="Weights are kept at the first evaluation; let it train on.",
        )
    cls = GENERATORS.get(record.method)
    config = cls.config_class.from_mapping(record.config)
    with torch.random.fork_rng(devices=[]):
        generator = cls(config, facts=record.facts, seed=record.seed)
    kept: dict[str, Any] = run_files.load(path, {"method", "networks"})
    if kept["method"] != record.method:
        raise CorruptMedia(f"{path} holds {kept['method']}, not {record.method}.")
    try:
        generator.networks.load_state_dict(kept["networks"])
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise run_files.cannot_use(path, error) from error
    generator.networks.eval()
    return generator, record
