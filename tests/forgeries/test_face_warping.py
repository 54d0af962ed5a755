"""The face-warping negative: softer inside, untouched outside, and where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.forgeries import RealFace
from unmask.forgeries.face_warping import FaceWarping

if TYPE_CHECKING:
    from unmask.types import Image


def sharpness(image: Image, where: np.ndarray) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[where].var())


def test_the_face_is_softer_and_its_surroundings_are_not(
    real_faces: tuple[RealFace, RealFace],
) -> None:
    for face in real_faces:
        for seed in range(6):
            forged = FaceWarping().forge(face, None, np.random.default_rng(seed))
            assert forged.original is face.image
            inside, outside = forged.mask > 0.95, forged.mask == 0
            assert sharpness(forged.image, inside) < 0.75 * sharpness(face.image, inside)
            assert np.array_equal(forged.image[outside], face.image[outside])


def shift_px(before: Image, after: Image, where: np.ndarray) -> float:
    """Length of the shift that explains the difference best, to first order."""
    first, second = (
        cv2.GaussianBlur(image.astype(np.float32).mean(2), (0, 0), 3) for image in (before, after)
    )
    slope_y, slope_x = np.gradient(first)
    slopes = np.stack([slope_x[where], slope_y[where]], 1)
    return float(np.hypot(*np.linalg.lstsq(slopes, (first - second)[where])[0]))


def test_nothing_is_moved(real_faces: tuple[RealFace, RealFace]) -> None:
    face = real_faces[0]
    for seed in range(6):
        forged = FaceWarping().forge(face, None, np.random.default_rng(seed))
        inside = forged.mask > 0.95
        assert shift_px(face.image, forged.image, inside) < 0.25
        assert shift_px(face.image, np.roll(forged.image, 2, 1), inside) > 1  # it can tell


def test_a_face_at_the_edge_of_a_tiny_picture(real_faces: tuple[RealFace, RealFace]) -> None:
    face = real_faces[0]
    tiny = cv2.resize(face.image, (40, 40), interpolation=cv2.INTER_AREA)[:, :24].copy()
    small = RealFace(np.asarray(tiny, np.uint8), face.landmarks * np.float32(40 / 256))
    forged = FaceWarping().forge(small, None, np.random.default_rng(0))
    assert forged.image.shape == (40, 24, 3)
    assert forged.mask.shape == (40, 24)
