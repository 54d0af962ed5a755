"""LAA-Net's targets and losses on masks whose answer is known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks.base import TrainingBatch  # noqa: E402
from unmask.networks.laa_net import (  # noqa: E402
    EnhancedPyramid,
    LaaNet,
    consistency_with_peak,
    heat_loss,
    vulnerability_of,
)


def ramp_mask() -> torch.Tensor:
    return torch.linspace(0, 0.8, 9).repeat(1, 9, 1)


def test_the_seam_is_most_vulnerable_whatever_the_strength_of_the_blend() -> None:
    wanted = vulnerability_of(torch.cat([ramp_mask(), torch.zeros(1, 9, 9)]))
    assert wanted[0, 0].argmax() == 5  # M = 0.5
    assert float(wanted[0].max()) == 1
    assert not wanted[1].any()
    faint = vulnerability_of(0.25 * ramp_mask())
    assert faint[0, 0].argmax() == 8
    assert float(faint.max()) == 1


def test_consistency_is_one_minus_the_distance_to_the_peak() -> None:
    masks = torch.cat([ramp_mask(), torch.zeros(1, 9, 9)])
    seen = consistency_with_peak(masks, vulnerability_of(masks))
    torch.testing.assert_close(seen[0], 1 - (0.5 - ramp_mask()[0]).abs())
    assert bool((seen[1] == 1).all())


def test_heat_loss_falls_to_zero_at_the_answer_and_forgets_unknown_masks() -> None:
    wanted = torch.zeros(2, 5, 5)
    wanted[0, 2, 2], wanted[0, 2, 3] = 1, 0.6
    known = torch.tensor([True, True])
    right = torch.where(wanted == 1, 12.0, -12.0)
    assert float(heat_loss(right, wanted, known)) < 1e-4
    everywhere = torch.full((2, 5, 5), 3.0)
    beside, far = right.clone(), right.clone()
    beside[0, 2, 3] = 3
    far[0, 0, 0] = 3
    losses = [float(heat_loss(one, wanted, known)) for one in (beside, far, everywhere)]
    assert losses[0] < losses[1] < losses[2]  # beside a point, an alarm costs less
    assert losses[0] == pytest.approx(0.4**4 * losses[1], rel=1e-3)
    unknown = torch.tensor([False, False])
    assert float(heat_loss(everywhere, wanted, unknown)) == 0


def test_the_pyramid_returns_to_the_shallowest_size_also_where_it_is_odd() -> None:
    sides = (25, 13, 7, 4)
    pyramid = EnhancedPyramid((3, 4, 5, 6), 8)
    depths = [
        torch.randn(2, width, side, side) for width, side in zip((3, 4, 5, 6), sides, strict=True)
    ]
    assert pyramid(depths).shape == (2, 8, 25, 25)


def test_losses_carry_the_weights_of_the_paper() -> None:
    torch.manual_seed(0)
    network = LaaNet(input_px=64).train()
    pixels, y_true = torch.randn(2, 3, 64, 64), torch.tensor([0.0, 1.0])
    masks = torch.zeros(2, 64, 64)
    masks[1, 16:48, 18:50] = 1
    output = network(pixels)
    assert output.maps is not None
    assert output.maps.shape == (2, 16, 16)
    known = TrainingBatch(pixels, y_true, masks, torch.tensor([True, True]))
    terms = network.loss_terms(output, known)
    assert set(terms) == {"class", "heat", "consistency", "mask"}
    small = torch.nn.functional.adaptive_avg_pool2d(masks, 16)
    assert output.extra is not None
    wanted = vulnerability_of(small)
    heat = heat_loss(output.extra["vulnerability"], wanted, known.mask_known)
    torch.testing.assert_close(terms["heat"], 10 * heat)
    agreement = torch.nn.functional.binary_cross_entropy_with_logits(
        output.extra["consistency"], consistency_with_peak(small, wanted)
    )
    torch.testing.assert_close(terms["consistency"], 100 * agreement)
