"""Networks as recipes build them and as runs keep them."""

from __future__ import annotations

import difflib
import inspect
from pathlib import Path
from typing import Any

import torch

from unmask.errors import NotFound, UnmaskError, UsageError
from unmask.networks.base import NETWORKS, DetectorNetwork
from unmask.train import run_files
from unmask.train.network_recipe import NetworkRecipe

_EVERYBODYS = ("input_px", "pretrained")


def build_network(recipe: NetworkRecipe, data_root: Path | None = None) -> DetectorNetwork:
    """The network of a recipe, seeded, before the first step.

    Args:
        recipe: What to build.
        data_root: Folder that ``recipe.init`` is relative to; None: where the program runs.

    Raises:
        UnknownEntry: There is no such network; the hint names the nearest.
        UsageError: It does not take this size, these options, pretrained weights or file of
            arrays.
        InputError: The file of ``init`` is absent or damaged.
        ModelUnavailable: Pretrained weights cannot be reached.
    """
    torch.manual_seed(recipe.seed)
    network = _bare_network(recipe, pretrained=recipe.pretrained)
    if recipe.init:
        path = (data_root or Path()) / recipe.init
        if not path.is_file():
            raise NotFound(
                f"There is no file {path} to start from.",
                hint='Give the folder that holds it with --data, or set init = "".',
            )
        if path.suffix == ".npz":
            network.initialise(path)
        else:
            _fill(network, path, recipe.network)
    return network


def load_network(folder: Path) -> DetectorNetwork:
    """The network that a run trained: its best weights, in evaluation mode, on the CPU.

    With ``optimiser.average_decay`` these are averaged weights.

    Args:
        folder: The run's folder.

    Raises:
        NotFound: The folder holds no run, or none that has weights yet.
        CorruptMedia: Its files are damaged.
    """
    recipe = run_files.read_run_recipe(folder)
    path = folder / run_files.WEIGHTS
    if not path.is_file():
        raise NotFound(
            f"The run {folder} has no weights yet.",
            hint="Weights are kept at the first evaluation; let it train on.",
        )
    with torch.random.fork_rng(devices=[]):
        network = _bare_network(recipe, pretrained=False)
    _fill(network, path, recipe.network)
    return network.eval()


def save_weights(
    path: Path, network: DetectorNetwork, step: int, found: dict[str, float], digest: str = ""
) -> None:
    """Keep a network's weights as :func:`load_network` reads them.

    Args:
        path: The file.
        network: Whose weights.
        step: Steps done.
        found: Its figures on the validation faces.
        digest: Of the recipe and the faces that it was trained with.

    Raises:
        OutputRefused: The file cannot be written.
    """
    state: dict[str, Any] = {
        "network": network.spec.id,
        "input_px": network.input_px,
        "state": network.state_dict(),
        "step": step,
        "figures": found,
        "digest": digest,
    }
    run_files.save(path, state)


def _bare_network(recipe: NetworkRecipe, *, pretrained: bool) -> DetectorNetwork:
    cls = NETWORKS.get(recipe.network)
    arguments = arguments_of(recipe)
    try:
        return cls(input_px=recipe.input_px or None, pretrained=pretrained, **arguments)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        if not recipe.options or isinstance(error, UnmaskError):
            raise
        told = ", ".join(f"{name} = {value!r}" for name, value in recipe.options.items())
        raise UsageError(
            f"{recipe.network} cannot be built with {told}: {error}.",
            hint="Leave 'options' out to build it as in its paper.",
        ) from error


def arguments_of(recipe: NetworkRecipe) -> dict[str, Any]:
    """The network's own arguments: those of its small configuration, and the recipe's over them.

    Raises:
        UsageError: It has no small configuration, or none of the arguments.
    """
    cls = NETWORKS.get(recipe.network)
    small = dict(getattr(cls, "small", {})) if recipe.small else {}
    if recipe.small and not small:
        raise UsageError(f"{recipe.network} has no small configuration.", hint="Leave 'small' out.")
    return small | _own_options(cls, recipe)


def _own_options(cls: type[DetectorNetwork], recipe: NetworkRecipe) -> dict[str, Any]:
    """What a recipe says to a network of its own arguments, each of them known."""
    known = [name for name in inspect.signature(cls).parameters if name not in _EVERYBODYS]
    for name in recipe.options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            listed = f"It knows: {', '.join(known)}." if known else "It has none."
            raise UsageError(
                f"{recipe.network} has no option {name!r}.",
                hint=f"Did you mean {near[0]}?" if near else listed,
            )
    return recipe.options


def _fill(network: DetectorNetwork, path: Path, network_id: str) -> None:
    kept = run_files.load(path, {"network", "state"})
    if kept["network"] != network_id:
        raise run_files.cannot_use(path, f"it holds {kept['network']}, not {network_id}")
    try:
        network.load_state_dict(kept["state"])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise run_files.cannot_use(path, error) from error
