"""Where a run's numbers go: CSV always, TensorBoard, MLflow. Nothing leaves the machine."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.train.network_recipe import NetworkRecipe


class CsvTable:
    """A CSV file that grows row by row; its columns are those of its first row."""

    def __init__(self, handle: IO[str], columns: list[str]) -> None:
        self._handle, self._columns = handle, columns

    def add(self, step: int, row: dict[str, float]) -> None:
        """Add a row; it is on disk when this returns."""
        writer = csv.writer(self._handle)
        if not self._columns:
            self._columns = list(row)
            writer.writerow(["step", *self._columns])
        writer.writerow([step, *(f"{row.get(name, float('nan')):.6g}" for name in self._columns)])
        self._handle.flush()


@contextmanager
def csv_table(path: Path, step: int) -> Iterator[CsvTable]:
    """Open a table for appending, without the rows beyond ``step``: they are made again."""
    rows: list[list[str]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.reader(handle))
        rows = rows[:1] + [r for r in rows[1:] if r and r[0].isdigit() and int(r[0]) <= step]
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)
        handle.flush()  # a kill from here on costs no row
        yield CsvTable(handle, rows[0][1:] if rows else [])


class Tracker:
    """Writes the numbers of one run; files are open while inside the context.

    Args:
        folder: The run's folder.
        recipe: What is trained.
        step: Steps done before; what was written beyond them is written again.
    """

    def __init__(self, folder: Path, recipe: NetworkRecipe, step: int) -> None:
        self._folder, self._recipe, self._step = folder, recipe, step
        self._stack = ExitStack()
        self._tables: dict[str, CsvTable] = {}
        self._sinks: list[_TensorBoard | _Mlflow] = []

    def __enter__(self) -> Tracker:
        with ExitStack() as stack:
            for group, name in (("train", "log.csv"), ("validation", "evaluation.csv")):
                table = csv_table(self._folder / name, self._step)
                self._tables[group] = stack.enter_context(table)
            if self._recipe.tracking.tensorboard:
                self._sinks.append(stack.enter_context(_TensorBoard(self._folder, self._step)))
            if self._recipe.tracking.mlflow:
                self._sinks.append(stack.enter_context(_Mlflow(self._folder, self._recipe)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *caught: object) -> None:
        self._stack.close()

    def add(self, group: str, step: int, row: dict[str, float]) -> None:
        """Write numbers of ``train`` or ``validation``."""
        self._tables[group].add(step, row)
        for sink in self._sinks:
            sink.add(group, step, row)


class _TensorBoard:
    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(folder / "tb"), purge_step=step + 1)

    def add(self, group: str, step: int, row: dict[str, float]) -> None:
        for name, value in row.items():
            self._board.add_scalar(f"{group}/{name}", value, step)

    def __enter__(self) -> _TensorBoard:
        return self

    def __exit__(self, *caught: object) -> None:
        self._board.close()


class _Mlflow:
    """A local file store in the run's folder; a resumed run goes on in its own record."""

    def __init__(self, folder: Path, recipe: NetworkRecipe) -> None:
        # Both are read by mlflow itself; its databases would need another package.
        os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
        from mlflow.tracking import MlflowClient

        store = folder / "mlruns"
        store.mkdir(exist_ok=True)
        self._client = MlflowClient(tracking_uri=store.resolve().as_uri())
        found = self._client.get_experiment_by_name(recipe.network)
        experiment = (
            found.experiment_id if found else self._client.create_experiment(recipe.network)
        )
        runs = self._client.search_runs([experiment])
        if runs:
            self._run = runs[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        self._run = self._client.create_run(experiment, run_name=folder.name).info.run_id
        for key in ("network", "seed", "batch", "input_px"):
            self._client.log_param(self._run, key, getattr(recipe, key))
        self._client.log_param(self._run, "recipe_sha256", recipe.digest())

    def add(self, group: str, step: int, row: dict[str, float]) -> None:
        for name, value in row.items():
            self._client.log_metric(self._run, f"{group}.{name}", value, step=step)

    def __enter__(self) -> _Mlflow:
        return self

    def __exit__(self, *caught: object) -> None:
        self._client.set_terminated(self._run)
