"""ForensicTransfer: its residual, its losses, and learning from a handful of new fakes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
from torch import nn  # noqa: E402

from unmask.errors import UsageError  # noqa: E402
from unmask.networks.base import TrainingBatch  # noqa: E402
from unmask.networks.forensic_transfer import ForensicTransfer, ThirdOrderResidual  # noqa: E402

SIDE = 48


def test_the_residual_takes_away_everything_up_to_a_parabola() -> None:
    ramp = torch.arange(20.0)
    for picture in (ramp * 0 + 90, ramp, ramp**2 / 4):
        levels = picture.repeat(1, 3, 20, 1)
        seen = ThirdOrderResidual()(levels)
        assert seen.shape == (1, 6, 20, 20)
        assert float(seen[..., 4:-4, 4:-4].abs().max()) < 1e-4
    cubic = (ramp**3 / 6).repeat(1, 3, 20, 1)
    across, down = ThirdOrderResidual()(cubic)[0, :, 4:-4, 4:-4].view(3, 2, 12, 12).unbind(1)
    torch.testing.assert_close(across, torch.full_like(across, 1 / 8), atol=1e-3, rtol=0)
    torch.testing.assert_close(down, torch.zeros_like(down), atol=1e-3, rtol=0)


def test_losses_are_those_of_the_paper() -> None:
    torch.manual_seed(0)
    network = ForensicTransfer(input_px=SIDE).train()
    pixels, y_true = torch.rand(2, 3, SIDE, SIDE) * 2 - 1, torch.tensor([1.0, 0.0])
    unknown = TrainingBatch(pixels, y_true, torch.zeros(2, SIDE, SIDE), torch.zeros(2).bool())
    output = network(pixels)
    extra = output.extra
    assert extra is not None
    terms = network.loss_terms(output, unknown)
    rebuilt = torch.stack([extra["residual_if_fake"][0], extra["residual_if_real"][1]])
    error = (rebuilt - extra["residual"]).abs().mean()
    torch.testing.assert_close(terms["reconstruction"], 0.1 * error)
    real, fake = extra["real_activation"], extra["fake_activation"]
    wanted = ((fake - y_true).abs() + (real - 1 + y_true).abs()).mean()
    torch.testing.assert_close(terms["class"], wanted)


def faces(count: int, forgery: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise; every other row of the batch has faint stripes, or is smoothed."""
    draw = torch.Generator().manual_seed(seed)
    pixels = 0.1 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    y_true = (torch.arange(count) % 2).float()
    if forgery == "stripes":
        forged = pixels + 0.1 * (1 - 2 * (torch.arange(SIDE) % 2))
    else:
        forged = nn.functional.avg_pool2d(pixels, 3, 1, 1)
    return torch.where(y_true[:, None, None, None] > 0, forged, pixels), y_true


def test_a_handful_of_new_fakes_re_teaches_it() -> None:
    torch.manual_seed(0)
    network = ForensicTransfer(input_px=SIDE).train()
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    for step in range(25):  # the forgery that it was made for
        pixels, y_true = faces(8, "stripes", step)
        batch = TrainingBatch(pixels, y_true, pixels[:, 0], torch.zeros(8).bool())
        loss = sum(network.loss_terms(network(pixels), batch).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    network.eval()
    unseen, wanted = faces(12, "smoothing", 1000)
    before = network.scores(unseen)
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    statistics = [norm.running_mean.clone() for norm in norms]
    losses = network.adapt(*faces(6, "smoothing", 2000), steps=25, learning_rate=1e-3)
    after = network.scores(unseen)
    assert not network.training
    assert len(losses) == 25
    assert losses[-1] < losses[0]
    assert all(torch.equal(a, b.running_mean) for a, b in zip(statistics, norms, strict=True))

    def right(scores: torch.Tensor) -> float:
        return float(((scores > 0) == (wanted > 0)).float().mean())

    assert right(before) <= 0.6
    assert right(after) >= 0.9


@pytest.mark.parametrize("kind", ["one class", "too few labels"])
def test_adapting_needs_both_classes(kind: str) -> None:
    network = ForensicTransfer(input_px=SIDE)
    labels = torch.ones(3) if kind == "one class" else torch.tensor([0.0, 1.0])
    before = [p.clone() for p in network.parameters()]
    with pytest.raises(UsageError) as caught:
        network.adapt(torch.zeros(3, 3, SIDE, SIDE), labels)
    assert caught.value.hint
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
