"""Putting a painted face back: nothing outside the mask, colours matched, edges steady."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from unmask.errors import UsageError
from unmask.faces.alignment import align_region
from unmask.faces.masks import MASK_KINDS
from unmask.faces.mesh import upright_region
from unmask.forge.merging import (
    BLENDS,
    COLOURS,
    LEARNED,
    MergeSettings,
    match_histograms,
    merge_face,
)


@pytest.fixture(scope="module")
def faced(portrait, face_models):
    from unmask.faces.finder import FaceFinder

    landmarks = FaceFinder(max_faces=1).find(portrait)[0].landmarks
    return portrait, landmarks, upright_region(landmarks, 1.5)


def merged(faced, painted, settings, **more):
    frame, landmarks, region = faced
    return merge_face(frame, painted, region, landmarks, settings, crop_px=160, **more)


def test_the_crop_itself_changes_next_to_nothing(faced):
    frame, _, region = faced
    crop = align_region(frame, region, 160).image
    patch = merged(faced, crop, MergeSettings(mask="oval", colour="none"))
    change = np.abs(patch.laid_on(frame).astype(int) - frame)
    assert change.mean(where=(patch.whole_mask(*frame.shape[:2]) > 0)[..., None]) < 2.5


@pytest.mark.parametrize("size", [80, 160, 320, 1280])
def test_painted_at_another_size_it_lies_in_the_same_place(faced, size):
    frame, _, region = faced
    crop = align_region(frame, region, 160).image
    inside = merged(faced, crop, MergeSettings(mask="oval", colour="none"))
    quality = cv2.INTER_AREA if size < 160 else cv2.INTER_CUBIC
    other = cv2.resize(crop, (size, size), interpolation=quality)
    patch = merged(faced, other, MergeSettings(mask="oval", colour="none"))
    shift, _ = cv2.phaseCorrelate(
        inside.image.astype(np.float32).mean(2), patch.image.astype(np.float32).mean(2)
    )
    assert np.abs(shift).max() < 0.15


@pytest.mark.parametrize("kind", MASK_KINDS)
@pytest.mark.parametrize("blend", BLENDS)
def test_the_mask_covers_whatever_changed(faced, kind, blend):
    frame, landmarks, _ = faced
    painted = np.full((160, 160, 3), (200, 40, 40), np.uint8)
    patch = merged(faced, painted, MergeSettings(mask=kind, blend=blend, colour="none"))
    mask = patch.whole_mask(*frame.shape[:2])
    changed = (patch.laid_on(frame) != frame).any(2)
    assert changed.any()
    assert not changed[mask == 0].any()
    hull = cv2.convexHull(np.round(landmarks).astype(np.int32))
    allowed = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    assert not mask[cv2.dilate(allowed, np.ones((5, 5))) == 0].any()


def test_thin_parts_are_painted_in_full(faced):
    painted = np.full((160, 160, 3), 255, np.uint8)
    for kind in ("mouth", "components"):
        patch = merged(faced, painted, MergeSettings(mask=kind, colour="none"))
        parts, labels = cv2.connectedComponents((patch.mask > 0).astype(np.uint8))
        peaks = [patch.mask[labels == part].max() for part in range(1, parts)]
        assert min(peaks) > 250, kind


@pytest.mark.parametrize("colour", [one for one in COLOURS if one != "none"])
def test_colours_come_from_the_frame(faced, colour):
    frame, _, region = faced
    blue = align_region(frame, region, 160).image[..., ::-1] // 2
    before = merged(faced, blue, MergeSettings(mask="oval", colour="none")).laid_on(frame)
    after = merged(faced, blue, MergeSettings(mask="oval", colour=colour)).laid_on(frame)
    away = [np.abs(one.mean((0, 1)) - frame.mean((0, 1))).max() for one in (before, after)]
    assert away[1] < 0.2 * away[0]


def test_histograms_of_a_picture_itself(portrait):
    mask = np.ones(portrait.shape[:2], np.float32)
    same = match_histograms(portrait, portrait, mask)
    assert np.abs(same.astype(int) - portrait).mean() < 2
    assert match_histograms(portrait, portrait[::-1], mask * 0) is portrait


def test_erode_feather_and_a_learned_mask(faced):
    painted = np.full((160, 160, 3), 255, np.uint8)

    def area(**changed):
        learned = np.zeros((40, 40), np.float32)
        learned[10:30, 10:30] = 1
        settings = MergeSettings(**({"mask": "oval", "colour": "none"} | changed))
        return int((merged(faced, painted, settings, learned=learned).mask > 0).sum())

    assert area(erode=0.1) < area() < area(erode=-0.1)
    assert area(mask=LEARNED, erode=0.0) == pytest.approx((faced[2].side_px / 2) ** 2, rel=0.15)
    hard = merged(faced, painted, MergeSettings(mask="oval", feather=0.0))
    assert ((hard.mask > 0) & (hard.mask < 255)).mean() < 0.05
    with pytest.raises(UsageError, match="learned no mask"):
        merged(faced, painted, MergeSettings(mask=LEARNED))


def test_small_faces_move_by_parts_of_a_pixel(faced):
    _, landmarks, _ = faced
    small = landmarks * 0.15
    frame = np.zeros((96, 96, 3), np.uint8)
    painted = np.full((64, 64, 3), 255, np.uint8)
    areas = []
    for shift in np.linspace(0, 1, 6, dtype=np.float32):
        points = small + shift
        patch = merge_face(frame, painted, upright_region(points, 1.5), points,
                           MergeSettings(mask="oval", colour="none"), crop_px=64)  # fmt: skip
        areas.append(patch.mask.sum() / 255)
    assert np.ptp(areas) < 0.06 * np.mean(areas)


def test_a_face_outside_the_frame(faced):
    frame, landmarks, _ = faced
    away = landmarks + 5000
    painted = np.zeros((160, 160, 3), np.uint8)
    settings = MergeSettings(mask="oval")
    assert merge_face(frame, painted, upright_region(away, 1.5), away, settings,
                      crop_px=160) is None  # fmt: skip


@pytest.mark.parametrize(
    "bad", [{"mask": "beard"}, {"colour": "sepia"}, {"blend": "glue"}, {"feather": 2.0}]
)
def test_settings_are_checked(bad):
    with pytest.raises(UsageError):
        MergeSettings(**bad)
