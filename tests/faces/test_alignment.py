"""Cutting out: landmarks land where they are promised, at any size and rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from unmask.faces import topology
from unmask.faces.alignment import align_face, align_region
from unmask.faces.mesh import Region, roll_of, upright_region

if TYPE_CHECKING:
    from unmask.types import Face, Image


@pytest.mark.parametrize("margin", [1.0, 1.3, 1.8])
@pytest.mark.parametrize("degrees", [0, 37, -120])
def test_the_face_is_upright_centred_and_of_the_promised_size(
    astronaut: Image, astronaut_face: Face, margin: float, degrees: float
) -> None:
    turn = cv2.getRotationMatrix2D((256, 256), degrees, 1.0).astype(np.float32)
    image = np.asarray(cv2.warpAffine(astronaut, turn, (512, 512)), np.uint8)
    landmarks = astronaut_face.landmarks @ turn[:, :2].T + turn[:, 2]
    size = 224
    aligned = align_face(image, landmarks, size=size, margin=margin)
    assert aligned.image.shape == (size, size, 3)
    points = aligned.points(landmarks)
    low, high = points.min(0), points.max(0)
    assert (high - low).max() == pytest.approx(size / margin, rel=1e-3)
    assert (low + high) / 2 == pytest.approx([size / 2, size / 2], abs=0.05)
    assert roll_of(points) == pytest.approx(0, abs=1e-3)
    assert points[topology.FOREHEAD][1] < points[topology.CHIN][1]


def test_pixels_go_where_points_go() -> None:
    # A bright spot at a landmark must be bright at the mapped place, also after reduction.
    rng = np.random.default_rng(0)
    image = np.zeros((1500, 1500, 3), np.uint8)
    spot = np.array([[700.0, 820.0]], np.float32)
    cv2.circle(image, (700, 820), 16, (255, 255, 255), -1)
    for side in (300.0, 900.0, 1400.0):
        region = Region((750.0 + float(rng.uniform(-9, 9)), 760.0), side, 0.4)
        aligned = align_region(image, region, 224)
        ys, xs = np.nonzero(aligned.image[..., 0] > 127)
        expected = aligned.points(spot)[0]
        assert (xs.mean(), ys.mean()) == pytest.approx(tuple(expected), abs=0.6)


def test_strong_reduction_does_not_alias() -> None:
    stripes = np.zeros((1600, 1600, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the crop can hold: must come out as grey
    crop = align_region(stripes, Region((800.0, 800.0), 1400.0, 0.2), 128).image
    assert crop[8:-8, 8:-8].std() < 20  # sampling points would give 100
    assert crop.mean() == pytest.approx(127, abs=4)


@pytest.mark.parametrize("side", [40.0, 2000.0])
def test_a_region_beyond_the_picture_is_mirrored_not_a_crash(astronaut: Image, side: float) -> None:
    crop = align_region(astronaut, Region((-3000.0, 5000.0), side, 1.0), 96).image
    assert crop.shape == (96, 96, 3)


def test_region_matrix_is_a_similarity(astronaut_face: Face) -> None:
    matrix = upright_region(astronaut_face.landmarks, 1.3).matrix(224)[:, :2].astype(np.float64)
    scale = np.sqrt(np.linalg.det(matrix))
    assert matrix @ matrix.T == pytest.approx(np.eye(2) * scale**2, abs=1e-6)
