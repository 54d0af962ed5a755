"""The files of a run: recipe, checkpoint and weights, each there whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch

from unmask.errors import CorruptMedia, NotFound, OutputRefused
from unmask.train.network_recipe import NetworkRecipe, network_recipe_from

RECIPE, CHECKPOINT, WEIGHTS = "recipe.json", "checkpoint.pt", "weights.pt"
TABLES = ("log.csv", "evaluation.csv")


def write_recipe(folder: Path, recipe: NetworkRecipe) -> None:
    """Lay the recipe beside what it makes."""
    text = json.dumps(dataclasses.asdict(recipe), indent=1) + "\n"
    _write_whole(folder / RECIPE, lambda handle: handle.write(text.encode()))


def read_run_recipe(folder: Path) -> NetworkRecipe:
    """The recipe of a run.

    Raises:
        NotFound: The folder holds no run.
        CorruptMedia: Its recipe cannot be read.
    """
    path = folder / RECIPE
    if not path.is_file():
        raise NotFound(f"There is no training run in {folder}.", hint="Give the run's folder.")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptMedia(f"The recipe {path} is damaged: {error}.") from error
    return network_recipe_from(table, path.name)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and numbers; a kill while writing leaves the last file whole.

    Raises:
        OutputRefused: It cannot be written.
    """
    try:
        _write_whole(path, lambda handle: torch.save(state, handle))
    except RuntimeError as error:  # PyTorch's name for a full disk
        raise OutputRefused(
            f"{path} cannot be written: {_first_line(error)}.",
            hint="Free some space, then give the same call again; the last checkpoint is kept.",
        ) from error


def load(path: Path, needed: set[str]) -> dict[str, Any]:
    """Read what :func:`save` wrote.

    Raises:
        CorruptMedia: It is damaged, or lacks what is needed.
    """
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise cannot_use(path, error) from error
    if not isinstance(state, dict) or not needed <= state.keys():
        raise cannot_use(path, "it was not written by unmask train")
    return state


def cannot_use(path: Path, why: Exception | str) -> CorruptMedia:
    """The error that says why a checkpoint or weights cannot be used."""
    return CorruptMedia(
        f"{path} cannot be used: {_first_line(why)}.",
        hint="Use another --run folder, or --fresh to start again.",
    )


def _write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    partial = path.with_name(f".{path.name}")
    try:
        with partial.open("wb") as handle:
            write(handle)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _first_line(why: Exception | str) -> str:
    # PyTorch's explanations run over many lines, and that of an empty file is empty.
    return (str(why) or type(why).__name__).splitlines()[0].rstrip(".:")
