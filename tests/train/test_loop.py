"""The loop: resuming to the bit, learning, failing without harm."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.errors import CorruptMedia, EnvironmentProblem  # noqa: E402
from unmask.train.facecache import FaceCache  # noqa: E402
from unmask.train.loop import (  # noqa: E402
    CHECKPOINT,
    Trainer,
    learning_rate_factor,
    pair_losses,
    read_checkpoint,
    to_pixels,
)
from unmask.train.pairs import Batch  # noqa: E402
from unmask.train.recipe import Phase, Recipe  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(recipe: Recipe, cache: FaceCache, run: Path, workers: int = 0) -> Trainer:
    return Trainer(recipe, cache, np.arange(len(cache)), run, workers=workers, half=False)


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_a_resumed_run_is_the_unbroken_run_to_the_bit(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    whole = trainer(recipe, cache, tmp_path / "whole")
    losses: list[float] = []
    whole.train(on_step=lambda report: losses.append(report.losses["class"]))
    assert len(losses) == recipe.steps
    for stop in (3, 6):  # within the first phase, and within the second
        part = trainer(recipe, cache, tmp_path / "part")
        assert part.resume() == (stop > 3)
        part.train(stop_at=stop)
    rest: list[float] = []
    # other loader processes must not matter either
    last = trainer(recipe, cache, tmp_path / "part", workers=1)
    assert last.resume()
    last.averaged_network()  # nor must a look at the weights
    last.train(on_step=lambda report: rest.append(report.losses["class"]))
    assert rest == losses[6:]
    assert same(whole.network.state_dict(), last.network.state_dict())
    assert same(whole.average, last.average)


def test_frozen_blocks_stay_until_a_phase_frees_them(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    one = trainer(recipe, cache, tmp_path)
    before = {name: value.clone() for name, value in one.network.state_dict().items()}
    one.train(stop_at=4)
    after = one.network.state_dict()
    frozen = [n for n in before if n.startswith(tuple(f"features.{i}." for i in range(4)))]
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert not torch.equal(
        before["features.5.conv.0.0.weight"], after["features.5.conv.0.0.weight"]
    )
    one.train()
    freed = "features.3.conv.0.0.weight"
    assert not torch.equal(before[freed], one.network.state_dict()[freed])
    assert torch.equal(
        before["features.0.0.weight"], one.network.state_dict()["features.0.0.weight"]
    )


def test_asking_to_stop_ends_after_the_step_with_a_checkpoint(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    one = trainer(recipe, cache, tmp_path)
    one.train(on_step=lambda report: one.stop() if report.step == 2 else None)
    assert one.step == 2
    assert read_checkpoint(tmp_path / CHECKPOINT)["step"] == 2


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    one = trainer(recipe, cache, tmp_path)
    one.train(stop_at=2)
    kept = (tmp_path / CHECKPOINT).read_bytes()
    with torch.no_grad():
        one.network.classify.bias.fill_(math.nan)
    with pytest.raises(EnvironmentProblem, match="nan"):
        one.train()
    assert (tmp_path / CHECKPOINT).read_bytes() == kept


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other content", "other shapes"])
def test_a_damaged_checkpoint_is_a_typed_error(
    cache: FaceCache, recipe: Recipe, tmp_path: Path, damage: str
) -> None:
    one = trainer(recipe, cache, tmp_path)
    path = tmp_path / CHECKPOINT
    one.save()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other content":
        torch.save({"weights": torch.zeros(3)}, path)
    else:
        state = torch.load(path, weights_only=True)
        state["network"]["classify.weight"] = torch.zeros(1, 3)
        torch.save(state, path)
    with pytest.raises(CorruptMedia) as caught:
        one.resume()
    assert "--fresh" in caught.value.hint


def test_another_recipe_does_not_go_on_from_this_checkpoint(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    trainer(recipe, cache, tmp_path).save()
    other = dataclasses.replace(recipe, seed=99)
    with pytest.raises(CorruptMedia, match="another recipe"):
        trainer(other, cache, tmp_path).resume()


def test_it_learns_eight_samples(
    cache: FaceCache, recipe: Recipe, tmp_path: Path, with_mixture
) -> None:
    plan = dataclasses.replace(
        with_mixture(recipe, pairs=4, strength=0.0), phases=(Phase(40, 64, 0),)
    )
    one = trainer(plan, cache, tmp_path)
    batch = one._batches[0]
    assert len(batch.images) == 8
    first = one._one_step(batch)["class"]
    for _ in range(39):
        one.step += 1
        last = one._one_step(batch)
    assert last["class"] < 0.1 < first
    one.network.eval()
    with torch.no_grad():
        one.network.dropout.p = 0.0
        one.network.train()
        logits, maps = one.network(to_pixels(batch.images))
    assert (logits[1::2] > logits[0::2]).all()
    assert maps[1::2, 0].mean() > maps[0::2, 0].mean()


def test_losses_are_what_they_are_called() -> None:
    mask = np.zeros((2, 2, 2), np.float32)
    mask[1, 0, 0] = 1
    batch = Batch(np.zeros((2, 16, 16, 3), np.uint8), mask, np.array([True, False]))
    logits, maps = torch.tensor([-8.0, 8.0]), torch.full((2, 2, 2, 2), -9.0)
    losses = pair_losses(logits, maps, batch)
    assert losses["class"] < 1e-3
    assert losses["rank"] < 1e-3
    assert losses["mask"] == pytest.approx(9 / 8, rel=1e-2)  # one of eight cells is missed
    assert losses["seam"] < 1e-3  # the second picture's seam is not known
    wrong = pair_losses(-logits, maps, batch)
    assert wrong["class"] > 7
    assert wrong["rank"] > 15


def test_the_rate_rises_then_falls(recipe: Recipe) -> None:
    factors = [learning_rate_factor(step, recipe) for step in range(recipe.steps + 1)]
    assert factors[0] == 0.5
    assert max(factors) == factors[1] == 1.0
    assert factors[2:] == sorted(factors[2:], reverse=True)
    assert factors[-1] == pytest.approx(0.01)


def test_the_first_interrupt_asks_and_the_second_interrupts() -> None:
    from unmask.train.interrupts import signals_call

    asked: list[bool] = []
    with pytest.raises(KeyboardInterrupt), signals_call(lambda: asked.append(True)):
        os.kill(os.getpid(), signal.SIGINT)
        assert asked == [True]
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_can_start_from_the_weights_of_another(
    cache: FaceCache, recipe: Recipe, tmp_path: Path
) -> None:
    first = trainer(recipe, cache, tmp_path / "first")
    first.train(stop_at=2)
    weights = {name: value.numpy() for name, value in first.average.items()}
    second = trainer(recipe, cache, tmp_path / "second")
    assert not same(second.network.state_dict(), first.average)
    second.start_from(weights)
    assert same(second.network.state_dict(), first.average)
    assert same(second.average, first.average)
    weights.pop("classify.bias")
    with pytest.raises(CorruptMedia, match="do not fit"):
        second.start_from(weights)
