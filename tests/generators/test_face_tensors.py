"""Sizes, ranges and landmarks: one rule for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._face_tensors import (  # noqa: E402
    faces_of,
    landmarks_of,
    resized,
    to_images,
    to_pixels,
)
from unmask.generators.material import FaceTrack, scaled_landmarks  # noqa: E402
from unmask.generators.preview_rows import in_rows, titled_columns  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


def spot(side: int, x: float, y: float) -> np.ndarray:
    """A soft bright spot about a place, in float."""
    rows, columns = np.indices((side, side))
    bump = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (side / 12) ** 2))
    return np.repeat(bump[..., None], 3, 2).astype(np.float32)


def middle(image: np.ndarray) -> tuple[float, float]:
    weight = image[..., 0].astype(np.float64)
    rows, columns = np.indices(weight.shape)
    return float((columns * weight).sum() / weight.sum()), float(
        (rows * weight).sum() / weight.sum()
    )


@pytest.mark.parametrize("size_px", [24, 36, 96, 144])
def test_landmarks_go_where_the_pixels_go(size_px: int) -> None:
    """A point on a spot lies on it at every size; half a pixel beside would show."""
    points = np.full((1, 468, 2), (30.0, 40.0), np.float32)
    track = FaceTrack("spot", spot(72, 30, 40)[None].astype(np.uint8), points, np.zeros(1))
    found = middle(faces_of([track], size_px)[0])
    np.testing.assert_allclose(landmarks_of([track], size_px)[0, 0], found, atol=0.06)


def test_scaling_there_and_back_changes_nothing(tracks: list[FaceTrack]) -> None:
    points = tracks[0].landmarks
    there = scaled_landmarks(points, 64 / 96)
    assert there.dtype == np.float32
    np.testing.assert_allclose(scaled_landmarks(there, 96 / 64), points, atol=1e-4)
    np.testing.assert_allclose(landmarks_of(tracks[:1], 64), there)


@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 1), (12, 12, 3), (12, 12, 5), (12, 12, 9)])
def test_any_number_of_channels_is_resized_each_alone(shape: tuple[int, ...]) -> None:
    plane = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for size_px in (8, 24):
        found = resized(plane, size_px)
        assert found.dtype == np.uint8
        if plane.ndim == 2:
            assert found.shape == (size_px, size_px)
            continue
        assert found.reshape(size_px, size_px, -1).shape[2] == shape[2]
        for channel in range(shape[2]):
            alone = resized(np.ascontiguousarray(plane[..., channel]), size_px)
            np.testing.assert_array_equal(found.reshape(size_px, size_px, -1)[..., channel], alone)


def test_a_picture_of_the_right_size_is_left_as_it_is() -> None:
    plane = np.zeros((12, 12, 3), np.uint8)
    assert resized(plane, 12) is plane


@pytest.mark.parametrize(("signed", "low"), [(False, 0.0), (True, -1.0)])
def test_ranges_are_what_they_are_called(signed: bool, low: float) -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    pixels = to_pixels(images, signed=signed)
    assert pixels.shape == (1, 3, 16, 16)
    assert (float(pixels.min()), float(pixels.max())) == (low, 1.0)
    np.testing.assert_array_equal(to_images(pixels, signed=signed), images)
    beyond = torch.tensor([low - 3, 7.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    assert to_images(beyond, signed=signed)[0, 0, :, 0].tolist() == [0, 255]


def test_sheets_hold_every_picture() -> None:
    pictures = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones(
        (5, 8, 8, 3), np.uint8
    )
    sheet = in_rows(pictures, 3)
    assert sheet.shape == (18, 28, 3)
    assert [int(sheet[4, 4 + 10 * n, 0]) for n in range(3)] == [1, 2, 3]
    assert [int(sheet[14, 4 + 10 * n, 0]) for n in range(3)] == [4, 5, 255]
    columns = titled_columns({"one": pictures[:2], "two": pictures[2:4]}, side=16)
    assert columns.shape == (14 + 2 * 18, 2 * 18, 3)
    assert [int(columns[22, x, 0]) for x in (8, 26)] == [1, 3]


def test_no_track_is_no_face(tracks: list[FaceTrack], material_for: Callable[..., object]) -> None:
    del material_for
    assert faces_of([], 16).shape == (0, 16, 16, 3)
    assert faces_of([replace(tracks[0], images=tracks[0].images[:2])], 16).shape[0] == 2
