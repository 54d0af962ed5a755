"""Batches: pure functions of (seed, number); both of a pair go through the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.errors import UsageError
from unmask.train.augment import PairAugmenter
from unmask.train.facecache import FaceCache
from unmask.train.pairs import PairSampler, difference_mask, face_turn
from unmask.train.recipe import Recipe


def sampler(cache: FaceCache, recipe: Recipe, seed: int = 3) -> PairSampler:
    return PairSampler(cache, np.arange(len(cache)), recipe.mixture, seed)


def test_a_batch_is_a_pure_function_of_seed_and_number(cache: FaceCache, recipe: Recipe) -> None:
    one, other = sampler(cache, recipe), sampler(cache, recipe)
    one.batch(0, 64)  # what was drawn before must not matter
    first, again = one.batch(7, 64), other.batch(7, 64)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.maps, again.maps)
    assert np.array_equal(first.seam_known, again.seam_known)
    assert not np.array_equal(first.images, other.batch(8, 64).images)
    assert not np.array_equal(first.images, sampler(cache, recipe, seed=4).batch(7, 64).images)


def test_shapes_and_what_rows_mean(cache: FaceCache, recipe: Recipe) -> None:
    batch = sampler(cache, recipe).batch(1, 96)
    assert batch.images.shape == (4, 96, 96, 3)
    assert batch.images.dtype == np.uint8
    assert batch.maps.shape == (4, 12, 12)
    assert batch.maps.dtype == np.float32
    assert not batch.maps[0::2].any()  # nothing is foreign in a real picture
    assert batch.maps[1::2].max(axis=(1, 2)).min() > 0.1
    assert batch.seam_known[0::2].all()


def test_without_degradation_a_pair_differs_inside_the_mask_only(
    cache: FaceCache, recipe: Recipe, with_mixture
) -> None:
    plain = sampler(cache, with_mixture(recipe, strength=0.0, found=0.0))
    for number in range(6):
        batch = plain.batch(number, 128)
        for pair in range(2):
            real, fake = batch.images[2 * pair], batch.images[2 * pair + 1]
            mask = cv2.resize(batch.maps[2 * pair + 1], (128, 128), interpolation=cv2.INTER_NEAREST)
            # Cells are 8 px wide, and cubic resampling reaches two pixels further.
            near = cv2.dilate(mask, np.ones((33, 33)))
            assert not cv2.absdiff(real, fake).max(2)[near == 0].any()
            assert cv2.absdiff(real, fake).max() > 2


def test_degradations_are_shared_and_of_the_seed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    augment = PairAugmenter(1.0)
    changed = 0
    for seed in range(30):
        first, second = augment(image, image.copy(), np.random.default_rng(seed))
        assert np.array_equal(first, second)
        again, _ = augment(image, image, np.random.default_rng(seed))
        assert np.array_equal(first, again)
        changed += not np.array_equal(first, image)
    assert changed > 20
    unchanged, _ = PairAugmenter(0.0)(image, image, np.random.default_rng(1))
    assert np.array_equal(unchanged, image)


def test_the_map_of_a_found_forgery_is_where_it_differs(cache: FaceCache) -> None:
    mask = difference_mask(cache.face(0).image, cache.face(1).image)
    assert mask.min() == 0
    assert mask.max() == 1
    assert 0.02 < (mask > 0.5).mean() < 0.6
    assert difference_mask(cache.face(0).image, cache.face(0).image).max() == 0


def test_small_sets_and_empty_mixtures_are_explained(
    cache: FaceCache, recipe: Recipe, with_mixture
) -> None:
    reals = np.nonzero(cache.label == 0)[0]
    PairSampler(cache, reals, recipe.mixture, 1).batch(0, 64)  # no found forgeries: forges only
    with pytest.raises(UsageError, match="draws from nothing"):
        PairSampler(cache, reals, with_mixture(recipe, forgeries={}).mixture, 1)
    alone = with_mixture(recipe, found=0.0, forgeries={"landmark_swap": 1.0}).mixture
    with pytest.raises(UsageError, match="two originals"):
        PairSampler(cache, reals[:1], alone, 1).batch(0, 64)


def test_turn_changes_sign_in_the_mirror(cache: FaceCache) -> None:
    landmarks = np.zeros((468, 2), np.float32)
    landmarks[234], landmarks[454], landmarks[1] = (0, 0), (100, 0), (70, 20)
    assert face_turn(landmarks) == pytest.approx(0.4)
    landmarks[1] = (30, 20)
    assert face_turn(landmarks) == pytest.approx(-0.4)
