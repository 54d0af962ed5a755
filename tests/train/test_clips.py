"""Clips from a store: which frames, in which plane, cut how."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.datasets.store import FaceColumns, StoredFace  # noqa: E402
from unmask.errors import UnknownEntry, UsageError  # noqa: E402
from unmask.faces.mesh import upright_region  # noqa: E402
from unmask.forgeries import RealFace  # noqa: E402
from unmask.networks.base import NetworkSpec  # noqa: E402
from unmask.train.clip_samples import ClipCrops, ClipSampler, clip_pixels  # noqa: E402
from unmask.train.clips import (  # noqa: E402
    ClipIndex,
    ClipReader,
    clip_index,
    clip_region,
    similarity,
)
from unmask.train.degradation import Degradation  # noqa: E402
from unmask.train.facecache import FaceCache  # noqa: E402
from unmask.train.still_films import moved_still  # noqa: E402


class MemoryStore:
    """A face store of faces given one by one; ``further`` are columns only some stores have."""

    def __init__(self, faces: list[StoredFace], columns: FaceColumns, **further) -> None:
        self.columns, self._faces, self._further = columns, faces, further

    def __len__(self) -> int:
        return len(self.columns)

    def face(self, row: int) -> StoredFace:
        return self._faces[row]

    def column(self, name: str):
        return self._further[name]


def columns(video_id: list[str], frame_index: list[int]) -> FaceColumns:
    count = len(video_id)
    text, number = np.full(count, ""), np.zeros(count, np.float32)
    return FaceColumns(
        sample_id=np.arange(count).astype(str), data_set=np.full(count, "films"),
        video_id=np.array(video_id), source_id=np.array(video_id), split=text,
        method=np.full(count, "real"), compression=text, y_true=np.zeros(count, np.int8),
        frame_index=np.array(frame_index, np.int32), pts_s=number, face_px=number,
        sharpness=number, yaw_deg=number, groups=np.full(count, "{}"),
    )  # fmt: skip


def index(frame_index: list[int], frames: int, **how) -> list[list[int]]:
    """The clips of one film, as the frame numbers they hold."""
    store = MemoryStore([], columns(["f"] * len(frame_index), frame_index))
    return [[frame_index[row] for row in clip] for clip in clip_index(store, frames, **how).rows]


@pytest.fixture(scope="module")
def face(cache: FaceCache) -> RealFace:
    return cache.face(0)


PATH = [(0, 0), (2, 1), (5, 1), (7, 3)]


@pytest.fixture(scope="module")
def film(face: RealFace) -> MemoryStore:
    """A head that moves before a wall, each frame kept as another square at full size."""
    height, width = face.image.shape[:2]
    wall = np.random.default_rng(0).integers(0, 256, (height + 60, width + 60, 3)).astype(np.uint8)
    low, high = face.landmarks.min(0).astype(int), face.landmarks.max(0).astype(int)
    faces, boxes = [], []
    for x, y in PATH:
        frame = wall.copy()
        head = face.image[low[1] : high[1], low[0] : high[0]]
        frame[30 + low[1] + y : 30 + high[1] + y, 30 + low[0] + x : 30 + high[0] + x] = head
        left, top = 20 + x, 22 + y
        box = (left, top, left + width + 10, top + height + 8)
        cut = np.ascontiguousarray(frame[box[1] : box[3], box[0] : box[2]])
        points = face.landmarks + np.float32([30 + x - left, 30 + y - top])
        faces.append(StoredFace(cut, points, np.zeros(cut.shape[:2], np.float32)))
        boxes.append(np.array(box, np.int32))
    stored = np.empty(len(boxes), object)
    stored[:] = boxes
    return MemoryStore(faces, columns(["f"] * 4, [0, 1, 2, 3]), crop_xyxy=stored)


ALL = np.arange(4)


# -------------------------------------------------------------------- which frames


@pytest.mark.parametrize(
    ("frame_index", "how", "clips"),
    [
        ([0, 1, 2, 3, 4, 5, 6], {}, [[0, 1, 2], [3, 4, 5]]),
        ([2, 0, 1], {}, [[0, 1, 2]]),  # stored in any order
        ([0, 1, 2, 3, 4], {"hop": 1}, [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        ([0, 1, 2, 3, 4], {"stride": 2}, [[0, 2, 4]]),
        ([0, 9, 18, 27], {}, [[0, 9, 18]]),  # spread evenly: a step of nine is usual
        ([0, 1, 2, 50, 51, 52], {}, [[0, 1, 2], [50, 51, 52]]),  # two bursts
        ([0, 1, 2, 3, 9, 10], {}, [[0, 1, 2]]),  # what is short beside a long run is left out
        ([0, 1, 7], {}, [[0, 1, 0], [7, 7, 7]][:1]),  # nothing is long: the longest, to and fro
        ([4], {}, [[4, 4, 4]]),
        ([0, 1], {"stride": 3}, [[0, 1, 0]]),
    ],
)
def test_clips_of_three_by_hand(frame_index, how, clips):
    assert index(frame_index, 3, **how) == clips


def test_too_short_films_play_to_and_fro():
    assert index([0, 1, 2], 8) == [[0, 1, 2, 1, 0, 1, 2, 1]]
    store = MemoryStore([], columns(["f"] * 3 + ["g"] * 9, [0, 1, 2, *range(9)]))
    assert clip_index(store, 8).repeats.tolist() == [True, False]


def test_films_people_and_sets_are_never_mixed():
    ids = ["f", "g"] * 4
    store = MemoryStore([], columns(ids, [0, 0, 1, 1, 2, 2, 3, 3]))
    assert clip_index(store, 4).rows.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]
    people = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    store = MemoryStore([], columns(["f"] * 8, [0, 1, 2, 3] * 2), person=people)
    assert clip_index(store, 4).rows.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    two = columns(["f"] * 8, [0, 1, 2, 3] * 2)
    two.data_set[4:] = "other"
    assert len(clip_index(MemoryStore([], two), 4)) == 2


def test_only_rows_that_may_be_used_are_used():
    store = MemoryStore([], columns(["f"] * 8, list(range(8))))
    assert clip_index(store, 3, rows=np.array([7, 6, 5])).rows.tolist() == [[5, 6, 7]]
    assert len(clip_index(store, 3, rows=np.array([], np.int64))) == 0


@pytest.mark.parametrize(
    "how", [{"frames": 0}, {"frames": 2, "stride": 0}, {"frames": 2, "hop": 0}]
)
def test_impossible_clips_are_refused(how):
    with pytest.raises(UsageError, match="Clips of"):
        clip_index(MemoryStore([], columns(["f"], [0])), **how)


# ----------------------------------------------------------------------- one plane


def test_squares_go_back_to_where_they_were_cut(film: MemoryStore, face: RealFace):
    reader = ClipReader(film)
    assert reader.knows_place
    clip = reader.read(ALL)
    path = clip.frames.landmarks.mean(1) - clip.frames.landmarks[0].mean(0)
    np.testing.assert_allclose(path, PATH, atol=1e-3)  # the head moves as it did
    height = face.image.shape[0]
    wall = np.stack(clip.frames.images)[:, 12 : height + 6, 8:14]  # left of the head in each frame
    assert np.array_equal(wall[0], wall[1])
    assert np.array_equal(wall[0], wall[3])
    assert clip.masks is not None
    assert clip.masks[0].shape == clip.frames.images[0].shape[:2]


def test_reduced_squares_come_back_to_scale(film: MemoryStore):
    """Half of the frames are kept at two thirds of their size."""
    faces = [film.face(row) for row in ALL]
    for row in (1, 3):
        old = faces[row]
        height, width = old.image.shape[:2]
        size = (round(width / 1.5), round(height / 1.5))
        small = np.asarray(cv2.resize(old.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale = np.float32([size[0] / width, size[1] / height])
        faces[row] = StoredFace(small, old.landmarks * scale, None)
    boxes = film.column("crop_xyxy")
    clip = ClipReader(MemoryStore(faces, film.columns, crop_xyxy=boxes)).read(ALL)
    path = clip.frames.landmarks.mean(1) - clip.frames.landmarks[0].mean(0)
    np.testing.assert_allclose(path, PATH, atol=0.6)  # half a pixel: a point is no pixel's corner
    assert clip.masks is None


def test_without_places_the_head_is_held_still(film: MemoryStore):
    store = MemoryStore([film.face(row) for row in ALL], film.columns)
    reader = ClipReader(store)
    assert not reader.knows_place
    clip = reader.read(ALL).frames
    assert np.abs(clip.landmarks - clip.landmarks[0]).max() < 0.01
    nose = clip.landmarks[0, 4].round().astype(int)
    near = np.stack(clip.images)[:, nose[1] - 8 : nose[1] + 8, nose[0] - 8 : nose[0] + 8]
    assert np.abs(near.astype(int) - near[0]).max() <= 1


def test_large_planes_are_reduced_before_forging(film: MemoryStore):
    full = ClipReader(film).read(ALL)
    half = ClipReader(film, max_side_px=max(full.frames.images[0].shape) // 2).read(ALL)
    assert max(half.frames.images[0].shape) == max(full.frames.images[0].shape) // 2
    scale = half.frames.images[0].shape[1] / full.frames.images[0].shape[1]
    expected = (full.frames.landmarks + 0.5) * scale - 0.5
    np.testing.assert_allclose(half.frames.landmarks, expected, atol=0.6)
    assert half.masks is not None
    assert half.masks[0].shape == half.frames.images[0].shape[:2]
    same = ClipReader(film, max_side_px=2000).read(ALL)
    assert np.array_equal(same.frames.images, full.frames.images)


def test_the_similarity_is_found_exactly():
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 200, (468, 2))
    turn = 1.1 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    move = similarity(points, points @ turn.T + [5, -7])
    np.testing.assert_allclose(move, np.column_stack([turn, [5, -7]]), atol=1e-9)


# ------------------------------------------------------------------------ the region


def test_the_region_of_a_still_clip_is_that_of_its_frame(face: RealFace):
    one = upright_region(face.landmarks, 1.3)
    region = clip_region(np.stack([face.landmarks] * 5), 1.3)
    assert region.centre == pytest.approx(one.centre, abs=1e-3)
    assert region.side_px == pytest.approx(one.side_px, rel=1e-5)
    assert region.roll_rad == pytest.approx(one.roll_rad, abs=1e-5)


def test_noise_of_single_frames_does_not_move_the_region(face: RealFace):
    landmarks = np.stack([face.landmarks] * 7)
    before = clip_region(landmarks, 1.3)
    landmarks[3] += 40  # one frame's mesh has gone astray
    after = clip_region(landmarks, 1.3)
    assert after.centre == pytest.approx(before.centre, abs=1e-3)


def test_a_head_that_moves_stays_inside(face: RealFace):
    extent = float(np.ptp(face.landmarks, axis=0).max())
    steps = np.linspace(-0.15, 0.15, 7) * extent
    landmarks = np.stack([face.landmarks + np.float32([step, 0]) for step in steps])
    region = clip_region(landmarks, 1.3)
    inside = (landmarks @ region.matrix(100)[:, :2].T) + region.matrix(100)[:, 2]
    assert inside.min() > 0
    assert inside.max() < 100
    still = upright_region(face.landmarks, 1.3).side_px
    assert still < region.side_px < 1.5 * still + 1e-3
    far = np.stack([face.landmarks + np.float32([step * 20, 0]) for step in steps])
    assert clip_region(far, 1.3).side_px == pytest.approx(1.5 * still, rel=1e-3)


# --------------------------------------------------------------------------- samples


def sampler(film: MemoryStore, size: int = 64, seed: int = 1, **how) -> ClipSampler:
    crops = ClipCrops(size, (1.2, 1.4), jitter=how.pop("jitter", 1.0))
    forgeries = how.pop("forgeries", {"self_blended_video": 0.5, "face_flicker": 0.5})
    clips = ClipIndex(ALL[None], np.array([False]))
    return ClipSampler(film, clips, forgeries, crops, seed=seed, **how)


def test_a_batch_is_a_pure_function_of_seed_and_number(film: MemoryStore):
    degrade = Degradation(1.0, ("colour", "blur", "noise", "resize", "compression"))
    one, other = sampler(film, degrade=degrade), sampler(film, degrade=degrade)
    one.batch(0, 1)  # what was drawn before must not matter
    first, again = one.batch(3, 2), other.batch(3, 2)
    assert first.images.shape == (4, 4, 64, 64, 3)
    assert first.images.dtype == np.uint8
    assert first.masks.shape == (4, 4, 64, 64)
    assert first.y_true.tolist() == [0, 1, 0, 1]
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.images, one.batch(4, 2).images)
    assert not np.array_equal(
        first.images, sampler(film, seed=2, degrade=degrade).batch(3, 2).images
    )


def test_a_pair_differs_inside_its_masks_only(film: MemoryStore):
    plain = sampler(film, size=128)
    for number in range(4):
        batch = plain.batch(number, 1)
        real, fake = batch.images
        assert not batch.masks[0].any()
        for t in range(4):
            near = cv2.dilate(batch.masks[1, t], np.ones((9, 9)))  # cubic resampling reaches out
            assert not cv2.absdiff(real[t], fake[t]).max(2)[near == 0].any()
        assert cv2.absdiff(real[1], fake[1]).max() > 1


def test_all_frames_are_cut_by_one_square(film: MemoryStore):
    """The wall stands still in the crops while the head moves."""
    for number in range(3):
        real = sampler(film, size=96, forgeries={"face_flicker": 1.0}).batch(number, 1).images[0]
        corner = real[:, :6, :6].astype(int)
        assert np.abs(corner - corner[0]).max() <= 2
        assert np.abs(real[3, 30:66, 30:66].astype(int) - real[0, 30:66, 30:66]).mean() > 3


def test_degradation_sees_both_clips_at_once(film: MemoryStore):
    seen = []

    def record(clips, rng):
        seen.append([len(clip) for clip in clips])
        return clips

    sampler(film, degrade=record).batch(0, 2)
    assert seen == [[4, 4], [4, 4]]


def test_without_jitter_only_the_forgery_is_drawn(film: MemoryStore):
    still = sampler(film, jitter=0.0, forgeries={"face_flicker": 1.0})
    still.crops = ClipCrops(64, (1.3, 1.3), jitter=0.0)
    one, other = (still.pair(0, np.random.default_rng(seed)) for seed in (1, 2))
    assert np.array_equal(one[0], other[0])
    assert not np.array_equal(one[1], other[1])


def test_stills_move_and_films_stay_as_they_are(film: MemoryStore):
    clips = ClipIndex(np.array([[0, 0, 0, 0]]), np.array([True]))
    moving = ClipSampler(film, clips, {"face_flicker": 1.0}, ClipCrops(64, (1.3, 1.3)))
    real = moving.batch(0, 1).images[0]
    assert not np.array_equal(real[0], real[3])
    kept = ClipCrops(64, (1.3, 1.3), move_stills=False)
    real = ClipSampler(film, clips, {"face_flicker": 1.0}, kept).batch(0, 1).images[0]
    assert np.array_equal(real[0], real[3])


def test_a_moved_still_drifts_smoothly_and_takes_its_landmarks_along(face: RealFace):
    image = face.image.copy()
    nose = face.landmarks[4]
    cv2.circle(image, tuple(int(v) for v in nose.round()), 3, (0, 255, 0), -1)
    marked = RealFace(image, face.landmarks)
    extent = float(np.ptp(face.landmarks, axis=0).max())
    for seed in range(4):
        clip = moved_still(marked, 8, np.random.default_rng(seed))
        again = moved_still(marked, 8, np.random.default_rng(seed))
        assert np.array_equal(clip.images, again.images)
        path = clip.landmarks - face.landmarks
        assert 0 < np.abs(path).max() < 0.08 * extent
        assert np.abs(np.diff(path, 2, axis=0)).max() < 0.03 * extent  # no jerks
        for picture, points in zip(clip.images, clip.landmarks, strict=True):
            green = picture[..., 1].astype(int) - picture[..., 0] - picture[..., 2] // 2
            ys, xs = np.nonzero(green > 60)
            assert np.hypot(xs.mean() - points[4, 0], ys.mean() - points[4, 1]) < 1.5


def test_pixels_are_normalised_as_the_spec_says():
    spec = NetworkSpec("x", "X", "2020", "temporal", mean=(10, 20, 30), std=(2, 4, 5))
    images = np.zeros((1, 2, 4, 4, 3), np.uint8)
    images[0, 1, 2, 3] = (12, 28, 40)
    pixels = clip_pixels(images, spec)
    assert pixels.shape == (1, 2, 3, 4, 4)
    assert pixels.dtype == torch.float32
    assert pixels[0, 1, :, 2, 3].tolist() == [1, 2, 2]
    assert pixels[0, 0, :, 0, 0].tolist() == [-5, -5, -6]


# ------------------------------------------------------------------------- bad input


def test_nothing_to_draw_from_is_explained(film: MemoryStore):
    crops = ClipCrops(64, (1.3, 1.3))
    none = ClipIndex(np.zeros((0, 4), np.int64), np.zeros(0, bool))
    with pytest.raises(UsageError, match="0 clips"):
        ClipSampler(film, none, {"face_flicker": 1.0}, crops)
    with pytest.raises(UsageError, match="0 forgeries"):
        sampler(film, forgeries={})
    with pytest.raises(UnknownEntry, match="no clip forgery called 'face_fliker'"):
        sampler(film, forgeries={"face_fliker": 1.0})
