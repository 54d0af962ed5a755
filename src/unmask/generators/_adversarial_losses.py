"""Losses of games between a generator and a judge, and what keeps each from training the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """While inside, no gradient is computed for the network's own weights.

    A generator's loss passes through its judge; the judge must not learn from it.
    """
    wanted = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in wanted:
            weight.requires_grad_(True)


def least_squares_loss(judged: Tensor, wanted: float | Tensor) -> Tensor:
    """Half the mean square distance of a judge's map from what is wanted of it.

    Source: Mao et al., "Least Squares GAN", ICCV 2017, eq. 9 (0 forged, 1 real).
    """
    return 0.5 * (judged - wanted).square().mean()


def mixing_share() -> Tensor:
    """How much of the real picture a mixed one holds: from Beta(0.2, 0.2), mostly near 0 or 1."""
    return torch.distributions.Beta(0.2, 0.2).sample()


def mixed_loss(
    judge: nn.Module, real: Tensor, forged: Tensor, share: Tensor, *, fooling: bool
) -> Tensor:
    """Least-squares loss on a mixture of a real and a forged picture.

    The judge is to say how much of it is real; the generator is paid when it says the opposite.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018, section 5.
    """
    judged = judge(share * real + (1 - share) * forged)
    return least_squares_loss(judged, 1 - share if fooling else share)


def relativistic_loss(more_real: Tensor, less_real: Tensor) -> Tensor:
    """Loss on logits of which the first are to be above the mean of the second, and vice versa.

    The judge's has real pictures first, the generator's its own.

    Source: Jolicoeur-Martineau, "The relativistic discriminator", ICLR 2019; ESRGAN, eq. 1 and 2.

    Args:
        more_real: Logits of any shape.
        less_real: Likewise.
    """
    above, below = more_real - less_real.mean(), less_real - more_real.mean()
    return functional.softplus(-above).mean() + functional.softplus(below).mean()


def feature_distance(made: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of what a judge sees in two pictures, mean over its layers.

    Source: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
    Conditional GANs", CVPR 2018, eq. 4.

    Args:
        made: Features of the made picture.
        wanted: Of the real one; not differentiated.
    """
    gaps = [(one.detach().float() - other.float()).abs().mean()
            for one, other in zip(wanted, made, strict=True)]  # fmt: skip
    return torch.stack(gaps).mean()
