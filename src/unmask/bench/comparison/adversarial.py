"""How a detector stands against pictures changed on purpose to mislead it.

Measures defenders' own networks. Changed pixels live in memory until they are scored and are
never written. Attacks come from the Adversarial Robustness Toolbox (MIT); perturbations are
bounded in the maximum norm, act on the crop that the network sees, and are not rounded to 8 bits.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from unmask.errors import MissingExtra, UnknownEntry
from unmask.train.scoring import crops_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets import FaceStore
    from unmask.networks import DetectorNetwork

    Pixels = NDArray[np.float32]

EPSILONS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Strengths of a study, in steps of 1/255."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One row of the table of attacks.

    Attributes:
        id: Short name.
        title: Name for people.
        sees: ``white box`` (gradients), ``black box`` (scores only) or ``transfer`` (gradients of
            another network).
        paper: Where it comes from.
        make: (classifier, epsilon in 0..1) -> the toolbox's attack.
    """

    id: str
    title: str
    sees: str
    paper: str
    make: Callable[[Any, float], Any]


def _fgsm(classifier: Any, epsilon: float) -> Any:
    from art.attacks.evasion import FastGradientMethod

    return FastGradientMethod(classifier, eps=epsilon, batch_size=32)


def _pgd(classifier: Any, epsilon: float) -> Any:
    from art.attacks.evasion import ProjectedGradientDescentPyTorch

    return ProjectedGradientDescentPyTorch(
        classifier, eps=epsilon, eps_step=epsilon / 4, max_iter=10, num_random_init=1,
        batch_size=32, verbose=False,
    )  # fmt: skip


def _square(classifier: Any, epsilon: float) -> Any:
    from art.attacks.evasion import SquareAttack

    return SquareAttack(classifier, eps=epsilon, max_iter=200, batch_size=32, verbose=False)


ATTACKS: dict[str, Attack] = {
    one.id: one
    for one in (
        Attack("fgsm", "FGSM", "white box", "Goodfellow et al., ICLR 2015", _fgsm),
        Attack("pgd", "PGD, 10 steps", "white box", "Madry et al., ICLR 2018", _pgd),
        Attack("square", "Square, 200 queries", "black box", "Andriushchenko et al., ECCV 2020",
               _square),
        Attack("transfer", "PGD through another network", "transfer",
               "Papernot et al., 2016; Madry et al., ICLR 2018", _pgd),
    )
}  # fmt: skip


def get_attack(name: str) -> Attack:
    """The attack called ``name``.

    Raises:
        UnknownEntry: There is none.
    """
    if name not in ATTACKS:
        raise UnknownEntry(
            f"There is no attack called {name!r}.", hint=f"Known: {', '.join(ATTACKS)}."
        )
    return ATTACKS[name]


class _TwoClasses(nn.Module):
    """A detector as the toolbox wants it: pixels in 0..1, one logit for each of two classes."""

    def __init__(self, network: DetectorNetwork, threshold: float) -> None:
        super().__init__()
        self.network = network
        self.threshold = threshold
        shape = (3, 1, 1)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(network.spec.mean).view(shape))
        self.register_buffer("std", torch.tensor(network.spec.std).view(shape))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, ..., 3, S, S) in 0..1 -> (B, 2); the difference is the logit over the threshold."""
        logits = self.network((pixels * 255.0 - self.mean) / self.std).logits - self.threshold
        return torch.stack([-logits / 2, logits / 2], dim=1)


def attacked_logits(
    network: DetectorNetwork,
    pixels: Pixels,
    y_true: NDArray[np.int8],
    attack: Attack,
    epsilons: Sequence[float] = EPSILONS,
    *,
    threshold: float = 0.0,
    surrogate: DetectorNetwork | None = None,
    seed: int = 0,
) -> Iterator[tuple[float, NDArray[np.float64]]]:
    """Logits of a network on pixels that an attack changed, one strength after the other.

    Reals are pushed to look fake and fakes to look real.

    Args:
        network: What is attacked, in evaluation mode when this returns.
        pixels: (N, 3, S, S) float32 in 0..1.
        y_true: (N,) 1 = fake.
        attack: How.
        epsilons: Largest change of a value, in steps of 1/255; 0 changes nothing.
        threshold: Logit from which the network calls a sample fake.
        surrogate: Network whose gradients are used instead, for transfer.
        seed: Of random starts and searches.

    Yields:
        Epsilon and (N,) logits.

    Raises:
        MissingExtra: The toolbox is not installed.
    """
    if importlib.util.find_spec("art") is None:
        raise MissingExtra.named("adversarial", "Measuring adversarial robustness")
    target = _classifier(network, pixels.shape[1:], threshold)
    through = target if surrogate is None else _classifier(surrogate, pixels.shape[1:], 0.0)
    labels = np.eye(2, dtype=np.float32)[y_true.astype(np.int64)]
    for epsilon in epsilons:
        changed = pixels
        if epsilon > 0:
            torch.manual_seed(seed)
            np.random.seed(seed)
            changed = attack.make(through, epsilon / 255.0).generate(pixels, y=labels)
        said = target.predict(changed, batch_size=32)
        yield epsilon, (said[:, 1] - said[:, 0]).astype(np.float64) + threshold


def crop_pixels(
    network: DetectorNetwork, store: FaceStore, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(N, 3, S, S) float32 0..1 crops of stored faces, as the network is given them."""
    crops = crops_of(store, rows, network.input_px, network.spec.crop_margin)
    return np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32) / np.float32(255)


def _classifier(network: DetectorNetwork, shape: tuple[int, ...], threshold: float) -> Any:
    from art.estimators.classification import PyTorchClassifier

    device = next(network.parameters()).device
    model = _TwoClasses(network, threshold).to(device).eval()
    return PyTorchClassifier(
        model=model,
        loss=nn.CrossEntropyLoss(),
        input_shape=shape,
        nb_classes=2,
        clip_values=(0.0, 1.0),
        device_type="gpu" if device.type == "cuda" else "cpu",
    )
