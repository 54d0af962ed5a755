"""Few-shot adaptation: a handful of labelled faces of the target re-teaches the last layers.

Two ways in. :func:`adapt_to_few` takes the faces themselves. The strategy ``last_layers`` does the
same inside a training run, whose ``data`` is then the handful::

    init = "runs/preliminary/weights.pt"

    [adaptation]
    strategy = "last_layers"
    options = { layers = 1 }

Source: fine-tuning of late layers (Yosinski et al., "How transferable are features in deep neural
networks?", NeurIPS 2014); for ForensicTransfer its own scheme (Cozzolino et al., arXiv 1812.02510,
section 4.3). Batch normalisation keeps the statistics of the first training and dropout is off,
because a handful of faces has no statistics to speak of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from unmask.errors import UsageError
from unmask.networks.base import TrainingBatch
from unmask.train.adaptation.forward_probe import last_layers
from unmask.train.strategy import STRATEGIES, Strategy, StrategySpec

if TYPE_CHECKING:
    from unmask.networks.base import DetectorNetwork, NetworkOutput

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_CHUNK = 16


@runtime_checkable
class AdaptsItself(Protocol):
    """A network whose paper says how a handful of faces re-teaches it."""

    def adapt(
        self, pixels: Tensor, y_true: Tensor, *, steps: int, learning_rate: float
    ) -> list[float]:
        """See :func:`adapt_to_few`."""
        ...


def adapt_to_few(
    network: DetectorNetwork,
    pixels: Tensor,
    y_true: Tensor,
    *,
    layers: int = 1,
    steps: int = 40,
    learning_rate: float = 3e-4,
) -> list[float]:
    """Re-teach a trained network from a handful of faces of a new domain.

    Every step sees all faces, both classes weighed alike. Only the last ``layers`` layers move;
    a network with a scheme of its own (:meth:`ForensicTransfer.adapt
    <unmask.networks.forensic_transfer.ForensicTransfer.adapt>`) uses that and ignores ``layers``.
    The network ends in the mode it came in, and what could be trained before can be after.

    Args:
        network: A trained network, changed in place.
        pixels: (N, 3, S, S) or (N, T, 3, S, S), normalised by its spec, real and fake.
        y_true: (N,) 1 = fake.
        layers: How many layers with weights move, counted from the logit.
        steps: Gradient steps.
        learning_rate: Of Adam.

    Returns:
        The loss before each step.

    Raises:
        UsageError: Lengths differ, a class is missing, or the network is not trained by gradients.
    """
    _check(network, pixels, y_true)
    if isinstance(network, AdaptsItself):
        return network.adapt(pixels, y_true, steps=steps, learning_rate=learning_rate)
    tuned = [p for layer in last_layers(network, layers) for p in _own(layer)]
    optimiser = torch.optim.Adam(tuned, lr=learning_rate)
    with _only(network, tuned):
        return [_step(network, pixels, y_true.float(), optimiser) for _ in range(steps)]


def _step(
    network: DetectorNetwork, pixels: Tensor, y_true: Tensor, optimiser: torch.optim.Optimizer
) -> float:
    optimiser.zero_grad()
    total = 0.0
    for chosen, share in _balanced_chunks(y_true):
        part, labels = pixels[chosen], y_true[chosen]
        masks = torch.zeros(len(part), *part.shape[-2:], device=part.device)
        batch = TrainingBatch(part, labels, masks, torch.zeros_like(labels).bool())
        terms = network.loss_terms(network(part), batch)
        loss = torch.stack(list(terms.values())).sum() * share
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    optimiser.step()
    return total


def _balanced_chunks(y_true: Tensor) -> Iterator[tuple[Tensor, float]]:
    """Rows of one class at a time, with the weight that makes both classes count alike."""
    for label in (False, True):
        rows = torch.nonzero((y_true > 0.5) == label).flatten()
        for part in torch.split(rows, _CHUNK):
            yield part, 0.5 * len(part) / len(rows)


def _check(network: DetectorNetwork, pixels: Tensor, y_true: Tensor) -> None:
    if network.spec.trained_by != "gradient":
        raise UsageError(
            f"{network.spec.id} is trained by {network.spec.trained_by}, not by gradients.",
            hint="Fit it again with the target's faces among the others.",
        )
    if len(pixels) != len(y_true):
        raise UsageError(
            f"{len(pixels)} faces came with {len(y_true)} labels; expected as many.",
            hint="Pass one label, 0 or 1, for each face.",
        )
    fakes = int((y_true > 0.5).sum())
    if fakes in (0, len(y_true)):
        raise UsageError(
            f"{len(y_true)} faces came, {fakes} of them fake; adapting needs both classes.",
            hint="Add a few faces of the other class from the same source.",
        )


def _own(layer: nn.Module) -> list[nn.Parameter]:
    return list(layer.parameters(recurse=False))


def _keeps_still(module: nn.Module) -> bool:
    return isinstance(module, (_BatchNorm, *_DROPOUTS))


@contextmanager
def _only(network: nn.Module, tuned: list[nn.Parameter]) -> Iterator[None]:
    """Only ``tuned`` gets gradients; statistics and dropout keep still."""
    before = [(p, p.requires_grad) for p in network.parameters()]
    was_training = {module: module.training for module in network.modules()}
    chosen = {id(p) for p in tuned}
    for parameter, _ in before:
        parameter.requires_grad_(id(parameter) in chosen)
    network.train()
    for module in filter(_keeps_still, network.modules()):
        module.eval()
    try:
        yield
    finally:
        for parameter, wanted in before:
            parameter.requires_grad_(wanted)
            parameter.grad = None
        for module, mode in was_training.items():
            module.training = mode


@STRATEGIES.register
class LastLayers(Strategy):
    """Train the last layers only; everything before them, and all statistics, keep still.

    Options: ``layers`` with weights, counted from the logit.
    """

    spec: ClassVar = StrategySpec(
        id="last_layers",
        title="Few-shot adaptation (last layers only)",
        paper="Yosinski et al., NeurIPS 2014; Cozzolino et al., arXiv 1812.02510",
        options={"layers": 1.0},
        needs_target=False,
    )

    def __init__(self, network: DetectorNetwork, *, layers: float = 1.0) -> None:
        chosen = {id(p) for layer in last_layers(network, round(layers)) for p in _own(layer)}
        for parameter in network.parameters():
            parameter.requires_grad_(id(parameter) in chosen)
        for module in filter(_keeps_still, network.modules()):
            # The engine calls train() before every step; this undoes it where it would matter.
            module.register_forward_pre_hook(_into_evaluation)

    def loss_terms(
        self,
        network: DetectorNetwork,
        output: NetworkOutput,
        batch: TrainingBatch,
        target_output: NetworkOutput | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """Nothing beside the network's own losses."""
        del network, output, batch, target_output, progress
        return {}


def _into_evaluation(module: nn.Module, inputs: Any) -> None:
    del inputs
    module.eval()
