"""What the first-order motion model is trained by, beside features: pixels, equivariance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unmask.generators.first_order_motion._geometry import Keypoints, RandomWarp, inverse_2x2


def pyramid_l1(made: Tensor, real: Tensor, scales: int) -> Tensor:
    """Mean absolute difference, averaged over the picture and ``scales - 1`` halvings of it."""
    total = made.new_zeros(())
    for scale in range(scales):
        if scale:
            made, real = functional.avg_pool2d(made, 2), functional.avg_pool2d(real, 2)
        total = total + (made - real).abs().mean()
    return total / scales


def equivariance(here: Keypoints, bent: Keypoints, how: RandomWarp) -> tuple[Tensor, Tensor]:
    """How far points do not move as the picture does.

    Args:
        here: Points of the pictures.
        bent: Points of the same pictures bent by ``how``.
        how: The warp.

    Returns:
        Mean absolute error of the points, and of the Jacobians as 1 - J^-1 T' J'.

    Source: equations 9 to 11 of the paper (section 3.4 there).
    """
    value = (here.value - how.places(bent.value)).abs().mean()
    expected = how.derivative(bent.value) @ bent.jacobian
    ratio = inverse_2x2(here.jacobian) @ expected
    return value, (torch.eye(2) - ratio).abs().mean()
