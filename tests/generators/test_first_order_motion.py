"""First-order motion: geometry against what is known, learning, and use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import UsageError  # noqa: E402
from unmask.generators.first_order_motion import (  # noqa: E402
    FirstOrderMotion,
    FirstOrderMotionConfig,
    transferred,
)
from unmask.generators.first_order_motion import _geometry as geometry  # noqa: E402
from unmask.generators.first_order_motion._losses import equivariance, pyramid_l1  # noqa: E402
from unmask.generators.material import FaceTrack, Material  # noqa: E402

if TYPE_CHECKING:
    pass

SMALL = FirstOrderMotionConfig.from_mapping(FirstOrderMotion.small)


def film(name: str, frames: int = 12, side: int = 32, seed: int = 0) -> FaceTrack:
    """A bright disc that wanders over a smooth ground."""
    rng = np.random.default_rng(seed)
    ground, disc = rng.integers(40, 120, 3), rng.integers(150, 255, 3)
    yy, xx = np.mgrid[:side, :side]
    images = np.tile(ground.astype(np.uint8), (frames, side, side, 1))
    for number, image in enumerate(images):
        phase = 2 * np.pi * number / frames
        x, y = side / 2 + side / 4 * np.cos(phase), side / 2 + side / 4 * np.sin(phase)
        image[(xx - x) ** 2 + (yy - y) ** 2 < (side / 6) ** 2] = disc
    points = np.zeros((frames, 468, 2), np.float32)
    return FaceTrack(name, images, points, np.arange(frames) / 25, 25.0)


def material() -> Material:
    first, second = film("first"), film("second", seed=1)
    return Material([first.part(0, 9), second], [first.part(9, 12), film("third", seed=2)])


def random_points(count: int, seed: int) -> geometry.Keypoints:
    torch.manual_seed(seed)
    jacobian = torch.eye(2) + 0.2 * torch.randn(count, 3, 2, 2)
    return geometry.Keypoints(torch.rand(count, 3, 2) - 0.5, jacobian)


def test_soft_argmax_of_a_bump_is_its_centre():
    centre = torch.tensor([[[0.25, -0.5]]])
    bump = geometry.gaussians(centre, 64, 64, 0.01)
    found = geometry.soft_argmax(bump / bump.sum((2, 3), keepdim=True))
    torch.testing.assert_close(found, centre, atol=1e-3, rtol=0)


def test_looking_where_a_pixel_lies_changes_nothing():
    pixels = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(
        geometry.warp(pixels, geometry.pixel_grid(16, 16, pixels)[None]), pixels
    )


def test_a_local_motion_takes_the_driving_point_to_the_source_point():
    source, driving = random_points(2, 1), random_points(2, 2)
    motions = geometry.sparse_motions(source, driving, 65, 65)
    assert motions.shape == (2, 4, 65, 65, 2)
    grid = geometry.pixel_grid(65, 65, source.value)
    torch.testing.assert_close(motions[:, 0], grid.expand(2, -1, -1, -1))
    for point in range(3):
        # The motion is affine: what it does at one pixel and its slope give it at the point.
        beside = driving.value[0, point] - grid[32, 32]
        turn = source.jacobian[0, point] @ torch.linalg.inv(driving.jacobian[0, point])
        torch.testing.assert_close(
            motions[0, point + 1, 32, 32] + turn @ beside, source.value[0, point],
            atol=1e-4, rtol=0,
        )  # fmt: skip


def test_the_inverse_is_right_and_finite_where_there_is_none():
    matrix = torch.tensor([[[2.0, 1.0], [1.0, 3.0]], [[1.0, 1.0], [1.0, 1.0]]])
    found = geometry.inverse_2x2(matrix)
    torch.testing.assert_close(found[0] @ matrix[0], torch.eye(2))
    assert torch.isfinite(found).all()


def test_the_splines_derivative_is_that_of_its_places():
    torch.manual_seed(0)
    how = geometry.RandomWarp(1, bend=0.05)
    point = torch.tensor([[[0.3, -0.2]]])
    expected = torch.autograd.functional.jacobian(lambda at: how.places(at)[0, 0], point)
    torch.testing.assert_close(how.derivative(point)[0, 0], expected[:, 0, 0], atol=1e-5, rtol=0)


def test_points_that_move_with_the_picture_are_equivariant():
    torch.manual_seed(0)
    how, bent = geometry.RandomWarp(2), random_points(2, 3)
    here = geometry.Keypoints(how.places(bent.value), how.derivative(bent.value) @ bent.jacobian)
    value, slope = equivariance(here, bent, how)
    assert float(value) < 1e-5
    assert float(slope) < 1e-4
    off = geometry.Keypoints(here.value + 0.1, 2 * here.jacobian)
    value, slope = equivariance(off, bent, how)
    assert float(value) == pytest.approx(0.1, abs=1e-4)
    assert float(slope) == pytest.approx(0.25, abs=1e-3)  # |1 - 1/2| on half of the entries


def test_bending_a_picture_agrees_with_bending_its_points():
    torch.manual_seed(2)
    how = geometry.RandomWarp(1)
    bent_point = torch.tensor([[[0.2, 0.1]]])
    real = geometry.gaussians(how.places(bent_point), 64, 64, 0.005)
    bent = how.of(real)
    found = geometry.soft_argmax(bent / bent.sum((2, 3), keepdim=True))
    torch.testing.assert_close(found, bent_point, atol=0.01, rtol=0)


def test_relative_motion_is_none_at_the_first_frame_and_scaled_by_size():
    source, first = random_points(1, 4), random_points(1, 5)
    same = transferred(source, first, first)
    torch.testing.assert_close(same.value, source.value)
    torch.testing.assert_close(same.jacobian, source.jacobian, atol=1e-4, rtol=1e-4)
    moved = geometry.Keypoints(first.value + 0.1, first.jacobian)
    half = geometry.Keypoints(first.value * 0.5, first.jacobian)
    by = transferred(half, moved, first).value - half.value
    torch.testing.assert_close(by, torch.full_like(by, 0.05))


def test_the_pyramid_sees_a_shift_of_light_at_every_scale():
    real = torch.rand(1, 3, 16, 16) * 0.5
    assert float(pyramid_l1(real + 0.25, real, 3)) == pytest.approx(0.25, abs=1e-6)


def test_it_learns_a_moving_disc():
    config = replace(SMALL, batch=8, learning_rate=2e-3)
    generator = FirstOrderMotion(config, material(), seed=0)
    before = generator.held_out_figures()
    for step in range(1, 61):
        torch.manual_seed(step)
        found = generator.training_step(generator.draw_batch(np.random.default_rng(step)), step)
    assert np.isfinite(list(found.values())).all()
    after = generator.held_out_figures()
    assert set(after) == {
        "l1", "l1_of_repeat", "l1_share_of_repeat", "l1_share_of_repeat_tails",
        "l1_share_of_repeat_unseen",
    }  # fmt: skip
    # Numbers of NumPy would make a file of weights that PyTorch refuses to load.
    assert all(type(value) is float for value in after.values())
    assert after["l1_share_of_repeat"] < 0.7 * before["l1_share_of_repeat"]
    assert after["l1"] / after["l1_of_repeat"] == pytest.approx(after["l1_share_of_repeat"])


def test_animation_has_the_films_length_and_the_configured_side():
    generator = FirstOrderMotion(SMALL, seed=0)
    source, driving = film("source", side=48).part(0, 1), film("driving", frames=20, side=40)
    for relative in (True, False):
        made = generator.animate(source, driving, relative=relative)
        assert made.shape == (20, 32, 32, 3)
        assert made.dtype == np.uint8
        np.testing.assert_array_equal(made, generator.animate(source, driving, relative=relative))
    assert generator.networks.training  # it is left as it was found


def test_nothing_to_animate_is_an_error():
    generator, some = FirstOrderMotion(SMALL), film("some")
    with pytest.raises(UsageError, match="driving film none holds no face"):
        generator.animate(some, FaceTrack("none", some.images[:0], some.landmarks[:0],
                                          some.pts_s[:0]))  # fmt: skip


def test_pictures_alone_cannot_teach_motion():
    still = film("still").part(0, 1)
    with pytest.raises(UsageError, match="No film has two frames"):
        FirstOrderMotion(SMALL, Material([still], [film("other")]))
    with pytest.raises(UsageError, match="nothing could be measured"):
        FirstOrderMotion(SMALL, Material([film("other")], [still]))


def test_a_side_that_does_not_fit_is_named():
    with pytest.raises(UsageError, match="size_px = 40"):
        replace(SMALL, size_px=40)
