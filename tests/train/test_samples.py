"""Which faces are drawn, and what is done to them."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.errors import UnknownEntry, UsageError
from unmask.networks.base import NetworkSpec
from unmask.train.face_stores import ForgedStore, JoinedStore
from unmask.train.samples import FaceSampler
from unmask.train.selection import TrainingFaces, select, validation_faces

SPEC = NetworkSpec("test", "Test", "none", "spatial", input_px=64, crop_margin=1.2)
CLIPS = dataclasses.replace(SPEC, modality="clip", clip_frames=4)


def sampler(recipe, store, spec: NetworkSpec = SPEC) -> FaceSampler:
    chosen = select(recipe, {"drawn": store})
    return FaceSampler(recipe, spec, 64, TrainingFaces(chosen, chosen.training, spec))


def same(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_batch_depends_on_seed_step_and_place_only(network_recipe, drawn) -> None:
    recipe = network_recipe(("strength = 0.5", "strength = 1.0"))
    one, other = sampler(recipe, drawn), sampler(recipe, drawn)
    other.batch(7, range(2))  # what was drawn before does not matter
    whole = one.batch(3, range(4))
    assert same(whole, other.batch(3, range(4)))
    part = other.batch(3, range(2, 4))
    assert np.array_equal(part.images, whole.images[4:])
    assert not same(whole, one.batch(4, range(4)))
    reseeded = sampler(dataclasses.replace(recipe, seed=6), drawn)
    assert not same(whole, reseeded.batch(3, range(4)))
    assert whole.images.shape == (8, 64, 64, 3)
    assert whole.y_true.tolist() == [0, 1] * 4


def test_methods_come_as_often_as_each_other(network_recipe, drawn) -> None:
    # Nine in ten of one method are dropped, so that faces as they come are out of balance.
    keep = [n for n, (s, m, _) in enumerate(drawn.kinds) if m != "swap" or s < 3]
    store = JoinedStore([drawn])
    for balance, share in (("method", 0.5), ("class", 2 / 11)):
        recipe = network_recipe(added=f'[mixture]\nbalance = "{balance}"\n')
        chosen = select(recipe, {"drawn": store})
        rows = np.intersect1d(chosen.training, keep)
        one = FaceSampler(recipe, SPEC, 64, TrainingFaces(chosen, rows, SPEC))
        rng = np.random.default_rng(0)
        drawn_rows = [one._fakes.draw(rng) for _ in range(4000)]
        methods = Counter(one.faces.columns.method[drawn_rows].tolist())
        assert methods["swap"] / 4000 == pytest.approx(share, abs=0.03)


def test_without_balance_faces_come_as_they_are(network_recipe, drawn) -> None:
    recipe = network_recipe(added='[mixture]\nbalance = "none"\n')
    batch = sampler(recipe, drawn).batch(0, range(300))
    assert batch.images.shape[0] == 300
    assert batch.y_true.mean() == pytest.approx(2 / 3, abs=0.08)


def test_pairs_are_one_person_in_one_view(network_recipe, drawn) -> None:
    recipe = network_recipe(
        ("strength = 0.5", "strength = 0.0"), added="[mixture]\npaired = true\n"
    )
    batch = sampler(recipe, drawn).batch(0, range(6))
    real, fake = batch.images[0::2].astype(int), batch.images[1::2].astype(int)
    inside = batch.masks[1::2] > 0.5
    outside = batch.masks[1::2] == 0
    assert np.abs(real - fake).max(3)[inside].mean() > 20
    assert np.abs(real - fake).max(3)[outside].max() <= 12  # the ringing of the patch's edge
    assert np.median(np.abs(real - fake).max(3)[outside]) == 0
    assert not batch.masks[0::2].any()
    assert batch.mask_known.all()


def test_masks_of_found_fakes_come_from_their_originals(network_recipe, drawn) -> None:
    class Maskless:
        columns = drawn.columns

        def __len__(self) -> int:
            return len(drawn)

        def face(self, row: int):
            return dataclasses.replace(drawn.face(row), mask=None)

    for masks in (True, False):
        recipe = network_recipe(
            ("strength = 0.5", "strength = 0.0\nroll_deg = 0"),
            added=f"[mixture]\nmasks = {str(masks).lower()}\n",
        )
        batch = sampler(recipe, Maskless()).batch(0, range(4))
        assert batch.mask_known.tolist() == [True, masks] * 4
        assert (batch.masks[1::2].max((1, 2)) > 0.9).all() == masks


def test_forgeries_on_the_fly(network_recipe, drawn) -> None:
    recipe = network_recipe(
        ("strength = 0.5", "strength = 0.0"),
        added="[mixture]\nfound = 0\nforgeries = { self_blending = 1 }\npaired = true\n",
    )
    reals_only = dataclasses.replace(
        recipe,
        data=dataclasses.replace(
            recipe.data, stores=(dataclasses.replace(recipe.data.stores[0], labels=("real",)),)
        ),
    )
    one = sampler(reals_only, drawn)
    assert not one.faces.columns.y_true.any()
    batch = one.batch(0, range(4))
    assert (batch.masks[1::2].sum((1, 2)) > 0).all()
    assert not np.array_equal(batch.images[0::2], batch.images[1::2])
    chosen = select(reals_only, {"drawn": drawn})
    store, rows = validation_faces(reals_only, chosen)
    assert isinstance(store, ForgedStore)
    assert store.columns.y_true[rows].mean() == 0.5
    assert len(np.unique(store.columns.sample_id)) == len(store)
    assert np.array_equal(store.face(3).image, store.face(3).image)
    assert (store.face(3).mask > 0).any()


def test_an_unknown_forgery_has_a_hint(network_recipe, drawn) -> None:
    recipe = network_recipe(added="[mixture]\nforgeries = { self_blendin = 1 }\n")
    with pytest.raises(UnknownEntry, match="self_blending"):
        sampler(recipe, drawn)


@pytest.mark.parametrize("part", ["colour", "blur", "noise", "resize", "compression", "h264"])
def test_each_part_changes_pictures_and_both_of_a_pair_alike(part: str) -> None:
    from unmask.train.degradation import Degradation

    rng = np.random.default_rng(0)
    picture = np.asarray(rng.integers(0, 255, (48, 48, 3)), np.uint8)
    degrade = Degradation(1.0, (part,))
    changed = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        (first,), (second,), (third,) = degrade([[picture], [picture], [picture.copy()]], rng)
        assert np.array_equal(first, second)
        assert np.array_equal(first, third)
        assert first.shape == picture.shape
        assert first.dtype == np.uint8
        changed += not np.array_equal(first, picture)
    assert changed >= 3


def test_no_strength_no_change() -> None:
    from unmask.train.degradation import Degradation

    picture = np.zeros((32, 32, 3), np.uint8)
    degrade = Degradation(0.0, ("colour", "h264"))
    assert degrade([[picture]], np.random.default_rng(0))[0][0] is picture


def test_clips_are_cut_by_one_square(network_recipe, drawn_store) -> None:
    recipe = network_recipe(
        ("strength = 0.5", "strength = 0.0"), added="[mixture]\npaired = true\n"
    )
    one = sampler(recipe, drawn_store(sources=6, frames=5), CLIPS)
    batch = one.batch(0, range(2))
    assert batch.images.shape == (4, 4, 64, 64, 3)
    assert batch.masks.shape == (4, 64, 64)
    steps = np.diff(batch.images.astype(int), axis=1)
    assert (np.abs(steps) <= 6).all()  # nothing but the slow brightening of the drawn film
    assert steps[0].mean() == pytest.approx(3, abs=0.5)


def test_clips_of_single_pictures_move_alike_in_a_pair(network_recipe, drawn_store) -> None:
    recipe = network_recipe(
        ("strength = 0.5", "strength = 0.0"), added="[mixture]\npaired = true\n"
    )
    batch = sampler(recipe, drawn_store(sources=6, frames=1), CLIPS).batch(0, range(3))
    real, fake = batch.images[0::2].astype(int), batch.images[1::2].astype(int)
    assert (np.abs(np.diff(real, axis=1)).max((1, 2, 3, 4)) > 0).all()
    outside = (batch.masks[1::2] == 0)[:, None, :, :, None] & np.ones_like(real, bool)
    assert np.median(np.abs(real - fake)[outside]) <= 1


def test_a_clip_network_forges_on_the_fly(network_recipe, drawn_store) -> None:
    recipe = network_recipe(
        added="[mixture]\nfound = 0\nforgeries = { self_blended_video = 1, self_blending = 1 }\n"
    )
    batch = sampler(recipe, drawn_store(sources=6, frames=4), CLIPS).batch(0, range(3))
    assert batch.images.shape == (6, 4, 64, 64, 3)
    assert (batch.masks[1::2].sum((1, 2)) > 0).all()


def test_pairs_without_originals_are_refused(network_recipe, drawn) -> None:
    class Orphans:
        columns = dataclasses.replace(
            drawn.columns,
            source_id=np.where(drawn.columns.y_true == 1, drawn.columns.video_id, "nobody"),
        )

        def __len__(self) -> int:
            return len(drawn)

        def face(self, row: int):
            return drawn.face(row)

    with pytest.raises(UsageError, match="forgeries with their originals"):
        sampler(network_recipe(added="[mixture]\npaired = true\n"), Orphans())
