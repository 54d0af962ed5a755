"""Picture metrics against scikit-image and against answers known by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.metrics.pictures import mean_absolute_error, psnr, ssim


@pytest.fixture
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 256, (40, 48, 3)).astype(np.uint8)
    noisy = np.clip(first + rng.normal(0, 12, first.shape), 0, 255).astype(np.uint8)
    return first, noisy


def test_as_scikit_image_measures(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    measured = pytest.importorskip("skimage.metrics", reason="the extra 'demo' is not installed")
    first, noisy = pictures
    assert psnr(noisy, first) == pytest.approx(measured.peak_signal_noise_ratio(first, noisy))
    expected = measured.structural_similarity(
        first, noisy, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        channel_axis=2, data_range=255,
    )  # fmt: skip
    assert ssim(noisy, first) == pytest.approx(expected, abs=1e-6)


def test_equal_pictures(pictures: tuple[np.ndarray, np.ndarray]) -> None:
    first, _ = pictures
    assert psnr(first, first) == np.inf
    assert ssim(first, first) == pytest.approx(1)
    assert mean_absolute_error(first, first) == 0


def test_weights_choose_pixels() -> None:
    black = np.zeros((12, 12, 3), np.uint8)
    half = black.copy()
    half[:, 6:] = 51
    right = np.zeros((12, 12))
    right[:, 6:] = 1
    assert mean_absolute_error(half, black, right) == pytest.approx(0.2)
    assert mean_absolute_error(half, black, 1 - right) == 0
    assert psnr(half, black, right) == pytest.approx(20 * np.log10(5))


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="shapes"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="window"):
        ssim(np.zeros((9, 20)), np.zeros((9, 20)))
    with pytest.raises(ValueError, match="weights"):
        psnr(np.zeros((4, 4)), np.ones((4, 4)), np.zeros((4, 4)))
