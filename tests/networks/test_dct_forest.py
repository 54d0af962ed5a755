"""The trees in tensors must say what scikit-learn's say."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks._spectrum_statistics import STATISTICS  # noqa: E402
from unmask.networks.dct_forest import DctForest, _not_above  # noqa: E402

SIDE = 96


def table(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(count, STATISTICS, generator=draw)
    y_true = ((features[:, :40].sum(1) > 2) ^ (features[:, 41] > 1)).float()
    return features, y_true


def test_before_it_is_fitted_it_says_even_odds() -> None:
    assert DctForest(input_px=SIDE).descend(torch.randn(3, STATISTICS)).tolist() == [0, 0, 0]


def test_the_tensors_say_what_the_trees_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn import ensemble

    grown: list[ensemble.GradientBoostingClassifier] = []

    class Remembered(ensemble.GradientBoostingClassifier):
        def fit(self, *given: object, **named: object) -> Remembered:
            grown.append(self)
            return super().fit(*given, **named)

    monkeypatch.setattr(ensemble, "GradientBoostingClassifier", Remembered)
    network = DctForest(input_px=SIDE)
    features, y_true = table(200)
    for rows in (slice(0, 120), slice(0, 200)):  # the second fit leaves nothing of the first
        network.fit(features[rows], y_true[rows])
        expected = grown[-1].decision_function(features.numpy())
        np.testing.assert_allclose(network.descend(features).numpy(), expected, atol=2e-4)
    apart = (network.descend(features) > 0) == (y_true > 0.5)
    assert float(apart.float().mean()) > 0.95


def test_a_value_on_a_threshold_goes_the_same_way_as_in_double_precision() -> None:
    rng = np.random.default_rng(0)
    for threshold in rng.normal(size=200):
        single = _not_above(float(threshold))
        for value in (np.nextafter(single, np.float32(np.inf)), single, np.float32(threshold)):
            assert (value <= single) == (float(value) <= threshold)
    assert _not_above(0.5) == np.float32(0.5)
