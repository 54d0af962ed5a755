"""Devices, precision and processes, by Lightning Fabric."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import TYPE_CHECKING

from unmask.errors import EnvironmentProblem, MissingExtra

if TYPE_CHECKING:
    from lightning.fabric import Fabric

    from unmask.train.network_recipe import Compute


def launched_fabric(compute: Compute) -> Fabric:
    """Fabric for a recipe, with the processes of all devices running.

    Raises:
        EnvironmentProblem: The machine has no such accelerator, or not so many devices.
        MissingExtra: Lightning is not installed.
    """
    try:
        # Lightning imports torchvision, which may need this first.
        importlib.import_module("unmask.networks._torchvision_operators")
        from lightning.fabric import Fabric
        from lightning.fabric.strategies.ddp import DDPStrategy
        from lightning.fabric.utilities.exceptions import MisconfigurationException
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Training (it uses {error.name})") from error
    # It announces on stderr what the recipe says anyway.
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Networks whose maps or branches sit out a batch leave parameters without a gradient.
    strategy = DDPStrategy(find_unused_parameters=True) if compute.devices > 1 else "auto"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*srun.*")
            fabric = Fabric(
                accelerator=compute.accelerator,
                devices=compute.devices,
                strategy=strategy,
                precision=compute.precision,  # type: ignore[arg-type]
            )
            fabric.launch()
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise EnvironmentProblem(
            f"This machine cannot train on {compute.devices} x {compute.accelerator}: "
            f"{str(error).splitlines()[0]}",
            hint="Change compute.accelerator or compute.devices.",
        ) from error
    return fabric
