from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.bench.comparison.degradations import DEGRADATIONS, DegradedStore, get_degradation
from unmask.datasets import StoredFace
from unmask.errors import UnknownEntry

EVERY = list(DEGRADATIONS.values())
IDS = list(DEGRADATIONS)


@pytest.fixture(scope="module")
def picture(portraits):
    """(121, 99, 3): odd sides, as crops have them."""
    return np.ascontiguousarray(cv2.resize(portraits["astronaut"], (99, 121)))


def error(first, second):
    return float(np.abs(first.astype(float) - second).mean())


@pytest.mark.parametrize("degradation", EVERY, ids=IDS)
def test_size_and_type_stay_and_the_same_comes_twice(picture, degradation):
    before = picture.copy()
    done = [degradation.apply(picture, degradation.strengths[-1]) for _ in range(2)]
    assert done[0].shape == picture.shape
    assert done[0].dtype == np.uint8
    assert np.array_equal(*done)
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("degradation", EVERY, ids=IDS)
def test_strengths_go_from_mild_to_harsh(picture, degradation):
    strengths = degradation.strengths
    ends = [error(degradation.apply(picture, s), picture) for s in (strengths[0], strengths[-1])]
    assert 0 < ends[0] < 0.7 * ends[1]


def test_noise_has_the_deviation_that_is_asked_for():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = DEGRADATIONS["noise"].apply(grey, 10)
    assert float(noisy.std()) == pytest.approx(10, abs=0.2)


def test_jpeg_quality_is_that_of_the_library(picture):
    from io import BytesIO

    from PIL import Image

    done = BytesIO()
    Image.fromarray(picture).save(done, "JPEG", quality=50, subsampling="4:2:0")
    other = np.asarray(Image.open(done))
    assert error(DEGRADATIONS["jpeg"].apply(picture, 50), other) < 1.0


def test_resizing_takes_the_fine_detail_away():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert DEGRADATIONS["resize"].apply(stripes, 0.5)[8:-8, 8:-8].std() < 5


def test_a_store_is_degraded_face_by_face(picture):
    class Store:
        columns = None

        def __len__(self):
            return 3

        def face(self, row):
            assert row in range(3)
            return StoredFace(picture, np.zeros((468, 2), np.float32), None)

    blurred = DegradedStore(Store(), DEGRADATIONS["blur"], 2.0)
    assert len(blurred) == 3
    expected = DEGRADATIONS["blur"].apply(picture, 2.0)
    assert np.array_equal(blurred.face(1).image, expected)
    assert blurred.face(1).landmarks.shape == (468, 2)


def test_an_unknown_degradation_names_the_known():
    with pytest.raises(UnknownEntry) as caught:
        get_degradation("jpg")
    assert "jpeg" in caught.value.hint
