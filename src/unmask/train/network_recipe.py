"""A training run of any network as one TOML file, read into dataclasses with every key checked.

A recipe with the key ``network`` is one of these; one with ``detector`` is read by
:mod:`unmask.train.recipe`.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of
from unmask.train.network_recipe_checks import LABELS, choices, complaints


@dataclass(frozen=True)
class Store:
    """Faces to train on and to validate with, and which of a store's faces are meant.

    Attributes:
        name: Name used in messages and logs.
        path: Folder of shards, or a face cache; relative to ``--shards`` (or ``--data``).
        data_sets: Ids of the data sets in it that are used; empty: all.
        split: Official split to train on; empty: all.
        validation_split: Official split to validate with; empty: a share of the sources of
            ``split`` is held out (``data.validation_share``).
        methods: Forgeries that are used, beside real faces; empty: all.
        compression: Compression levels that are used; empty: all.
        labels: ``real``, ``fake`` or both.
        weight: How often the store is drawn from, against the others.
    """

    name: str
    path: str
    data_sets: tuple[str, ...] = ()
    split: str = ""
    validation_split: str = ""
    methods: tuple[str, ...] = ()
    compression: tuple[str, ...] = ()
    labels: tuple[str, ...] = LABELS
    weight: float = 1.0


@dataclass(frozen=True)
class Data:
    """Which faces are used.

    Attributes:
        stores: Where they lie.
        validation_share: Share of the sources held out where a store names no split for it.
        validation_faces: Faces to validate with at most (whole sources are dropped); 0: all.
    """

    stores: tuple[Store, ...]
    validation_share: float = 0.1
    validation_faces: int = 0


@dataclass(frozen=True)
class Mixture:
    """Where the fake half of a batch comes from.

    Attributes:
        found: Share of forgeries that the data bring.
        forgeries: Share by id of forgeries that are made on the fly from real faces.
        paired: Put each fake beside the real face that it was made from.
        masks: Work out where a found fake was changed, from its original, where the store does
            not say; only networks that learn maps need it.
        balance: ``method``: half of a batch is fake and every method comes as often; ``class``:
            half is fake, faces as they come; ``none``: everything as it comes.
    """

    found: float = 1.0
    forgeries: dict[str, float] = field(default_factory=dict)
    paired: bool = False
    masks: bool = False
    balance: str = "method"


@dataclass(frozen=True)
class Crops:
    """How faces are cut and degraded in training.

    Attributes:
        margin: Smallest and largest crop margin; empty: 0.85 to 1.15 times the network's.
        shift: Largest shift of the crop, as a share of its side.
        roll_deg: Deviation of the turn of the crop.
        strength: Strength of the degradations, 0 (none) to 1.
        parts: Degradations that are used, of: flip, colour, blur, noise, resize, compression
            (JPEG, WebP) and h264.
    """

    margin: tuple[float, ...] = ()
    shift: float = 0.05
    roll_deg: float = 4.0
    strength: float = 0.5
    parts: tuple[str, ...] = ("flip", "colour", "blur", "noise", "resize", "compression")


@dataclass(frozen=True)
class Optimiser:
    """How weights move.

    Attributes:
        kind: ``adamw`` or ``sgd``.
        rate: Peak learning rate.
        weight_decay: For matrices and kernels only.
        momentum: For sgd.
        warm_up_steps: Linear rise of the rate.
        schedule: ``cosine`` (to 1 % at the end) or ``constant``.
        sam_rho: Radius of sharpness-aware minimisation; 0: off. Doubles the time of a step.
        average_decay: Decay of the running average of the weights; 0: off.
        clip_norm: Longest gradient; longer ones are shortened. 0: off.
    """

    kind: str = "adamw"
    rate: float = 1e-3
    weight_decay: float = 0.01
    momentum: float = 0.9
    warm_up_steps: int = 100
    schedule: str = "cosine"
    sam_rho: float = 0.0
    average_decay: float = 0.0
    clip_norm: float = 5.0


@dataclass(frozen=True)
class Evaluation:
    """When the network is looked at, and when training ends early.

    Attributes:
        every: Steps between evaluations; 0: only in the end.
        metric: What decides which weights are the best.
        patience: Evaluations without a better one after which training ends; 0: never.
    """

    every: int = 400
    metric: str = "image_auc"
    patience: int = 0


@dataclass(frozen=True)
class Compute:
    """On what it runs. Only ``precision`` changes the result beyond rounding.

    Attributes:
        precision: ``32-true`` or ``bf16-mixed``.
        accumulate: Pieces that a batch is computed in, one after the other: less memory.
        devices: Devices that share each batch (DistributedDataParallel).
        accelerator: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        save_every: Steps between checkpoints.
    """

    precision: str = "32-true"
    accumulate: int = 1
    devices: int = 1
    accelerator: str = "auto"
    save_every: int = 200


@dataclass(frozen=True)
class Tracking:
    """Where numbers are written beside the CSV files; nothing leaves the machine.

    Attributes:
        tensorboard: Write ``tb/`` in the run's folder.
        mlflow: Write ``mlruns/`` in the run's folder, a local MLflow file store.
    """

    tensorboard: bool = True
    mlflow: bool = False


@dataclass(frozen=True)
class Adaptation:
    """A training strategy beside the network's own losses; see :mod:`unmask.train.strategy`.

    Attributes:
        strategy: Id of the strategy; empty: none.
        options: The strategy's own numbers.
        target: Stores of the target domain, whose labels are not used.
    """

    strategy: str = ""
    options: dict[str, float] = field(default_factory=dict)
    target: tuple[Store, ...] = ()


@dataclass(frozen=True)
class NetworkRecipe:
    """One training run of one network.

    Attributes:
        network: Id of the network.
        data: Faces.
        input_px: Side of the crops; 0: the paper's.
        small: Take the network's small configuration, where it has one.
        options: The network's own arguments by name, such as ``backbone``; after ``small``.
        seed: Seed of everything.
        steps: Steps of the optimiser; or 0 and ``epochs``.
        epochs: Passes over as many faces as there are to train on; or 0 and ``steps``.
        batch: Faces that one step sees, over all devices and pieces.
        init: File of arrays to start from, relative to ``--data``; empty: none.
        pretrained: Ask timm's hub for ImageNet weights.
        mixture: What a batch is made of.
        crops: How faces are cut and degraded.
        optimiser: How weights move.
        evaluation: When it is looked at.
        compute: On what it runs.
        tracking: Where numbers are written.
        adaptation: A training strategy.
    """

    network: str
    data: Data
    input_px: int = 0
    small: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    steps: int = 0
    epochs: float = 0.0
    batch: int = 32
    init: str = ""
    pretrained: bool = False
    mixture: Mixture = field(default_factory=Mixture)
    crops: Crops = field(default_factory=Crops)
    optimiser: Optimiser = field(default_factory=Optimiser)
    evaluation: Evaluation = field(default_factory=Evaluation)
    compute: Compute = field(default_factory=Compute)
    tracking: Tracking = field(default_factory=Tracking)
    adaptation: Adaptation = field(default_factory=Adaptation)

    def steps_for(self, faces: int) -> int:
        """Steps of the whole run with so many faces to train on."""
        return self.steps or max(1, math.ceil(self.epochs * faces / self.batch))

    def crop_margin(self, networks: float) -> float:
        """Crop margin to score with: the middle of what is trained with, or the network's."""
        margin = self.crops.margin
        return sum(margin) / len(margin) if margin else networks

    def digest(self) -> str:
        """SHA-256 of everything that the result depends on.

        Where and how fast it runs, what is logged and how often is left out.
        """
        table = dataclasses.asdict(self)
        table["compute"] = {"precision": self.compute.precision}
        del table["tracking"]
        if not self.options:  # runs from before there were options keep their digest
            del table["options"]
        return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def is_network_recipe(path: Path) -> bool:
    """Whether the file is a recipe of this kind; False also where it cannot be read."""
    try:
        return "network" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def read_network_recipe(path: Path) -> NetworkRecipe:
    """Read and check a recipe.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key (with the near match), a missing one, a wrong type
            or an impossible value.
    """
    return network_recipe_from(read_toml(path, "recipes/networks/"), path.name)


def network_recipe_from(table: dict[str, Any], where: str) -> NetworkRecipe:
    """Build and check a recipe from a table; ``where`` names it in messages.

    Raises:
        UsageError: See :func:`read_network_recipe`.
    """
    recipe: NetworkRecipe = record_of(NetworkRecipe, table, where)
    check(recipe, where)
    return recipe


def check(recipe: NetworkRecipe, where: str = "The recipe") -> None:
    """Refuse values that no run can have.

    Raises:
        UsageError: One is impossible; it is named.
    """
    for path, value, known in choices(recipe):
        if value not in known:
            near = difflib.get_close_matches(value, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose from: {', '.join(known)}."
            raise UsageError(f"{where}: {path} is {value!r}.", hint=hint)
    for is_wrong, complaint in complaints(recipe):
        if is_wrong:
            raise UsageError(f"{where}: {complaint}.")
