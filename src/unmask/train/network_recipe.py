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
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of

BALANCES = ("method", "class", "none")
OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("32-true", "bf16-mixed")
ACCELERATORS = ("auto", "cpu", "cuda", "mps")
METRICS = ("image_auc", "video_auc", "image_eer", "video_eer", "loss")
FALLING_METRICS = ("image_eer", "video_eer", "loss")
LABELS = ("real", "fake")
PARTS = ("flip", "colour", "blur", "noise", "resize", "compression", "h264")


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
    for path, value, choices in _choices(recipe):
        if value not in choices:
            near = difflib.get_close_matches(value, choices, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose from: {', '.join(choices)}."
            raise UsageError(f"{where}: {path} is {value!r}.", hint=hint)
    for is_wrong, complaint in _complaints(recipe):
        if is_wrong:
            raise UsageError(f"{where}: {complaint}.")


def _choices(recipe: NetworkRecipe) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield "mixture.balance", recipe.mixture.balance, BALANCES
    yield "optimiser.kind", recipe.optimiser.kind, OPTIMISERS
    yield "optimiser.schedule", recipe.optimiser.schedule, SCHEDULES
    yield "evaluation.metric", recipe.evaluation.metric, METRICS
    yield "compute.precision", recipe.compute.precision, PRECISIONS
    yield "compute.accelerator", recipe.compute.accelerator, ACCELERATORS
    yield from (("crops.parts", part, PARTS) for part in recipe.crops.parts)
    for store in (*recipe.data.stores, *recipe.adaptation.target):
        yield from ((f"labels of {store.name}", label, LABELS) for label in store.labels)


def _complaints(recipe: NetworkRecipe) -> Iterator[tuple[bool, str]]:
    """What types cannot say: (whether it is wrong, what)."""
    yield from _data_complaints(recipe)
    optimiser, compute, crops = recipe.optimiser, recipe.compute, recipe.crops
    yield recipe.input_px < 0, "input_px must be positive, or 0 for the paper's"
    yield (recipe.steps > 0) == (recipe.epochs > 0), "give either steps or epochs"
    yield min(recipe.steps, recipe.epochs) < 0, "steps and epochs must not be negative"
    yield recipe.batch < 1, "batch must be at least 1"
    yield not optimiser.rate > 0, "optimiser.rate must be positive"
    yield not 0 <= optimiser.average_decay < 1, "optimiser.average_decay must be in 0..1"
    yield not 0 <= optimiser.momentum < 1, "optimiser.momentum must be in 0..1"
    for name in ("weight_decay", "warm_up_steps", "sam_rho", "clip_norm"):
        yield getattr(optimiser, name) < 0, f"optimiser.{name} must not be negative"
    yield len(crops.margin) not in {0, 2}, "crops.margin must be [smallest, largest]"
    yield (
        bool(crops.margin) and not 0 < crops.margin[0] <= crops.margin[-1],
        ("crops.margin must be [smallest, largest]"),
    )
    yield not 0 <= crops.strength <= 1, "crops.strength must be in 0..1"
    yield not 0 <= crops.shift < 0.5, "crops.shift must be in 0..0.5"
    yield (
        min(recipe.evaluation.every, recipe.evaluation.patience) < 0,
        ("evaluation.every and evaluation.patience must not be negative"),
    )
    yield (
        min(compute.accumulate, compute.devices, compute.save_every) < 1,
        ("compute.accumulate, devices and save_every must be at least 1"),
    )
    pieces = compute.accumulate * compute.devices * (1 if recipe.mixture.balance == "none" else 2)
    yield (
        recipe.batch % pieces != 0,
        (
            f"batch is {recipe.batch}, which {compute.accumulate} pieces on {compute.devices} "
            "devices cannot share in equal parts of real and fake faces; take a multiple of "
            f"{pieces}"
        ),
    )
    yield recipe.pretrained and bool(recipe.init), "give either init or pretrained"


def _data_complaints(recipe: NetworkRecipe) -> Iterator[tuple[bool, str]]:
    data, mixture = recipe.data, recipe.mixture
    names = [store.name for store in data.stores]
    yield not names, "data.stores is empty"
    yield len(set(names)) < len(names), "two stores have the same name"
    yield not 0 <= data.validation_share < 1, "data.validation_share must be in 0..1"
    yield data.validation_faces < 0, "data.validation_faces must not be negative"
    for store in data.stores:
        yield not store.weight > 0, f"the weight of {store.name} must be positive"
        yield not store.labels, f"labels of {store.name} is empty"
    shares = (mixture.found, *mixture.forgeries.values())
    yield min(shares) < 0, "a share in mixture is negative"
    yield not sum(shares), "the shares in mixture are all 0"
    yield mixture.balance == "none" and mixture.paired, "pairs are always balanced: set balance"
    yield (
        mixture.balance == "none" and bool(mixture.forgeries),
        ('forgeries made on the fly need balance = "method" or "class"'),
    )
    yield (
        bool(recipe.adaptation.target) and not recipe.adaptation.strategy,
        "adaptation.target needs an adaptation.strategy",
    )
    for store in recipe.adaptation.target:
        yield (
            bool(store.methods) or store.labels != LABELS,
            f"labels and methods of {store.name} choose by labels, which a target domain has not",
        )
