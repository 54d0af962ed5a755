"""Spectrum statistics with a linear classifier: what it finds, and what it refuses."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
import torch.nn.functional as nnf  # noqa: E402

from unmask.errors import UsageError  # noqa: E402
from unmask.networks.dct_statistics import DctStatistics  # noqa: E402

SIDE = 96


def faces(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Grainy pictures; the fakes were made at half the size and repeated, with grain on top."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=draw) * 200
    pictures = nnf.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")
    pictures += 6 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    y_true = (torch.arange(count) % 2).float()
    half = nnf.interpolate(pictures, scale_factor=0.5, mode="bilinear")
    again = nnf.interpolate(half, scale_factor=2, mode="nearest")
    again += 3 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    levels = torch.where(y_true[:, None, None, None] > 0, again, pictures).round().clamp(0, 255)
    return levels / 127.5 - 1, y_true


def test_it_finds_up_sampling_that_it_was_fitted_to() -> None:
    network = DctStatistics(input_px=SIDE).eval()
    pixels, y_true = faces(40, 0)
    with torch.no_grad():
        network.fit(network(pixels).features, y_true)
    fresh, wanted = faces(40, 1)
    scores = network.scores(fresh)
    assert bool(((scores > 0) == (wanted > 0)).all())


def test_the_fitted_line_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from unmask.networks.dct_statistics import INVERSE_PENALTY

    network = DctStatistics(input_px=SIDE).eval()
    features = torch.randn(60, network.centre.numel(), generator=torch.Generator().manual_seed(0))
    y_true = (features[:, 3] + features[:, 800] > 0.4).float()
    network.fit(features, y_true)
    with torch.no_grad():
        ours = network.classifier((features - network.centre) * network.scale).squeeze(1)
    line = LogisticRegression(C=INVERSE_PENALTY / 60, class_weight="balanced", max_iter=2000)
    theirs = make_pipeline(StandardScaler(), line).fit(features.double().numpy(), y_true.numpy())
    expected = torch.from_numpy(theirs.decision_function(features.double().numpy())).float()
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["one class", "not finite", "too few labels"])
def test_it_refuses_what_cannot_be_fitted(kind: str) -> None:
    network = DctStatistics(input_px=SIDE)
    features = torch.zeros(4, network.centre.numel())
    y_true = torch.tensor([0.0, 1.0, 0.0, 1.0])
    if kind == "one class":
        y_true = torch.ones(4)
    elif kind == "not finite":
        features[1, 1] = torch.nan
    else:
        y_true = y_true[:3]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UsageError) as caught:
        network.fit(features, y_true)
    assert caught.value.hint
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
