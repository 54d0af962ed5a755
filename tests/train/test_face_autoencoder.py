"""Training of the painters, in small: every kind trains, and its file paints as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.inference import Session  # noqa: E402
from unmask.train import face_autoencoder as training  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.train.facecache import FaceCache


@pytest.mark.parametrize("up", training.UPS)
def test_every_way_up_doubles(up: str) -> None:
    network = training.FaceAutoencoder(up)
    painted = network(torch.rand(2, 3, 64, 96), torch.ones(2, training.CODE, 1, 1)).detach()
    assert painted.shape == (2, 3, 64, 96)
    assert float(painted.min()) >= 0
    assert float(painted.max()) <= 1


def test_an_unknown_kind_of_code_keeps_nothing_beyond_its_count() -> None:
    keep = training.nested_keep(torch.tensor([1, training.CODE]))
    assert keep[:, :, 0, 0].sum(1).tolist() == [1, training.CODE]
    assert keep[0, 0] == 1


def test_the_judge_learns_and_pulls() -> None:
    torch.manual_seed(0)
    game = training._Game()
    real, flat = torch.rand(4, 3, 64, 64), torch.full((4, 3, 64, 64), 0.5)
    before = float(game.asked(flat).detach())
    for _ in range(30):
        game.learn(real, flat)
    with torch.no_grad():
        assert float(game.judge(real).mean()) > float(game.judge(flat).mean()) + 0.3
    painted = flat.clone().requires_grad_()
    asked = game.asked(painted)
    asked.backward()
    assert float(asked.detach()) != before
    assert painted.grad is not None
    assert float(painted.grad.abs().sum()) > 0
    assert all(one.requires_grad for one in game.judge.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("up", "weight"), [("shuffle", 0.0), ("nearest", 0.1)])
def test_a_run_trains_and_its_file_paints_the_same(
    up: str, weight: float, tmp_path: Path, cache: FaceCache
) -> None:
    rows = np.flatnonzero(cache.label == 0)
    network = training.train(cache, rows, steps=4, up=up, adversarial=weight)
    torch.manual_seed(1)
    fresh = training.FaceAutoencoder(up).state_dict()
    changed = [name for name, value in network.state_dict().items() if (value != fresh[name]).any()]
    assert len(changed) == len(fresh)
    batch = training._batch(cache, rows, np.random.default_rng(9))[:2]
    keep = torch.ones(2, training.CODE, 1, 1)
    with torch.no_grad():
        expected = network(batch, keep).numpy()
    (tmp_path / "painter.onnx").write_bytes(training.onnx_bytes(network))
    inputs = {"pixels": batch.numpy(), "keep": keep.numpy()}
    painted = Session(tmp_path / "painter.onnx").run_named(inputs)[0]
    assert np.abs(painted - expected).max() < 1e-3
