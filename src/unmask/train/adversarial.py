"""Adversarial training: learning from one's own hardest small changes, as a defence.

Recipe::

    [adaptation]
    strategy = "adversarial"
    options = { epsilon = 4, steps = 1, weight = 1.0 }

Source: Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018,
section 2 (PGD); with one step, Wong et al., "Fast is better than free", ICLR 2020, algorithm 3.
What differs: the loss on clean faces is kept beside that on changed ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as nnf

from unmask.train.strategy import STRATEGIES, Strategy, StrategySpec

if TYPE_CHECKING:
    from torch import Tensor

    from unmask.networks.base import DetectorNetwork, NetworkOutput, NetworkSpec, TrainingBatch

# One step from a random start has to reach past the middle of the ball (Wong et al., section 5).
_ONE_STEP = 1.25
_STEP_SHARE = 2.5


def adversarial_pixels(
    network: DetectorNetwork,
    pixels: Tensor,
    y_true: Tensor,
    *,
    epsilon: float,
    steps: int = 1,
) -> Tensor:
    """Pixels changed so that the network errs, within a ball of the maximum norm.

    Random start, then signed steps up the cross-entropy; every value stays one that a picture can
    have. Weights get no gradient from here.

    Args:
        network: As it is trained; its mode is used as it is.
        pixels: (B, ..., 3, S, S) normalised by the network's spec.
        y_true: (B,) 1 = fake.
        epsilon: Largest change of a value, on the 0..255 scale.
        steps: 1 (FGSM) or more (PGD).

    Returns:
        Changed pixels, of the same shape, without gradients.
    """
    ball, low, high = _bounds(network.spec, pixels, epsilon)
    stride = ball * (_ONE_STEP if steps == 1 else _STEP_SHARE / steps)
    change = (torch.rand_like(pixels) * 2 - 1) * ball
    for _ in range(steps):
        changed = (pixels + change).clamp(low, high).detach().requires_grad_(True)
        with torch.enable_grad():
            logits = network(changed).logits.float()
            loss = nnf.binary_cross_entropy_with_logits(logits, y_true)
            (gradient,) = torch.autograd.grad(loss, changed)
        change = (change + stride * gradient.sign()).clamp(-ball, ball)
    return (pixels + change).clamp(low, high).detach()


def _bounds(spec: NetworkSpec, pixels: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Radius, black and white by channel, in normalised units."""
    mean = torch.tensor(spec.mean, device=pixels.device).view(3, 1, 1)
    std = torch.tensor(spec.std, device=pixels.device).view(3, 1, 1)
    return epsilon / std, (0.0 - mean) / std, (255.0 - mean) / std


@STRATEGIES.register
class AdversarialTraining(Strategy):
    """Cross-entropy on changed faces beside the network's own losses; needs no target domain."""

    spec: ClassVar = StrategySpec(
        id="adversarial",
        title="Adversarial training (FGSM or PGD)",
        paper="Madry et al., ICLR 2018; Wong et al., ICLR 2020",
        options={"epsilon": 4.0, "steps": 1.0, "weight": 1.0},
        needs_target=False,
    )

    def __init__(
        self,
        network: DetectorNetwork,
        *,
        epsilon: float = 4.0,
        steps: float = 1.0,
        weight: float = 1.0,
    ) -> None:
        del network
        self.epsilon, self.steps, self.weight = epsilon, max(1, round(steps)), weight

    def loss_terms(
        self,
        network: DetectorNetwork,
        output: NetworkOutput,
        batch: TrainingBatch,
        target_output: NetworkOutput | None,
        progress: float,
    ) -> dict[str, Tensor]:
        """Cross-entropy of the logits on changed faces, times ``weight``."""
        del output, target_output, progress
        changed = adversarial_pixels(
            network, batch.pixels, batch.y_true, epsilon=self.epsilon, steps=self.steps
        )
        logits = network(changed).logits.float()
        loss = nnf.binary_cross_entropy_with_logits(logits, batch.y_true)
        return {"adversarial": self.weight * loss}
