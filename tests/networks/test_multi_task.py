"""The Y-shaped autoencoder: halves, losses with the paper's weights, and what eval decodes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
import torch.nn.functional as nnf  # noqa: E402

from unmask.networks._class_split import (  # noqa: E402
    activation_logit,
    activation_loss,
    by_class,
    class_activations,
    decoder_sides,
    half_of,
)
from unmask.networks.base import TrainingBatch  # noqa: E402
from unmask.networks.multi_task import MultiTask  # noqa: E402


def test_a_code_that_stirs_the_fake_half_scores_as_fake() -> None:
    code = torch.zeros(2, 128, 3, 3)
    code[0, 64:] = -0.9
    code[1, :64] = 0.4
    channels, real, fake = class_activations(code)
    assert channels.shape == (2, 128)
    assert real.tolist() == pytest.approx([0, 0.4])
    assert fake.tolist() == pytest.approx([0.9, 0])
    logits = activation_logit(real, fake)
    assert float(logits[0]) > 6
    assert float(logits[1]) < -5


def test_activation_loss_is_zero_only_for_the_right_half_at_one() -> None:
    y_true = torch.tensor([1.0, 0.0])
    one, none = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])
    assert float(activation_loss(one, none, y_true)) == 0
    assert float(activation_loss(none, one, y_true)) == 2
    half = torch.full((2,), 0.5)
    assert float(activation_loss(half, half, y_true)) == 1


def test_halves_are_those_of_the_class() -> None:
    code = torch.arange(1.0, 129).view(1, 128, 1, 1).repeat(2, 1, 1, 1)
    fake = half_of(code, fake=True)
    assert not fake[:, :64].any()
    assert torch.equal(fake[:, 64:], code[:, 64:])
    chosen = half_of(code, fake=torch.tensor([False, True]))
    assert torch.equal(chosen[0], half_of(code, fake=False)[0])
    assert torch.equal(chosen[1], fake[1])
    rows = by_class(torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([0.0, 1.0]))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("size", "sides"),
    [(256, [32, 64, 128, 256]), (299, [38, 75, 150, 299]), (112, [14, 28, 56, 112])],
)
def test_the_decoder_comes_back_to_the_size_of_the_crop(size: int, sides: list[int]) -> None:
    assert list(decoder_sides(size)) == sides


@pytest.mark.parametrize("size", [64, 75])
def test_losses_are_those_of_the_paper_with_equal_weights(size: int) -> None:
    torch.manual_seed(0)
    network = MultiTask(input_px=size).train()
    pixels = torch.rand(2, 3, size, size) * 2 - 1
    y_true = torch.tensor([0.0, 1.0])
    masks = torch.zeros(2, size, size)
    masks[1, 10:30] = 1
    batch = TrainingBatch(pixels, y_true, masks, torch.tensor([True, True]))
    output = network(pixels)
    extra = output.extra
    assert extra is not None
    maps = torch.stack([extra["maps_if_real"][0], extra["maps_if_fake"][1]])
    rebuilt = torch.stack([extra["pixels_if_real"][0], extra["pixels_if_fake"][1]])
    real, fake = extra["real_activation"], extra["fake_activation"]
    terms = network.loss_terms(output, batch)
    expected = {
        "class": (real[0] - 1).abs() + fake[0].abs() + real[1].abs() + (fake[1] - 1).abs(),
        "segmentation": 2 * nnf.binary_cross_entropy_with_logits(maps, masks),
        "reconstruction": 2 * (rebuilt - pixels).square().mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name] * 2, value, msg=name)


def test_in_evaluation_the_half_that_is_stirred_more_is_decoded() -> None:
    torch.manual_seed(0)
    network = MultiTask(input_px=64).eval()
    pixels = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        output = network(pixels)
        code = network.encoder(pixels)
        for row in range(4):
            half = half_of(code[row : row + 1], fake=bool(output.logits[row] > 0))
            assert output.maps is not None
            torch.testing.assert_close(
                network.decoder(half).maps[0], output.maps[row], atol=1e-5, rtol=1e-4
            )
    assert output.extra is None
