"""What no recipe of a network may say: words that do not exist, numbers that no run can have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.train.network_recipe import NetworkRecipe

BALANCES = ("method", "class", "none")
OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("32-true", "bf16-mixed")
ACCELERATORS = ("auto", "cpu", "cuda", "mps")
METRICS = ("image_auc", "video_auc", "image_eer", "video_eer", "loss")
FALLING_METRICS = ("image_eer", "video_eer", "loss")
LABELS = ("real", "fake")
PARTS = ("flip", "colour", "blur", "noise", "resize", "compression", "h264")


def choices(recipe: NetworkRecipe) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Words that a recipe chooses: (key, what it says, what there is)."""
    yield "mixture.balance", recipe.mixture.balance, BALANCES
    yield "optimiser.kind", recipe.optimiser.kind, OPTIMISERS
    yield "optimiser.schedule", recipe.optimiser.schedule, SCHEDULES
    yield "evaluation.metric", recipe.evaluation.metric, METRICS
    yield "compute.precision", recipe.compute.precision, PRECISIONS
    yield "compute.accelerator", recipe.compute.accelerator, ACCELERATORS
    yield from (("crops.parts", part, PARTS) for part in recipe.crops.parts)
    for store in (*recipe.data.stores, *recipe.adaptation.target):
        yield from ((f"labels of {store.name}", label, LABELS) for label in store.labels)


def complaints(recipe: NetworkRecipe) -> Iterator[tuple[bool, str]]:
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
    for name, value in recipe.options.items():
        yield (
            not isinstance(value, str | int | float | bool),
            f"options.{name} is {value!r}, expected a number, a text, true or false",
        )


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
