"""What every registered forgery promises."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.forgeries import FORGERIES, ForgedFace, RealFace

METHODS = FORGERIES.ids()
SEEDS = range(12)


def forge(method: str, faces: tuple[RealFace, RealFace], seed: int) -> ForgedFace:
    entry = FORGERIES.get(method)
    donor = faces[1] if entry.spec.needs_donor else None
    return entry().forge(faces[0], donor, np.random.default_rng(seed))


def test_the_known_methods_are_registered() -> None:
    assert {"self_blending", "landmark_swap"} <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_types_label_and_mask(
    real_faces: tuple[RealFace, RealFace], method: str, seed: int
) -> None:
    forged = forge(method, real_faces, seed)
    target = real_faces[0].image
    assert forged.method == method
    for image in (forged.image, forged.original):
        assert image.shape == target.shape
        assert image.dtype == np.uint8
    assert forged.mask.shape == target.shape[:2]
    assert forged.mask.dtype == np.float32
    assert 0.0 <= forged.mask.min() <= forged.mask.max() <= 1.0
    changed = cv2.absdiff(forged.image, forged.original).max(2)
    assert changed[forged.mask <= 0].max(initial=0) == 0  # the mask covers every changed pixel
    assert (changed > 2).sum() > 20  # and there are some
    assert forged.mask.max() > 0.2


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(real_faces: tuple[RealFace, RealFace], method: str) -> None:
    first, again, other = (forge(method, real_faces, seed) for seed in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.original, again.original)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("method", METHODS)
def test_the_inputs_are_left_as_they_were(
    real_faces: tuple[RealFace, RealFace], method: str
) -> None:
    before = [(face.image.copy(), face.landmarks.copy()) for face in real_faces]
    for seed in SEEDS:
        forge(method, real_faces, seed)
    for face, (image, landmarks) in zip(real_faces, before, strict=True):
        assert np.array_equal(face.image, image)
        assert np.array_equal(face.landmarks, landmarks)


@pytest.mark.parametrize("method", [m for m in METHODS if FORGERIES.get(m).spec.needs_donor])
def test_without_a_donor_it_is_refused(real_faces: tuple[RealFace, RealFace], method: str) -> None:
    with pytest.raises(ValueError, match=f"{method} needs a donor"):
        FORGERIES.get(method)().forge(real_faces[0], None, np.random.default_rng(0))
