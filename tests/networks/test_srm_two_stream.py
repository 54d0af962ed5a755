"""The noise filters and the bilinear product of the SRM two-stream network."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks.base import TrainingBatch  # noqa: E402
from unmask.networks.srm_two_stream import (  # noqa: E402
    NoiseResidual,
    SrmTwoStream,
    bilinear_pool,
    srm_kernels,
)


def test_filters_sum_to_zero_and_are_those_of_the_paper() -> None:
    kernels = srm_kernels()
    assert kernels.shape == (3, 1, 5, 5)
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    # Figure 4: centre weights -4/4, -12/12 and -2/2.
    assert kernels[:, 0, 2, 2].tolist() == [-1, -1, -1]
    square, line = kernels[1, 0], kernels[2, 0]
    assert torch.equal(square, square.T)
    assert line.count_nonzero() == 3


def test_flat_pictures_and_ramps_leave_nothing_and_a_dot_leaves_the_filter() -> None:
    residual = NoiseResidual()
    assert float(residual(torch.full((1, 3, 20, 20), 93.0)).abs().max()) < 1e-5
    ramp = torch.arange(20.0).repeat(1, 3, 20, 1)
    torch.testing.assert_close(
        residual(ramp)[..., 3:-3, 3:-3], torch.zeros(1, 3, 14, 14), atol=1e-5, rtol=0
    )
    dot = torch.full((1, 3, 11, 11), 100.0)
    dot[..., 5, 5] += 1  # in all colours; a level of 2 counts as 1
    seen = residual(dot)[0, :, 3:8, 3:8]
    torch.testing.assert_close(seen, srm_kernels()[:, 0].flip(1, 2) / 2, atol=1e-5, rtol=0)


def test_residuals_stop_at_two_levels() -> None:
    edge = torch.zeros(1, 3, 16, 16)
    edge[..., 8:] = 255
    seen = NoiseResidual()(edge)
    assert float(seen.max()) == 1
    assert float(seen.min()) == -1


def test_bilinear_product_is_the_mean_outer_product_rooted_and_scaled() -> None:
    left, right = torch.randn(2, 3, 4, 5), torch.randn(2, 6, 4, 5)
    outer = torch.einsum("bchw,bdhw->bcd", left, right) / 20
    rooted = (outer.sign() * outer.abs().sqrt()).flatten(1)
    expected = rooted / rooted.square().mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(bilinear_pool(left, right), expected, atol=5e-3, rtol=0)
    silent = torch.zeros(1, 3, 4, 5, requires_grad=True)
    pooled = bilinear_pool(silent, right[:1])
    pooled.sum().backward()
    assert not pooled.any()
    assert silent.grad is not None
    assert bool(torch.isfinite(silent.grad).all())


def test_the_map_is_taught_only_where_the_mask_is_known() -> None:
    torch.manual_seed(0)
    network = SrmTwoStream(input_px=64)
    pixels, y_true = torch.randn(2, 3, 64, 64), torch.tensor([0.0, 1.0])
    output = network(pixels)
    assert output.maps is not None
    assert output.maps.shape == (2, 4, 4)
    output.maps.retain_grad()
    batch = TrainingBatch(pixels, y_true, torch.ones(2, 64, 64), torch.tensor([False, True]))
    network.loss_terms(output, batch)["map"].backward()
    assert output.maps.grad is not None
    assert not output.maps.grad[0].any()
    assert bool((output.maps.grad[1] < 0).all())  # every cell is foreign and must rise
