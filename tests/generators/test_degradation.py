"""Faces made bad: with which codec, and by a seed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pillow

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators._degradation import degraded, jpeg, reduced
from unmask.generators._picture_figures import psnr_db

if TYPE_CHECKING:
    from unmask.generators.material import FaceTrack


def coloured(side: int = 64) -> np.ndarray:
    """Red and blue squares of three pixels: chroma at half the resolution must blur them."""
    rows, columns = np.indices((side, side)) // 3
    red = ((rows + columns) % 2)[..., None] == 0
    return np.where(red, np.uint8([220, 40, 60]), np.uint8([60, 40, 120])).astype(np.uint8)


@pytest.mark.parametrize("quality", [50, 90])
def test_the_codec_sees_red_as_red(quality: int) -> None:
    """Pillow is the reference; both are libjpeg with colours at half the resolution."""
    image = coloured()
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    wanted = np.asarray(Pillow.open(file)).astype(int)
    found = jpeg(image, quality).astype(int)
    turned = jpeg(image[..., ::-1].copy(), quality)[..., ::-1].astype(int)
    assert np.abs(found - wanted).mean() < 0.5
    assert np.abs(turned - wanted).mean() > 2


def test_degradation_is_seeded_and_degrades(tracks: list[FaceTrack]) -> None:
    image = tracks[0].images[0]
    first, again, other = (degraded(image, 48, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (48, 48, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    plain = reduced(image[None], 48)
    assert psnr_db(reduced(first[None], 96), image[None]) < psnr_db(reduced(plain, 96), image[None])
