"""From followed faces to squares: smoothed landmarks, a region a frame, and the crops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from unmask.faces.alignment import AlignedFace, align_region
from unmask.faces.mesh import Region, upright_region
from unmask.forge.alignments import FaceRecord, rounded_matrix, rounded_points
from unmask.forge.following import Choice, Follower, SeenFrame, Track, chosen_tracks
from unmask.forge.smoothing import SIGMA_S, smoothed_track
from unmask.train.clips import clip_region

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.faces.finder import FaceFinder
    from unmask.media import Media
    from unmask.types import Floats, Image


@dataclass(frozen=True, slots=True)
class CutSettings:
    """How faces are chosen and cut out.

    Attributes:
        size_px: Side of the crops.
        margin: Side over the longer side of the face hull.
        one_region: One square for all frames of a shot, so that the head moves in it.
        which: ``largest``, ``all``, or the number of a person; see
            :func:`unmask.forge.following.chosen_tracks`.
        sigma_s: Of the temporal smoothing; 0: none.
    """

    size_px: int = 256
    margin: float = 1.5
    one_region: bool = False
    which: str | int = "largest"
    sigma_s: float = SIGMA_S


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One face of one frame with the square to be cut.

    Attributes:
        track: Number of the person.
        index: Position of the frame in the person's track.
        frame: Where it was seen.
        place: Which face of the frame.
        landmarks: (468, 2) float32 smoothed, in pixels of the frame.
        region: The square.
    """

    track: int
    index: int
    frame: SeenFrame
    place: int
    landmarks: Floats
    region: Region


def placed_faces(frames: list[SeenFrame], settings: CutSettings) -> dict[int, list[Placed]]:
    """Say for each frame, by its number, which squares are cut out of it."""
    by_frame: dict[int, list[Placed]] = {}
    for track in chosen_tracks(frames, settings.which):
        for placed in placed_track(track, settings):
            by_frame.setdefault(placed.frame.number, []).append(placed)
    return by_frame


def placed_track(track: Track, settings: CutSettings) -> list[Placed]:
    """Smooth the landmarks of one person and lay a square around each face."""
    raw = track.landmarks()
    pts_s = [frame.pts_s for frame in track.frames]
    shots = [frame.shot for frame in track.frames]
    landmarks = smoothed_track(raw, pts_s, shots, sigma_s=settings.sigma_s)
    regions: list[Region] = []
    if settings.one_region:
        for run in _shot_slices(shots):
            regions += [clip_region(landmarks[run], settings.margin)] * len(shots[run])
    else:
        regions = [upright_region(points, settings.margin) for points in landmarks]
    rows = zip(track.frames, track.places, landmarks, regions, strict=True)
    return [
        Placed(track.number, index, frame, place, points, region)
        for index, (frame, place, points, region) in enumerate(rows)
    ]


def seen_frames(
    media: Media,
    choice: Choice,
    finder: FaceFinder,
    *,
    known: list[SeenFrame] | None = None,
    on_seen: Callable[[SeenFrame], None] | None = None,
    on_frame: Callable[[], None] | None = None,
) -> list[SeenFrame]:
    """Find the faces of the chosen frames.

    Args:
        media: The film or picture.
        choice: Which frames.
        finder: From :func:`unmask.forge.following.shared_finder`.
        known: What an interrupted pass over the same frames found.
        on_seen: Called with each frame that was searched now.
        on_frame: Called after each frame, searched now or before.
    """
    follower = Follower(finder)
    found: list[SeenFrame] = []
    known = known or []
    for number, frame in choice.of(media):
        if len(found) < len(known):
            seen = known[len(found)]
            follower.recall(frame, seen)
        else:
            seen = follower.see(number, frame)
            if on_seen is not None:
                on_seen(seen)
        found.append(seen)
        if on_frame is not None:
            on_frame()
    return found


def cut_faces(
    media: Media, choice: Choice, placed: dict[int, list[Placed]], size_px: int
) -> Iterator[tuple[Image, Placed, AlignedFace]]:
    """Cut the squares out of the film; yields the frame, the face and its crop."""
    for number, frame in choice.of(media):
        for face in placed.get(number, ()):
            yield frame.image, face, align_region(frame.image, face.region, size_px)


def face_record(file: str, source: str, face: Placed, matrix: Floats) -> FaceRecord:
    """What the alignments file says of one face.

    Args:
        file: Its picture or mask, below the folder of the file.
        source: Name of the film or picture.
        face: Where it was found and cut.
        matrix: (2, 3) from pixels of the frame to pixels of the crop.
    """
    seen = face.frame.faces[face.place]
    facts = {name: getattr(seen, name) for name in seen.__struct_fields__ if name != "landmarks"}
    return FaceRecord(
        **facts,
        landmarks=rounded_points(face.landmarks),
        file=file,
        source=source,
        frame=face.frame.number,
        pts_s=round(face.frame.pts_s, 6),
        face=face.place,
        shot=face.frame.shot,
        matrix=rounded_matrix(matrix),
    )


def _shot_slices(shots: list[int]) -> list[slice]:
    edges = [0, *(np.flatnonzero(np.diff(shots)) + 1).tolist(), len(shots)]
    return [slice(first, last) for first, last in pairwise(edges)]
