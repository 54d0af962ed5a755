"""Clips: runs of frames of one face, read into one common picture plane.

A face store keeps the square around the face of each frame. Where it also knows where each square
lay in its frame (shards do: the column ``crop_xyxy``), a clip is put back into the plane of the
film, and the head moves in it as it did. Where it does not, frames are laid on the first one by
the mesh, which takes the motion of the whole head out and leaves what the face does in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import UsageError
from unmask.faces.mesh import Region, upright_region
from unmask.forgeries.clip import RealClip

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore, StoredFace
    from unmask.types import Floats, Image

# A gap of more than one and a half usual steps is a frame without the face, or another burst.
_SAME_RUN = 1.5
_WIDEST_REGION = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class ClipIndex:
    """Which rows of a store make which clip.

    Attributes:
        rows: (C, T) rows, in order of time.
        repeats: (C,) bool: there were fewer than T frames, so some come more than once.
    """

    rows: NDArray[np.int64]
    repeats: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


def clip_index(
    store: FaceStore,
    frames: int,
    *,
    rows: NDArray[np.int64] | None = None,
    stride: int = 1,
    hop: int | None = None,
) -> ClipIndex:
    """Cut the frames of each face of each film into clips.

    Frames are sorted by ``frame_index`` within one ``video_id`` and, where the store knows them
    apart (``person``), one face. A run ends where the step to the next frame is larger than one
    and a half times the film's usual step: a clip never reaches over a gap or from one burst to
    the next. A face none of whose runs is long enough gives one clip: its longest run played
    forwards and backwards until it is full; shorter runs beside a long one are left out.

    Args:
        store: The faces.
        frames: Frames of a clip, T.
        rows: Rows that may be used; None: all.
        stride: Take every ``stride``-th frame of a run.
        hop: Frames from the start of one clip to that of the next; None: a clip's length, so that
            no two share a frame.

    Raises:
        UsageError: ``frames``, ``stride`` or ``hop`` is below 1.
    """
    reach = (frames - 1) * stride + 1
    hop = reach if hop is None else hop
    if min(frames, stride, hop) < 1:
        raise UsageError(
            f"Clips of {frames} frames with stride {stride} and hop {hop} were asked for.",
            hint="All three must be at least 1.",
        )
    chosen = np.arange(len(store)) if rows is None else np.asarray(rows, np.int64)
    clips: list[NDArray[np.int64]] = []
    repeats: list[bool] = []
    for face in _faces_of(store, chosen):
        runs = _runs(face, store.columns.frame_index[face])
        long = [run for run in runs if len(run) >= reach]
        for run in long:
            starts = range(0, len(run) - reach + 1, hop)
            clips += [run[start : start + reach : stride] for start in starts]
            repeats += [False] * len(starts)
        if not long:
            run = max(runs, key=len)
            clips.append(run[_to_and_fro(len(run), frames, stride)])
            repeats.append(True)
    if not clips:
        return ClipIndex(np.zeros((0, frames), np.int64), np.zeros(0, bool))
    return ClipIndex(np.stack(clips).astype(np.int64), np.array(repeats))


def _faces_of(store: FaceStore, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each face of each film, in order of time; films as they first occur."""
    columns = store.columns.take(rows)
    person = _column(store, "person")
    people = np.zeros(len(rows), int) if person is None else person[rows].astype(int)
    groups: dict[tuple[str, str, int], list[int]] = {}
    for number, key in enumerate(zip(columns.data_set, columns.video_id, people, strict=True)):
        groups.setdefault((str(key[0]), str(key[1]), int(key[2])), []).append(number)
    order = columns.frame_index
    return [rows[sorted(group, key=lambda number: order[number])] for group in groups.values()]


def _runs(rows: NDArray[np.int64], frame_index: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    steps = np.diff(frame_index.astype(np.int64))
    if not len(steps):
        return [rows]
    usual = max(1.0, float(np.median(steps)))
    return np.split(rows, np.flatnonzero(steps.astype(float) > _SAME_RUN * usual) + 1)


def _to_and_fro(length: int, frames: int, stride: int) -> NDArray[np.int64]:
    """Positions 0 1 2 1 0 1 2 ... in a run of ``length``, so that motion never jumps."""
    at = np.arange(frames) * stride % max(1, 2 * length - 2)
    return np.minimum(at, 2 * length - 2 - at).astype(np.int64)


def _column(store: FaceStore, name: str) -> NDArray[np.generic] | None:
    """A column that some stores know beside the common ones, or None."""
    read: Callable[[str], NDArray[np.generic]] | None = getattr(store, "column", None)
    if read is None:
        return None
    try:
        return read(name)
    except KeyError:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class StoredClip:
    """A clip as a store holds it, in one plane.

    Attributes:
        frames: The pictures, all of one size, and their landmarks.
        masks: T masks (H, W) float32, 0..1, or None where they are not known.
    """

    frames: RealClip
    masks: list[Floats] | None


class ClipReader:
    """Reads clips from a store; see the module for how frames are laid on each other.

    Args:
        store: The faces.
        max_side_px: Larger planes are reduced to this side: forging them costs less; None: none.

    Attributes:
        knows_place: Whether the store says where its squares lay in their frames.
    """

    def __init__(self, store: FaceStore, *, max_side_px: int | None = None) -> None:
        self._store, self._max_side_px = store, max_side_px
        boxes = _column(store, "crop_xyxy")
        self._boxes = None if boxes is None else np.stack(list(boxes)).astype(np.float64)
        self.knows_place = self._boxes is not None

    def read(self, rows: NDArray[np.int64]) -> StoredClip:
        """Read the frames ``rows`` (T,), in order of time.

        Raises:
            CorruptMedia: The bytes of a face are damaged.
        """
        clip = self._in_one_plane(rows)
        if self._max_side_px is None:
            return clip
        return _reduced(clip, self._max_side_px)

    def _in_one_plane(self, rows: NDArray[np.int64]) -> StoredClip:
        faces = {int(row): self._store.face(int(row)) for row in np.unique(rows)}
        frames = [faces[int(row)] for row in rows]
        if len(faces) == 1:
            identity = np.array([[1.0, 0, 0], [0, 1, 0]])
            height, width = frames[0].image.shape[:2]
            return _laid_out(frames, [identity] * len(frames), (width, height))
        if self._boxes is None:
            height, width = frames[0].image.shape[:2]
            first = frames[0].landmarks
            moves = [similarity(face.landmarks, first) for face in frames]
            return _laid_out(frames, moves, (width, height))
        return _in_the_film(frames, self._boxes[rows])


def _in_the_film(frames: list[StoredFace], boxes: NDArray[np.float64]) -> StoredClip:
    """Put squares back where they were cut, at the finest resolution that one was kept in."""
    stored_px = np.array([[face.image.shape[1], face.image.shape[0]] for face in frames])
    frame_px = boxes[:, 2:] - boxes[:, :2]
    kept = stored_px / frame_px
    scale = float(kept.max())
    corner = boxes[:, :2].min(0)
    size = np.ceil((boxes[:, 2:].max(0) - corner) * scale).astype(int)
    moves = []
    for number in range(len(frames)):
        grow = scale / kept[number]
        # Pixels are squares whose centres lie at whole numbers, hence the halves.
        shift = (boxes[number, :2] - corner) * scale + 0.5 * grow - 0.5
        moves.append(np.array([[grow[0], 0, shift[0]], [0, grow[1], shift[1]]]))
    return _laid_out(frames, moves, (int(size[0]), int(size[1])))


def _laid_out(
    frames: list[StoredFace], moves: list[NDArray[np.float64]], size: tuple[int, int]
) -> StoredClip:
    images: list[Image] = []
    masks: list[Floats] = []
    points = []
    for face, move in zip(frames, moves, strict=True):
        picture = cv2.warpAffine(
            face.image, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        images.append(np.asarray(picture, np.uint8))
        points.append(face.landmarks @ move[:, :2].T + move[:, 2])
        if face.mask is not None:
            masks.append(np.asarray(cv2.warpAffine(face.mask, move, size), np.float32))
    clip = RealClip(images, np.stack(points).astype(np.float32))
    return StoredClip(clip, masks if len(masks) == len(frames) else None)


def _reduced(clip: StoredClip, max_side_px: int) -> StoredClip:
    height, width = clip.frames.images[0].shape[:2]
    shrink = max_side_px / max(height, width)
    if shrink >= 1:
        return clip
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))

    def smaller(picture: Image | Floats) -> NDArray[Any]:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))

    scale = np.array([size[0] / width, size[1] / height], np.float32)
    points = np.asarray((clip.frames.landmarks + 0.5) * scale - 0.5, np.float32)
    frames = RealClip([smaller(image) for image in clip.frames.images], points)
    masks = None if clip.masks is None else [smaller(mask) for mask in clip.masks]
    return StoredClip(frames, masks)


def similarity(points: Floats, onto: Floats) -> NDArray[np.float64]:
    """The rotation, scale and shift that brings points nearest to others, by least squares.

    Args:
        points: (N, 2).
        onto: (N, 2).

    Returns:
        (2, 3) affine map.

    Source: Umeyama, IEEE PAMI 1991, equations 40 to 42, in two dimensions.
    """
    centre, goal = points.mean(0, dtype=np.float64), onto.mean(0, dtype=np.float64)
    here, there = points - centre, onto - goal
    along = float((here * there).sum())
    across = float((here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]).sum())
    spread = max(float((here**2).sum()), 1e-9)
    a, b = along / spread, across / spread
    turn = np.array([[a, -b], [b, a]])
    return np.concatenate([turn, (goal - turn @ centre)[:, None]], 1)


def clip_region(landmarks: Floats, margin: float) -> Region:
    """The one square that is cut out of every frame of a clip.

    It does not move: its centre and turn are the medians over the clip, so neither the noise of
    the mesh nor the motion of the head reaches the crop. It is as large as the median face wants,
    and larger by how far the head strays, up to one and a half times.

    Args:
        landmarks: (T, 468, 2) mesh points in the common plane.
        margin: Side over the longer side of the face hull, for a head that does not move.
    """
    each = [upright_region(points, margin) for points in landmarks]
    centres = np.array([region.centre for region in each])
    centre = np.median(centres, axis=0)
    side = float(np.median([region.side_px for region in each]))
    strays = float(np.abs(centres - centre).max())
    # Turns near half a circle wrap around, so their directions are averaged.
    rolls = np.array([region.roll_rad for region in each])
    roll = float(np.arctan2(np.median(np.sin(rolls)), np.median(np.cos(rolls))))
    side = min(side + 2 * strays / margin, _WIDEST_REGION * side)
    return Region((float(centre[0]), float(centre[1])), side, roll)
