"""The phase image of SPSL on pictures whose phases are known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks.spsl import PhaseImage, Spsl  # noqa: E402


@pytest.mark.parametrize("size", [64, 63])
@pytest.mark.parametrize("place", [(0, 0), (5, 17), (40, 2)])
def test_the_phase_image_of_a_shifted_impulse_is_that_impulse(
    size: int, place: tuple[int, int]
) -> None:
    picture = torch.zeros(1, 1, size, size)
    picture[0, 0, place[0], place[1]] = 1000.0 * size
    expected = torch.zeros_like(picture)
    expected[0, 0, place[0], place[1]] = size  # orthonormal: root mean square 1
    torch.testing.assert_close(PhaseImage(size)(picture), expected, atol=2e-3, rtol=0)


def test_phase_forgets_contrast_and_keeps_place() -> None:
    draw = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 1, 96, 96, generator=draw) * 40
    phase = PhaseImage(96)
    torch.testing.assert_close(phase(picture), phase(3 * picture), atol=0.02, rtol=0)
    torch.testing.assert_close(
        phase(picture.roll((3, 7), (2, 3))), phase(picture).roll((3, 7), (2, 3)), atol=1e-3, rtol=0
    )
    assert float(phase(picture).square().mean()) == pytest.approx(1, abs=0.01)


def test_what_is_flat_has_no_phase() -> None:
    """Rounding errors of the transform must not be blown up to noise."""
    phase = PhaseImage(96)(torch.full((1, 1, 96, 96), 101.0))
    assert float(phase.std()) < 0.05


def test_the_map_averages_to_the_logit() -> None:
    torch.manual_seed(0)
    network = Spsl(input_px=96).eval()
    pixels = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        output = network(pixels)
        places = network.activation_map(pixels)
    assert output.features.shape == (2, 2048)
    torch.testing.assert_close(places.mean((1, 2)), output.logits, atol=1e-4, rtol=1e-4)
