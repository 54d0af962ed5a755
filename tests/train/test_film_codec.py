"""Film coding: real, of the same size, worse with a higher rate factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmask.train.film_codec import film_still, random_film_stills, through_h264

if TYPE_CHECKING:
    from unmask.types import Image


def psnr(first: Image, second: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


@pytest.fixture(scope="module")
def picture(portrait: Image) -> Image:
    return np.ascontiguousarray(portrait[40:181, 60:223])  # odd sides


def test_a_higher_rate_factor_costs_quality(picture: Image) -> None:
    quality = [
        psnr(film_still(picture, crf=crf, preset="veryfast", drift_px=(1, 0.5), frames=2), picture)
        for crf in (18, 28, 38)
    ]
    assert quality[0] > quality[1] > quality[2]
    assert quality[0] > 33
    assert quality[2] > 20


def test_every_frame_comes_back_in_order_and_size(picture: Image) -> None:
    darker = (picture * 0.3).astype(np.uint8)
    frames = through_h264([picture, darker, picture], crf=20)
    assert [frame.shape for frame in frames] == [picture.shape] * 3
    means = [frame.mean() for frame in frames]
    assert means[1] < 0.6 * means[0]
    assert abs(means[2] - means[0]) < 3


def test_colours_keep_their_order(picture: Image) -> None:
    red = np.zeros_like(picture)
    red[..., 0] = 220
    coded = film_still(red, crf=20, preset="ultrafast", drift_px=(0, 0), frames=1)
    assert coded[..., 0].mean() > 150
    assert coded[..., 1:].mean() < 60


def test_pictures_of_one_call_share_their_settings(picture: Image) -> None:
    first, second = random_film_stills([picture, picture], np.random.default_rng(4))
    assert np.array_equal(first, second)
    again = random_film_stills([picture], np.random.default_rng(4))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, random_film_stills([picture], np.random.default_rng(5))[0])
