"""Forging clips: what every clip forgery promises, and what the self-blended ones are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.errors import UsageError
from unmask.forgeries import FORGERIES, RealFace
from unmask.forgeries.clip import CLIP_FORGERIES, ForgedClip, FrameByFrame, RealClip
from unmask.forgeries.self_blended_video import ClipDraw, SelfBlendedVideo, steadied
from unmask.forgeries.self_blending import BlendDraw, apply_blend

METHODS = CLIP_FORGERIES.ids()
FRAMES = 6


@pytest.fixture(scope="module")
def clip(real_faces: tuple[RealFace, RealFace]) -> RealClip:
    """A face that drifts to the right by a pixel a frame."""
    face = real_faces[0]
    images = [np.roll(face.image, number, axis=1) for number in range(FRAMES)]
    moved = [face.landmarks + np.float32([number, 0]) for number in range(FRAMES)]
    return RealClip(images, np.stack(moved))


def forge(method: str, clip: RealClip, seed: int) -> ForgedClip:
    return CLIP_FORGERIES.get(method)().forge(clip, None, np.random.default_rng(seed))


# -------------------------------------------------------------------- every method


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_shapes_label_and_masks(clip: RealClip, method: str, seed: int) -> None:
    forged = forge(method, clip, seed)
    assert forged.method == method
    assert len(forged.images) == len(forged.originals) == len(forged.masks) == FRAMES
    changes = []
    for image, original, mask in zip(forged.images, forged.originals, forged.masks, strict=True):
        assert image.shape == original.shape == clip.images[0].shape
        assert image.dtype == original.dtype == np.uint8
        assert mask.shape == image.shape[:2]
        assert mask.dtype == np.float32
        assert 0 <= mask.min() <= mask.max() <= 1
        change = cv2.absdiff(image, original).max(2)
        assert change[mask <= 0].max(initial=0) == 0  # the mask covers every changed pixel
        changes.append(int((change > 1).sum()))
    assert max(changes) > 20


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_and_inputs_stay(clip: RealClip, method: str) -> None:
    before = [image.copy() for image in clip.images]
    first, again, other = (forge(method, clip, seed) for seed in (5, 5, 6))
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.images, other.images)
    assert np.array_equal(before, clip.images)


def test_the_known_methods_are_registered() -> None:
    assert {"self_blended_video", "face_flicker"} <= set(METHODS)


# ------------------------------------------------------------------ self-blended video


def test_one_draw_is_replayed_on_all_frames(clip: RealClip) -> None:
    """Frame by frame it is the picture forgery with one draw, at the drawn strength and place."""
    draw = ClipDraw.drawn(FRAMES, np.random.default_rng(3))
    forged = forge("self_blended_video", clip, 3)
    points = steadied(clip.landmarks)
    for number in range(FRAMES):
        x, y = draw.tremble[number]
        face = RealFace(clip.images[number], points[number])
        strength = float(draw.intensity[number])
        alone = apply_blend(face, draw.blend, intensity=strength, nudge=(x, y))
        assert np.array_equal(forged.images[number], alone.image)


def test_a_still_clip_stays_still_where_nothing_varies(clip: RealClip) -> None:
    still = RealClip([clip.images[0]] * FRAMES, np.stack([clip.landmarks[0]] * FRAMES))
    kinds = {"steady": 0, "varying": 0}
    for seed in range(24):
        draw = ClipDraw.drawn(FRAMES, np.random.default_rng(seed))
        steady = bool((draw.intensity == 1).all() and not draw.tremble.any())
        kinds["steady" if steady else "varying"] += 1
        if sum(kinds.values()) <= 8:
            forged = forge("self_blended_video", still, seed)
            alike = all(np.array_equal(forged.masks[0], mask) for mask in forged.masks[1:])
            assert alike == steady
    assert kinds["steady"] > 3
    assert kinds["varying"] > 6


def test_strength_follows_a_slow_wave() -> None:
    for seed in range(40):
        draw = ClipDraw.drawn(16, np.random.default_rng(seed))
        assert 0.4 - 1e-9 <= draw.intensity.min() <= draw.intensity.max() <= 1
        assert np.abs(np.diff(draw.intensity)).max() < 0.3
        assert np.abs(draw.tremble).max() < 0.05


def test_intensity_scales_the_mask(real_faces: tuple[RealFace, RealFace]) -> None:
    draw = BlendDraw.drawn(np.random.default_rng(1))
    full, half = (apply_blend(real_faces[0], draw, intensity=x) for x in (1.0, 0.5))
    np.testing.assert_allclose(half.mask, full.mask / 2, atol=1e-6)
    none = apply_blend(real_faces[0], draw, intensity=0.0)
    assert np.array_equal(none.image, none.original)


def test_draws_do_not_depend_on_the_picture(real_faces: tuple[RealFace, RealFace]) -> None:
    after = []
    for face in real_faces:
        rng = np.random.default_rng(11)
        FORGERIES.get("self_blending")().forge(face, None, rng)
        after.append(rng.random())
    assert after[0] == after[1]


# Of the version before draws were split off: the generator's next number (exact on any machine),
# and the means of picture, original and mask.
BEFORE = [
    (773786671, 97.37, 95.0, 0.2451),
    (1190527098, 94.03, 95.0, 0.0771),
    (2146528404, 94.02, 95.0, 0.0814),
    (654053167, 88.75, 95.0, 0.2255),
    (1254638228, 98.02, 98.03, 0.1695),
    (693005535, 89.8, 95.0, 0.3057),
]


@pytest.mark.parametrize(("seed", "expected"), list(enumerate(BEFORE)))
def test_the_picture_forgery_is_what_it_was(seed: int, expected: tuple[float, ...]) -> None:
    ys, xs = np.mgrid[:96, :96]
    image = np.stack([xs * 2, ys * 2, (xs + ys)], -1).astype(np.uint8)
    points = np.random.default_rng(0).normal(0, 14, (468, 2)) + 48
    rng = np.random.default_rng(seed)
    face = RealFace(image, points.astype(np.float32))
    forged = FORGERIES.get("self_blending")().forge(face, None, rng)
    assert int(rng.integers(2**31)) == expected[0]
    means = [float(one.mean()) for one in (forged.image, forged.original, forged.mask)]
    assert means == pytest.approx(expected[1:], rel=1e-3, abs=0.02)


# -------------------------------------------------------------------------- flicker


def test_flicker_is_faint_in_space_and_white_in_time(clip: RealClip) -> None:
    lights = []
    for seed in range(8):
        forged = forge("face_flicker", clip, seed)
        gap = [
            (np.int16(image) - np.int16(original)).mean(2)
            for image, original in zip(forged.images, forged.originals, strict=True)
        ]
        inside = [
            float(one[mask > 0.9].mean()) for one, mask in zip(gap, forged.masks, strict=True)
        ]
        lights.append(inside)
        edges = [np.abs(np.diff(mask, axis=0)).max() for mask in forged.masks]
        assert max(edges) < 0.1  # no seam
    lights = np.array(lights)
    assert 1 < np.abs(lights).mean() < 10
    assert abs(np.corrcoef(lights[:, :-1].ravel(), lights[:, 1:].ravel())[0, 1]) < 0.45


# --------------------------------------------------------------- picture forgeries on clips


def test_frame_by_frame_replays_or_draws_anew(clip: RealClip) -> None:
    still = RealClip([clip.images[0]] * 3, np.stack([clip.landmarks[0]] * 3))
    forgery = FORGERIES.get("self_blending")()
    replayed = FrameByFrame(forgery, replay=True).forge(still, None, np.random.default_rng(2))
    assert np.array_equal(replayed.images[0], replayed.images[2])
    anew = FrameByFrame(forgery, replay=False).forge(still, None, np.random.default_rng(2))
    assert not np.array_equal(anew.images[0], anew.images[2])
    assert replayed.method == "self_blending"


def test_a_swap_over_a_clip_takes_the_donors_frames(
    clip: RealClip, real_faces: tuple[RealFace, RealFace]
) -> None:
    donor = RealClip([real_faces[1].image] * 2, np.stack([real_faces[1].landmarks] * 2))
    swap = FrameByFrame(FORGERIES.get("landmark_swap")(), replay=True)
    forged = swap.forge(clip, donor, np.random.default_rng(4))
    assert len(forged.images) == FRAMES
    assert all(
        cv2.absdiff(image, original).max() > 8
        for image, original in zip(forged.images, forged.originals, strict=True)
    )
    with pytest.raises(ValueError, match="needs a donor"):
        swap.forge(clip, None, np.random.default_rng(4))


# ------------------------------------------------------------------- steadying, bad input


def test_steadying_takes_noise_out_and_leaves_motion() -> None:
    rng = np.random.default_rng(0)
    shape = rng.uniform(0, 200, (468, 2))
    path = np.stack([shape + t * np.array([1.5, 0.5]) for t in range(12)])
    noisy = (path + rng.normal(0, 0.6, path.shape)).astype(np.float32)
    error = np.abs(steadied(noisy) - path)
    assert error[2:-2].mean() < 0.6 * np.abs(noisy - path)[2:-2].mean()
    assert np.abs(steadied(path.astype(np.float32)) - path).max() < 1e-3  # steady motion: no lag
    jump = path.astype(np.float32)
    jump[6:] += 60
    assert np.array_equal(steadied(jump)[5:7], jump[5:7])  # a jump is not smeared


def test_clips_that_are_none_are_refused(clip: RealClip) -> None:
    with pytest.raises(UsageError, match="2 sizes"):
        RealClip([clip.images[0], clip.images[0][:-2]], clip.landmarks[:2])
    with pytest.raises(UsageError, match="landmarks of 1"):
        RealClip(clip.images, clip.landmarks[:1])
    with pytest.raises(UsageError, match="0 sizes"):
        RealClip([], clip.landmarks[:0])


def test_a_clip_of_one_frame_can_be_forged(clip: RealClip) -> None:
    one = RealClip(clip.images[:1], clip.landmarks[:1])
    assert len(SelfBlendedVideo().forge(one, None, np.random.default_rng(0)).images) == 1
