"""What a network looks like from outside: how wide its features are, which layers come last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from unmask.errors import UsageError

if TYPE_CHECKING:
    from unmask.networks.base import DetectorNetwork


def feature_width(network: DetectorNetwork) -> int:
    """D of the (B, D) features that a network returns."""
    with _undisturbed(network), torch.no_grad():
        return int(network(_pixels(network)).features.shape[1])


def last_layers(network: DetectorNetwork, count: int) -> list[nn.Module]:
    """The last layers with weights that the logit passes through, in the order they are called.

    The order is that of a forward pass, not that of definition, and layers beside the logit's path
    (a decoder, a map) do not count.

    Args:
        network: Any network trained by gradients.
        count: How many layers.

    Raises:
        UsageError: The count is not positive, or no weight of the network moves its logit.
    """
    if count < 1:
        raise UsageError(
            f"{count} last layers were asked for; expected at least 1.",
            hint="Take 1 for the classifier alone.",
        )
    called: list[nn.Module] = []
    handles = [
        module.register_forward_hook(lambda m, *_: called.append(m))
        for module in network.modules()
        if _own_parameters(module) and module is not network
    ]
    try:
        with _undisturbed(network), torch.enable_grad():
            logit = network(_pixels(network)).logits.sum()
            parameters = [p for p in network.parameters() if p.requires_grad]
            moved = _that_move(logit, parameters)
    finally:
        for handle in handles:
            handle.remove()
    order = list(dict.fromkeys(reversed(called)))  # where a layer is called twice, its last call
    found = [layer for layer in order if any(id(p) in moved for p in _own_parameters(layer))]
    if not found:
        raise UsageError(
            f"No layer of {network.spec.id} can be tuned alone.",
            hint="Train the whole network on the target's faces instead.",
        )
    return found[:count][::-1]


def _that_move(logit: Tensor, parameters: list[nn.Parameter]) -> set[int]:
    if not parameters or not logit.requires_grad:
        return set()
    gradients: Sequence[Tensor | None] = torch.autograd.grad(logit, parameters, allow_unused=True)
    return {id(p) for p, g in zip(parameters, gradients, strict=True) if g is not None}


def _own_parameters(module: nn.Module) -> list[nn.Parameter]:
    return list(module.parameters(recurse=False))


def _pixels(network: DetectorNetwork) -> Tensor:
    """One input that is not flat, on the network's device.

    A network whose input is not a picture has an ``example_input`` method.
    """
    example = getattr(network, "example_input", None)
    if example is not None:
        drawn_by_network: Tensor = example()
        return drawn_by_network
    spec, side = network.spec, network.input_px
    frames = (spec.clip_frames,) if spec.modality == "clip" else ()
    drawn = torch.randn((1, *frames, 3, side, side), generator=torch.Generator().manual_seed(0))
    weight = next(chain(network.parameters(), network.buffers()), None)
    return drawn if weight is None else drawn.to(weight.device)


@contextmanager
def _undisturbed(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and the random numbers that follow are those of before."""
    was_training = network.training
    network.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        network.train(was_training)
