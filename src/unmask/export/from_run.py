"""From the folder of a training run to what is exported: the network, and what the run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.datasets import DATASETS
from unmask.export.network_file import DeployedNetwork, Origin
from unmask.train import run_files
from unmask.train.trained_network import load_network

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.train.network_recipe import NetworkRecipe, Store


def is_network_run(path: Path) -> bool:
    """Whether a run of the networks' engine lies there (a run of ``unmask-base`` does not)."""
    return (run_folder(path) / run_files.RECIPE).is_file()


def run_folder(path: Path) -> Path:
    """The folder of a run, from it or from a file in it."""
    return path.parent if path.is_file() else path


def deployed_run(path: Path, licence: str | None = None) -> tuple[DeployedNetwork, Origin]:
    """The network of a run with its best weights, and what the run knows about them.

    Args:
        path: Folder of the run, or a file in it.
        licence: Terms of the weights; None: those of the data sets that they have seen.

    Raises:
        NotFound: The folder holds no run, or none that has weights yet.
        CorruptMedia: Its files are damaged.
        UsageError: The network scores clips.
    """
    folder = run_folder(path)
    network = load_network(folder)
    recipe = run_files.read_run_recipe(folder)
    step = run_files.load(folder / run_files.WEIGHTS, {"step"})["step"]
    stores = (*recipe.data.stores, *recipe.adaptation.target)
    margin = recipe.crops.margin
    origin = Origin(
        training_sets=tuple(dict.fromkeys(name for store in stores for name in _names(store))),
        licence=licence or _terms(recipe),
        recipe_sha256=recipe.digest(),
        steps=int(step),
        crop_margin=sum(margin) / len(margin) if margin else None,
    )
    return DeployedNetwork(network), origin


def _names(store: Store) -> list[str]:
    """The data sets of a store with their split, as cards name them (``dfdc_faces/train``)."""
    end = f"/{store.split}" if store.split else ""
    return [f"{name}{end}" for name in store.data_sets or (store.name,)]


def _terms(recipe: NetworkRecipe) -> str:
    """Terms of the data sets that are known here; weights are bound by what they have seen."""
    known = set(DATASETS.ids())
    stores = (*recipe.data.stores, *recipe.adaptation.target)
    used = dict.fromkeys(name for store in stores for name in store.data_sets or (store.name,))
    terms = [f"{name}: {DATASETS.get(name).spec.licence}" for name in used if name in known]
    return "not stated" + (f"; trained on {'; '.join(terms)}" if terms else "")
