"""The painters: faithful enough to be the face, each with a trace of its own."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmask.faces.alignment import align_region
from unmask.faces.mesh import upright_region
from unmask.forgeries._autoencoder import CODE, PAINTERS, paint_again, put_back, repaint
from unmask.metrics.pictures import psnr

if TYPE_CHECKING:
    from unmask.forgeries import RealFace
    from unmask.types import Image


@pytest.fixture(scope="module")
def crop(real_faces: tuple[RealFace, RealFace]) -> Image:
    face = real_faces[0]
    return align_region(face.image, upright_region(face.landmarks, 1.3), 192).image


@pytest.mark.parametrize("painter", PAINTERS)
def test_more_of_the_code_is_more_faithful(painter: str, crop: Image) -> None:
    few, half, whole = (psnr(paint_again(crop, kept, painter), crop) for kept in (4, 16, CODE))
    assert few < half
    assert few + 0.3 < whole  # one painter was judged by a discriminator, not by nearness alone
    assert whole > 22


def test_each_painter_leaves_another_trace(crop: Image) -> None:
    gaps = [paint_again(crop, CODE, name).astype(float) - crop for name in PAINTERS]
    for one, other in combinations(gaps, 2):
        alike = float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
        assert alike < 0.9


def test_all_painters_are_drawn(real_faces: tuple[RealFace, RealFace]) -> None:
    """Which one is drawn shows in the result only, so look at enough of them."""
    face = real_faces[0]
    region = upright_region(face.landmarks, 1.3)
    painted = [put_back(paint_again(align_region(face.image, region, 96).image, CODE, name),
                        face.image, region, cubic=True) for name in PAINTERS]  # fmt: skip
    assert len({one.tobytes() for one in painted}) == len(PAINTERS)
    made = [repaint(face.image, face.landmarks, np.random.default_rng(seed)) for seed in range(4)]
    again = repaint(face.image, face.landmarks, np.random.default_rng(0))
    assert (made[0] == again).all()
    assert len({one.tobytes() for one in made}) == len(made)
    assert all(one.shape == face.image.shape and one.dtype == np.uint8 for one in made)
