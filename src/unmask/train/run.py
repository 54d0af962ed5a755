"""One training run as the command line starts it: trainer, logs, evaluation, Ctrl-C."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unmask.errors import CorruptMedia, NotFound, UsageError
from unmask.train.evaluate import evaluate
from unmask.train.interrupts import signals_call
from unmask.train.loop import CHECKPOINT, StepReport, Trainer
from unmask.train.prepare import split_rows
from unmask.train.tracking import csv_table

if TYPE_CHECKING:
    from unmask.train.facecache import FaceCache
    from unmask.train.recipe import Recipe

EVALUATE_EVERY = 400
SAVE_EVERY = 200
_LOG_EVERY = 20
_SMOOTH = 0.97

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        images_per_s: Rate over the last steps.
        losses: Running mean of each loss by name.
        evaluation: Numbers on held-out faces, when they were just measured, or None.
    """

    step: int
    steps: int
    images_per_s: float
    losses: dict[str, float]
    evaluation: dict[str, float] | None = None


def keep_freed_memory() -> bool:
    """Tell the C library's allocator to keep what was freed; True where that was possible.

    glibc returns every large block to the system when it is freed and fetches it again for the
    next step, and the system must zero it each time. Keeping it made training 40 % faster (48
    -> 63 images/s on two cores) and costs address space only. Equal to starting the process with
    MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_ and MALLOC_TOP_PAD_ set, without a restart.
    """
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {
        _M_MMAP_THRESHOLD: 2_000_000_000,
        _M_TRIM_THRESHOLD: 2_000_000_000,
        _M_TOP_PAD: 200_000_000,
    }
    taken = [mallopt(option, value) for option, value in wanted.items()]
    return all(answer == 1 for answer in taken)


class Run:
    """A training run in a folder: ``checkpoint.pt``, ``log.csv``, ``evaluation.csv``, ``tb/``.

    Attributes:
        resumed: Whether there was a checkpoint to go on from.
        counts: Faces trained on, faces held out.

    Args:
        recipe: What to train.
        cache: The faces.
        folder: Where the run lives.
        imagenet: ImageNet weights to start from, or None.
        start: Weights of the whole network to start from, or None.
        workers: Loader processes.
        threads: Threads of PyTorch; None: all cores.
        fresh: Start again even where there is a checkpoint.

    Raises:
        CorruptMedia: The checkpoint cannot be continued.
        NotFound: The ImageNet weights are not there.
    """

    def __init__(
        self,
        recipe: Recipe,
        cache: FaceCache,
        folder: Path,
        *,
        imagenet: Path | None = None,
        start: Path | None = None,
        workers: int = 1,
        threads: int | None = None,
        fresh: bool = False,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.recipe, self.folder, self._cache = recipe, folder, cache
        rows, self._held_out = split_rows(cache, recipe.data)
        if not len(rows):
            raise UsageError(
                "The face cache holds no face of the recipe's sets that may be trained on.",
                hint="Give the cache that was made for this recipe.",
            )
        self.trainer = Trainer(
            recipe, cache, rows, folder, imagenet=_read_arrays(imagenet), workers=workers
        )
        if start is not None:
            self.trainer.start_from(_read_arrays(start) or {})
        if fresh:
            for name in (CHECKPOINT, "log.csv", "evaluation.csv"):
                (folder / name).unlink(missing_ok=True)
        self.resumed = self.trainer.resume()
        self.counts = len(rows), len(self._held_out)
        self._means: dict[str, float] = {}

    def train(self, on_progress: Callable[[Progress], None], *, stop_at: int | None = None) -> bool:
        """Train to the end; Ctrl-C ends after the step with a checkpoint.

        Returns:
            True when the recipe's end was reached.

        Raises:
            EnvironmentProblem: The loss is not a number; the last checkpoint is kept.
        """
        from torch.utils.tensorboard import SummaryWriter

        step = self.trainer.step
        with (
            csv_table(self.folder / "log.csv", step) as log,
            csv_table(self.folder / "evaluation.csv", step) as evaluations,
            SummaryWriter(str(self.folder / "tb"), purge_step=step + 1) as board,
            signals_call(self.trainer.stop),
        ):

            def on_step(report: StepReport) -> None:
                for name, value in report.losses.items():
                    old = self._means.get(name, value)
                    self._means[name] = _SMOOTH * old + (1 - _SMOOTH) * value
                if report.step % _LOG_EVERY == 0 or report.step == self.recipe.steps:
                    row = {"rate": report.rate, "images_per_s": report.images_per_s, **self._means}
                    log.add(report.step, row)
                    _to_board(board, "train", row, report.step)
                found = self._evaluation(report.step)
                if found is not None:
                    evaluations.add(report.step, found)
                    _to_board(board, "held_out", found, report.step)
                on_progress(
                    Progress(
                        report.step,
                        self.recipe.steps,
                        report.images_per_s,
                        dict(self._means),
                        found,
                    )
                )

            self.trainer.train(on_step=on_step, save_every=SAVE_EVERY, stop_at=stop_at)
        return self.trainer.step >= self.recipe.steps

    def _evaluation(self, step: int) -> dict[str, float] | None:
        if step % EVALUATE_EVERY and step != self.recipe.steps:
            return None
        size = self.recipe.phase_at(step - 1).size
        return evaluate(self.trainer.averaged_network(), self._cache, self._held_out, size)


def _to_board(board: Any, group: str, row: dict[str, float], step: int) -> None:
    for name, value in row.items():
        board.add_scalar(f"{group}/{name}", value, step)


def _read_arrays(path: Path | None) -> dict[str, np.ndarray] | None:
    if path is None:
        return None
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as error:
        raise NotFound(
            f"There are no weights to start from at {path}.",
            hint='Give the folder that holds them with --data, or set imagenet = "" and '
            'start = "" to start from random weights.',
        ) from error
    except (OSError, ValueError) as error:
        raise CorruptMedia(f"{path} cannot be read as arrays: {error}.") from error
