"""Bands, local statistics and the exchange of F3-Net against known answers."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.networks._frequency import dct_matrix  # noqa: E402
from unmask.networks.f3_net import (  # noqa: E402
    BANDS,
    CrossAttention,
    F3Net,
    FrequencyDecomposition,
    LocalStatistics,
    band_filters,
    squash,
)


def test_bands_share_the_spectrum_as_the_paper_says() -> None:
    low, middle, high, everything = band_filters(299)
    assert torch.equal(low + middle + high, everything)
    assert bool((everything == 1).all())
    assert float(low.mean()) == pytest.approx(1 / 16, abs=0.002)
    assert float(middle.mean()) == pytest.approx(1 / 16, abs=0.002)  # up to an eighth
    assert float(high.mean()) == pytest.approx(7 / 8, abs=0.002)


@torch.no_grad()
def test_untaught_decomposition_splits_a_picture_into_parts_that_add_up() -> None:
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    parts = FrequencyDecomposition(64)(pixels).reshape(2, len(BANDS), 3, 64, 64)
    torch.testing.assert_close(parts[:, :3].sum(1), pixels, atol=1e-4, rtol=0)
    torch.testing.assert_close(parts[:, 3], pixels, atol=1e-4, rtol=0)
    flat = FrequencyDecomposition(64)(torch.full((1, 3, 64, 64), 0.5)).reshape(4, 3, 64, 64)
    torch.testing.assert_close(flat[0], torch.full((3, 64, 64), 0.5), atol=1e-4, rtol=0)
    assert float(flat[1:3].abs().max()) < 1e-4


def test_what_is_learnt_stays_between_minus_one_and_one() -> None:
    values = torch.tensor([-50.0, 0.0, 2.0, 50.0])
    expected = (1 - math.exp(-2)) / (1 + math.exp(-2))
    assert squash(values).tolist() == pytest.approx([-1, 0, expected, 1])


@pytest.mark.parametrize("side", [112, 128, 299])
def test_local_statistics_are_as_large_as_the_first_maps_of_xception(side: int) -> None:
    assert LocalStatistics()(torch.zeros(1, 1, side, side)).shape[-1] == (side - 3) // 2 + 1


def test_a_window_of_one_cosine_is_counted_in_its_band() -> None:
    amplitude = 50.0
    matrix = dct_matrix(10)
    for u, v in ((0, 1), (4, 4), (9, 9)):
        window = amplitude * torch.outer(matrix[u], matrix[v])
        luma = torch.zeros(1, 1, 29, 29)
        luma[0, 0, 11:21, 11:21] = window
        # Borders of 3 px and steps of 2: the window that starts at pixel 11 is number 7.
        seen = LocalStatistics()(luma)[0, :, 7, 7]
        expected = torch.zeros(6)
        expected[(u + v) * 6 // 19] = math.log10(1 + amplitude)
        torch.testing.assert_close(seen, expected, atol=1e-3, rtol=0)


def test_the_exchange_is_closed_at_gates_of_zero_and_mixes_the_other_stream_in() -> None:
    torch.manual_seed(0)
    exchange = CrossAttention(8)
    bands, statistics = torch.randn(2, 8, 3, 3), torch.randn(2, 8, 3, 3)
    with torch.no_grad():
        exchange.gates.zero_()
        assert torch.equal(exchange(bands, statistics)[0], bands)
        exchange.gates.fill_(1)
        # With one value everywhere, a weighted mean over places is that value.
        same = statistics.mean((2, 3), keepdim=True).expand_as(statistics).contiguous()
        mixed, _ = exchange(bands, same)
        torch.testing.assert_close(mixed - bands, exchange.value_statistics(same))


def test_the_map_averages_to_the_logit() -> None:
    torch.manual_seed(0)
    network = F3Net(input_px=64).eval()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        output = network(pixels)
        places = network.activation_map(pixels)
    assert output.features.shape == (1, 4096)
    torch.testing.assert_close(places.mean((1, 2)), output.logits, atol=1e-4, rtol=1e-4)
