"""Figures over several pictures: means of the one definition, finite for equal ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unmask.generators._picture_figures import HIGHEST_PSNR_DB, psnr_db, ssim
from unmask.metrics import pictures


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(20, 230, (3, 24, 24, 3)).astype(np.uint8)


def test_a_shift_of_ten_levels_has_a_known_ratio(images: np.ndarray) -> None:
    assert psnr_db(images + np.uint8(10), images) == pytest.approx(20 * math.log10(25.5), abs=1e-6)


def test_it_is_the_mean_over_pictures_not_of_errors(images: np.ndarray) -> None:
    made = images.copy()
    made[0] += 1
    made[1] += 10
    apart = [pictures.psnr(one, other) for one, other in zip(made[:2], images[:2], strict=True)]
    assert psnr_db(made[:2], images[:2]) == pytest.approx(np.mean(apart))
    assert psnr_db(made, images) == pytest.approx((sum(apart) + HIGHEST_PSNR_DB) / 3)


def test_only_what_is_masked_counts(images: np.ndarray) -> None:
    made, masks = images.copy(), np.zeros((3, 24, 24), np.float32)
    masks[:2, 8:16, 8:16] = 1
    made[:, :4] += 20  # beside the mask
    made[:2, 8:16, 8:16] += 10
    assert psnr_db(made, images, masks) == pytest.approx(20 * math.log10(25.5), abs=1e-6)
    assert math.isnan(psnr_db(made[2:], images[2:], masks[2:]))


def test_similarity_is_that_of_the_metrics_room(images: np.ndarray) -> None:
    made = np.clip(images.astype(int) + 15, 0, 255).astype(np.uint8)[:, ::-1]
    apart = [pictures.ssim(one, other) for one, other in zip(made, images, strict=True)]
    assert ssim(made, images) == pytest.approx(np.mean(apart))
    assert ssim(images, images) == pytest.approx(1)
