"""Losses against other implementations and against what they must be by definition."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._swap_losses import (  # noqa: E402
    blurred,
    dssim,
    edge_distance,
    face_weight,
    ssim_map,
    weighted_mean,
)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    first = blurred(torch.rand(2, 3, 48, 48), 1.0, 3)
    return first, (first + 0.1 * torch.rand_like(first)).clamp(0, 1)


def test_the_blur_is_that_of_opencv(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    import cv2

    image = pair[0][0].permute(1, 2, 0).numpy()
    wanted = cv2.GaussianBlur(image, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101)
    found = blurred(pair[0][:1], 1.5, 5)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_structural_similarity_is_that_of_scikit_image(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    first, second = (one[0].permute(1, 2, 0).numpy() for one in pair)
    _, wanted = metrics.structural_similarity(
        first, second, data_range=1.0, channel_axis=2, full=True,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    found = ssim_map(pair[0][:1], pair[1][:1])[0].permute(1, 2, 0).numpy()
    # Inside: the two mirror pictures differently at the border.
    np.testing.assert_allclose(found[6:-6, 6:-6], wanted[6:-6, 6:-6], atol=1e-4)


def test_equal_pictures_cost_nothing(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    first, second = pair
    assert float(dssim(first, first)) == pytest.approx(0, abs=1e-6)
    assert float(edge_distance(first, first)) == 0
    assert float(dssim(first, second)) > 0.01
    assert float(edge_distance(first, second)) > 0.01


def test_a_shift_of_all_values_has_no_edges(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    assert float(edge_distance(pair[0], pair[0] + 0.2)) == pytest.approx(0, abs=1e-6)


def test_weights_decide_where_an_error_counts() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    weight = face_weight(mask, 0.25)
    assert float(weight[0, 0, 16, 16]) == pytest.approx(1)
    assert float(weight[0, 0, 0, 0]) == pytest.approx(0.25)
    assert 0.25 < float(weight[0, 0, 16, 8]) < 1
    error = torch.zeros(1, 3, 32, 32)
    error[..., 16, 16] = 1
    assert weighted_mean(error, mask) == pytest.approx(1 / 256)
    assert weighted_mean(error, 1 - mask) == 0
