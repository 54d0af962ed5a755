"""Training of the invisible watermark: attacks, pictures, and a run in small."""

from __future__ import annotations

import csv
import dataclasses
import signal

import numpy as np
import pytest
import torch

from unmask.errors import CorruptMedia
from unmask.train import watermark as training
from unmask.train import watermark_attacks as attacks
from unmask.train.watermark_networks import Embedder, Reader, hiding_room, visible_power
from unmask.train.watermark_pictures import SIDES_PX, Pictures, drawn

TINY = training.Settings(steps=2, batch=2, seed=3)


class Drawn(Pictures):
    """Pictures without a face cache."""

    def __init__(self):
        super().__init__(cache=None, rows=np.empty(0), photographs=())

    def draw(self, rng):
        return drawn(128, rng)


def test_a_crop_keeps_the_share_that_it_says(portrait):
    rng = np.random.default_rng(0)
    shapes = set()
    for _ in range(20):
        cut = attacks.cropped(portrait, 0.2, rng)
        assert cut.shape[0] * cut.shape[1] == pytest.approx(0.8 * 512 * 512, rel=0.01)
        shapes.add(cut.shape)
    assert len(shapes) > 10


@pytest.mark.parametrize("seed", range(6))
def test_attacks_keep_size_and_are_repeatable(seed, portrait):
    image = portrait[:150, :190]
    first = attacks.random_attack(image, np.random.default_rng(seed))
    again = attacks.random_attack(image, np.random.default_rng(seed))
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


def test_resizing_there_and_back(portrait):
    assert attacks.resized(portrait, 0.5).shape == (256, 256, 3)
    assert attacks.resized_and_back(portrait, 0.5).shape == portrait.shape


@pytest.mark.parametrize("side", sorted(set(SIDES_PX)))
def test_drawn_pictures_differ(side):
    rng = np.random.default_rng(1)
    pictures = [drawn(side, rng) for _ in range(8)]
    assert all(picture.shape == (side, side, 3) for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 8


def test_the_embedder_spends_one_unit_of_visible_power():
    torch.manual_seed(0)
    pixels, pattern = torch.rand(2, 3, 96, 128), torch.randn(2, 1, 96, 128)
    change = Embedder()(pixels, pattern)
    assert change.shape == pixels.shape
    power = visible_power(change / hiding_room(pixels)).mean((1, 2, 3))
    assert torch.allclose(power, torch.ones(2), atol=1e-3)


def test_there_is_more_room_where_a_picture_is_busy():
    pixels = torch.full((1, 3, 64, 64), 0.5)
    pixels[..., 32:] += 0.2 * torch.randn(1, 1, 64, 32, generator=torch.manual_seed(1))
    room = hiding_room(pixels)
    assert room[..., :28].max() == pytest.approx(0.55, abs=0.02)
    assert room[..., 36:].mean() > 1.5
    assert room.max() <= 2.2


def test_grey_is_seen_less_than_green_against_red():
    grey, green = torch.ones(1, 3, 1, 1), torch.tensor([-1.0, 1.0, -1.0]).reshape(1, 3, 1, 1)
    assert visible_power(grey).item() == pytest.approx(1)
    assert visible_power(green).item() > 2


def test_views_are_undone():
    """A zoomed and shifted plane, sampled back, is the plane again, but for its rim."""
    views = training.draw_views(12, np.random.default_rng(5))
    ramp = torch.linspace(-1, 1, 128).expand(12, 1, 128, 128).contiguous()
    sample = torch.nn.functional.grid_sample
    for matrices in ((views.there, views.back), (views.back, views.there)):
        plane = ramp
        for matrix in matrices:
            grid = torch.nn.functional.affine_grid(matrix, [12, 1, 128, 128], align_corners=False)
            plane = sample(plane, grid, padding_mode="border", align_corners=False)
        assert (plane - ramp)[..., 24:-24, 24:-24].abs().max() < 0.01


def test_gradients_pass_through_real_attacks():
    rng = np.random.default_rng(0)
    batch = training.draw_batch(Drawn(), 2, rng)
    change = torch.zeros_like(batch.pixels, requires_grad=True)
    training.attacked(batch, change, rng).sum().backward()
    assert torch.equal(change.grad, torch.ones_like(change))


def test_perfect_evidence_has_a_likeness_of_one():
    rng = np.random.default_rng(0)
    batch = training.draw_batch(Drawn(), 3, rng)
    whole = torch.eye(2, 3).expand(3, 2, 3)
    views = training.Views(whole, whole, torch.ones(3, 1, 128, 128))

    class Knows(Reader):
        def forward(self, pixels):
            return batch.patterns[: len(pixels)]

    likeness = training.likeness(Knows(), batch.pixels, views, batch.vectors)
    assert torch.allclose(likeness, torch.ones(3), atol=1e-4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, training.train(Drawn(), folder, TINY)


def test_a_run_leaves_networks_that_openvino_runs(run):
    from unmask.inference import Session

    folder, finished = run
    assert finished.step == 2
    pixels = np.random.default_rng(0).random((1, 3, 128, 182), np.float32)
    pattern = np.ones((1, 1, 128, 182), np.float32)
    change = Session(folder / training.EMBEDDER).run_named({"pixels": pixels, "pattern": pattern})
    evidence = Session(folder / training.READER).run(pixels)
    with torch.inference_mode():
        expected = finished.average_reader(torch.from_numpy(pixels)).numpy()
    assert change[0].shape == pixels.shape
    assert np.allclose(evidence[0], expected, atol=1e-4)


def test_a_run_that_ended_early_goes_on_to_the_weights_of_an_unbroken_one(
    run, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "_LOG_EVERY", 1)
    early = training.train(Drawn(), tmp_path, dataclasses.replace(TINY, until=1))
    assert early.step == 1
    assert (tmp_path / training.READER).is_file()
    gone_on, unbroken = training.train(Drawn(), tmp_path, TINY), run[1]
    assert gone_on.step == unbroken.step == 2
    for name in ("embedder", "reader", "average_embedder", "average_reader"):
        for one, other in zip(
            getattr(gone_on, name).parameters(), getattr(unbroken, name).parameters(), strict=True
        ):
            assert torch.equal(one, other)
    with (tmp_path / training.LOG).open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(-1 <= float(row["likeness"]) <= 1 for row in rows)


def test_a_polite_kill_saves(tmp_path):
    class Kills(Drawn):
        def draw(self, rng):
            signal.raise_signal(signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # one is enough
            return super().draw(rng)

    before = signal.getsignal(signal.SIGTERM)
    many = dataclasses.replace(TINY, steps=50)
    assert training.train(Kills(), tmp_path, many).step == 1
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / training.CHECKPOINT).is_file()


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / training.CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(CorruptMedia, match=r"checkpoint\.pt"):
        training.train(Drawn(), tmp_path, TINY)


@pytest.mark.slow
def test_training_learns(tmp_path):
    settings = training.Settings(steps=40, batch=4, seed=1)
    started = training.Training(settings)
    figures = [started.advance(Drawn())["likeness"] for _ in range(40)]
    assert np.mean(figures[-5:]) > np.mean(figures[:5]) + 0.1
