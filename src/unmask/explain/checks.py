"""Is a heat map worth looking at? Two checks that can fail.

A map that stays the same when the network forgets everything shows the picture, not the network
(Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3: model parameter
randomisation; here all layers at once). A map that points lies mostly where the manipulation is
known to be (Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018, the
pointing game; here the share of its energy instead of its single highest place).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.networks import DetectorNetwork
    from unmask.types import Floats


def randomised(network: DetectorNetwork, seed: int = 0) -> DetectorNetwork:
    """A copy whose weights are drawn anew, each tensor with the mean and deviation that it had."""
    forgetful = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in forgetful.parameters():
            drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
            spread = weight.std(unbiased=False) if weight.numel() > 1 else weight.abs().squeeze()
            weight.copy_(drawn * spread + weight.mean())
    return forgetful


def rank_similarity(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two heat maps, -1..1; 0 where one of them is flat."""
    from scipy.stats import rankdata

    ranks = [rankdata(one.ravel()) for one in (first, second)]
    if any(np.ptp(one) == 0 for one in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def energy_inside(values: Floats, mask: NDArray[np.bool_]) -> float:
    """Share of a heat map that lies where ``mask`` is true; by chance the share of its area.

    Args:
        values: (S, S), not negative.
        mask: (S, S), true where pixels were manipulated.

    Returns:
        0..1; 0 where the map is empty.
    """
    total = float(values.sum(dtype=np.float64))
    return float(values[mask].sum(dtype=np.float64)) / total if total > 0 else 0.0
