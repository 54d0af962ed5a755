"""Random samples with ties, both classes always present."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Sample = tuple[NDArray[np.int64], NDArray[np.float64]]


@pytest.fixture
def draw() -> Callable[[int, int], Sample]:
    """Return ``draw(seed, n)``: labels and rounded scores, so that many of them tie."""

    def make(seed: int, n: int) -> Sample:
        rng = np.random.default_rng(seed)
        y_true = np.append([0, 1], rng.integers(2, size=n - 2))
        y_score = np.round(rng.normal(y_true * 1.2, 1.0), 1)
        return y_true, y_score

    return make
