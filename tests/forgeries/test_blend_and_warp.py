"""The parts that forgeries are made of."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.forgeries import RealFace
from unmask.forgeries.blend import alpha_blend, poisson_blend, soften, transfer_colour
from unmask.forgeries.landmark_swap import swap_faces
from unmask.forgeries.warp import bend, elastic_field, thin_plate_field


def test_alpha_blend_is_a_weighted_mean() -> None:
    white, black = np.full((4, 4, 3), 255, np.uint8), np.zeros((4, 4, 3), np.uint8)
    mask = np.zeros((4, 4), np.float32)
    mask[0], mask[1] = 1.0, 0.4
    mixed = alpha_blend(white, black, mask)
    assert mixed[:, 0, 0].tolist() == [255, 102, 0, 0]


def test_poisson_blend_keeps_the_surroundings_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    source = rng.integers(0, 256, (96, 96, 3)).astype(np.uint8)
    target = rng.integers(0, 256, (96, 96, 3)).astype(np.uint8)
    ys, xs = np.mgrid[:96, :96]
    mask = np.clip(2 - np.hypot(xs - 40, ys - 50) / 14, 0, 1).astype(np.float32)
    blended = poisson_blend(source, target, mask)
    assert np.array_equal(blended[mask == 0], target[mask == 0])
    assert not np.array_equal(blended[mask > 0.9], target[mask > 0.9])


@pytest.mark.parametrize("kind", ["nothing", "a few pixels", "everything"])
def test_poisson_blend_of_awkward_masks(kind: str) -> None:
    source, target = np.full((40, 40, 3), 200, np.uint8), np.full((40, 40, 3), 50, np.uint8)
    mask = np.zeros((40, 40), np.float32)
    if kind == "a few pixels":
        mask[20:23, 20:23] = 1
    if kind == "everything":
        mask[:] = 1
    blended = poisson_blend(source, target, mask)
    assert blended.shape == target.shape
    assert np.array_equal(blended[mask == 0], target[mask == 0])


def test_colour_transfer_moves_the_mean_onto_the_target() -> None:
    rng = np.random.default_rng(0)
    source = rng.integers(100, 160, (64, 64, 3)).astype(np.uint8)
    target = rng.integers(30, 90, (64, 64, 3)).astype(np.uint8)
    moved = transfer_colour(source, target, np.ones((64, 64), np.float32))
    assert moved.mean((0, 1)) == pytest.approx(target.mean((0, 1)), abs=6)
    nothing = np.zeros((64, 64), np.float32)
    assert np.array_equal(transfer_colour(source, target, nothing), source)


def test_softened_masks_stay_in_range_and_are_soft() -> None:
    hard = np.zeros((128, 128), np.float32)
    hard[30:100, 30:100] = 1
    for seed in range(8):
        soft = soften(hard, 70, np.random.default_rng(seed))
        assert soft.min() >= 0
        assert soft.max() == pytest.approx(1)
        assert ((soft > 0.01) & (soft < 0.99)).any()


def test_the_spline_takes_knots_to_knots() -> None:
    rng = np.random.default_rng(2)
    to_points = rng.uniform(20, 140, (12, 2)).astype(np.float32)
    from_points = to_points + rng.normal(0, 4, (12, 2)).astype(np.float32)
    field = thin_plate_field(from_points, to_points, 160, 160)
    for source, target in zip(from_points, to_points, strict=True):
        x, y = target.round().astype(int)
        # the field says where the pixel at the target comes from; its grid is coarse
        assert field[y, x] == pytest.approx(source + (np.array([x, y]) - target), abs=1.5)


def test_no_deformation_is_the_identity() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    still = elastic_field(50, 70, 0.0, np.random.default_rng(0))
    assert np.array_equal(bend(image, still), image)
    knots = np.array([[5, 5], [60, 8], [30, 40], [50, 30]], np.float32)
    spline = thin_plate_field(knots, knots, 50, 70)
    ys, xs = np.mgrid[:50, :70]
    assert np.abs(spline - np.stack([xs, ys], -1)).max() < 0.05


@pytest.mark.parametrize("poisson", [True, False])
def test_a_clean_swap_changes_the_face_and_nothing_else(
    real_faces: tuple[RealFace, RealFace], poisson: bool
) -> None:
    target, donor = real_faces
    forged = swap_faces(target, donor, poisson=poisson)
    again = swap_faces(target, donor, poisson=poisson)
    assert np.array_equal(forged.image, again.image)
    assert forged.method == "landmark_swap"
    assert np.array_equal(forged.image[forged.mask == 0], target.image[forged.mask == 0])
    inside = forged.mask > 0.9
    gap = np.abs(forged.image[inside].astype(int) - target.image[inside].astype(int))
    assert gap.mean() > 5
