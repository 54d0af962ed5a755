"""Every face of every frame: found, followed as a person, and told apart by shot.

The first pass of extraction and of converting. It keeps landmarks and no pictures, so that
smoothing can look ahead: about 55 kB a face, and so 5 GB for an hour of one person at 25 frames a
second. Longer films are converted in stretches (``--trim``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

import cv2
import numpy as np
from msgspec import Struct

from unmask.errors import UsageError
from unmask.faces import assets
from unmask.faces.finder import FaceFinder
from unmask.faces.tracking import Tracker
from unmask.forge.alignments import SeenFace, seen_face
from unmask.media import Sampling
from unmask.types import Face, Frame, Quality

if TYPE_CHECKING:
    from unmask.media import Media
    from unmask.types import Floats, Image, MediaInfo

_MAX_FACES = 8
# Following looks only where faces were, so somebody who comes in is met at the next search.
_SEARCH_EVERY = 25
_FOLLOW_WITHIN_S = 0.25
_THUMB_PX = 32
# Mean difference of grey levels between neighbouring frames: handheld cameras stay below 15.
_CUT_LEVELS = 28.0


class SeenFrame(Struct, frozen=True, kw_only=True):
    """What was found in one frame.

    Attributes:
        number: Of the frame in the film, from 0.
        pts_s: Its time.
        shot: Number of its shot, from 0.
        faces: The largest first.
    """

    number: int
    pts_s: float
    shot: int
    faces: list[SeenFace]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which frames of a film are looked at.

    Attributes:
        every: Each ``every``-th.
        frames: So many, spread evenly; None: all.
        start_s: From this second on.
        end_s: Up to this second; None: to the end.

    Raises:
        UsageError: The numbers make no sense, or both ways of thinning out are asked for.
    """

    every: int = 1
    frames: int | None = None
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.every < 1 or (self.frames is not None and self.frames < 1):
            raise UsageError(
                f"Every {self.every} frames, {self.frames} in all, were asked for.",
                hint="Both must be at least 1.",
            )
        if self.every > 1 and self.frames is not None:
            raise UsageError(
                "--every and --frames both say which frames are taken.", hint="Give one of them."
            )
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageError(
                f"The stretch from {self.start_s:g} s to {self.end_s:g} s has no length.",
                hint="Give --trim START:END with END after START.",
            )

    @property
    def sampling(self) -> Sampling:
        """What the media room is asked for."""
        return Sampling(self.frames)

    def count(self, info: MediaInfo) -> int | None:
        """About how many frames are chosen, or None where the file does not say."""
        if info.kind == "image":
            return 1
        if info.frame_count is None or self.frames is not None:
            return self.frames
        first_s, last_s = self.start_s, info.duration_s or 0.0
        if self.end_s is not None:
            last_s = min(last_s, self.end_s)
        share = (last_s - first_s) / info.duration_s if info.duration_s else 1.0
        return max(1, round(info.frame_count * min(1.0, max(0.0, share)) / self.every))

    def of(self, media: Media) -> Iterator[tuple[int, Frame]]:
        """The chosen frames with their numbers in the film."""
        rate = media.info.frame_rate or 0.0
        for frame in media.frames():
            if frame.pts_s < self.start_s - 1e-6:
                continue
            if self.end_s is not None and frame.pts_s >= self.end_s - 1e-6:
                return
            # Spread frames are counted by the reader, so their number is told by their time.
            number = frame.index if self.frames is None else round(frame.pts_s * rate)
            if self.frames is not None or number % self.every == 0:
                yield number, frame


@cache
def shared_finder() -> FaceFinder:
    """One finder a process: loading its models takes longer than searching a small picture.

    Raises:
        ModelUnavailable: The face models cannot be fetched.
    """
    assets.ensure()
    return FaceFinder(max_faces=_MAX_FACES)


class Follower:
    """Finds the faces of one film, frame after frame.

    What is kept of a face is rounded first and used afterwards, so a pass that was interrupted and
    is taken up with :meth:`recall` gives what an uninterrupted one would have given.

    Args:
        finder: From :func:`shared_finder`.
    """

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._tracker = Tracker()
        self._previous: list[Face] = []
        self._thumb: Floats | None = None
        self._pts_s = 0.0
        self._seen = 0
        self._shot = 0

    def see(self, number: int, frame: Frame) -> SeenFrame:
        """Find the faces of the next frame."""
        cut = self._is_cut(frame.image)
        faces = sorted(self._faces(frame, cut=cut), key=lambda face: -face.quality.face_px)
        plain = [_plain(seen_face(face, 0)) for face in faces]
        tracks = self._tracker.update(frame.image, plain, frame.pts_s)
        self._remember(frame, plain, self._shot + cut)
        seen = [seen_face(face, track) for face, track in zip(plain, tracks, strict=True)]
        return SeenFrame(number=number, pts_s=frame.pts_s, shot=self._shot, faces=seen)

    def recall(self, frame: Frame, seen: SeenFrame) -> None:
        """Take over what was found in a frame before an interruption."""
        self._is_cut(frame.image)
        plain = [_plain(face) for face in seen.faces]
        self._tracker.update(frame.image, plain, frame.pts_s)
        self._remember(frame, plain, seen.shot)

    def _remember(self, frame: Frame, faces: list[Face], shot: int) -> None:
        self._previous, self._pts_s, self._shot = faces, frame.pts_s, shot
        self._seen += 1

    def _faces(self, frame: Frame, *, cut: bool) -> list[Face]:
        search = cut or not self._previous or self._seen % _SEARCH_EVERY == 0
        if not search and frame.pts_s - self._pts_s <= _FOLLOW_WITHIN_S:
            followed = self._finder.follow(frame.image, self._previous)
            if followed is not None:
                return followed
        thorough = self._seen == 0 or (not self._previous and self._seen % _SEARCH_EVERY == 0)
        return self._finder.find(frame.image, thorough=thorough)

    def _is_cut(self, image: Image) -> bool:
        small = cv2.resize(image, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA)
        thumb = np.asarray(small, np.float32).mean(2)
        before, self._thumb = self._thumb, thumb
        return before is not None and float(np.abs(thumb - before).mean()) > _CUT_LEVELS


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person followed through one film.

    Attributes:
        number: Of the track.
        frames: The frames that show it, in order of time.
        faces: The face in each of them.
        places: Which face of its frame each is, from 0.
    """

    number: int
    frames: list[SeenFrame]
    faces: list[SeenFace]
    places: list[int]

    def landmarks(self) -> Floats:
        """(T, 468, 2) float32 in pixels of the frames."""
        return np.stack([face.points() for face in self.faces])


def chosen_tracks(frames: list[SeenFrame], which: str | int) -> list[Track]:
    """Pick the faces that are asked for.

    Args:
        frames: Of one film, in order of time.
        which: ``largest``: in each shot the person who is largest in it, so that two people of
            like size do not take turns; ``all``; or the N-th largest person of the film, from 1.

    Returns:
        Tracks, the one with most pixels first.

    Raises:
        UsageError: There is no N-th person.
    """
    sizes = _sizes(frames)
    ranked = sorted(sizes, key=lambda track: (-sizes[track], track))
    if isinstance(which, int):
        if not 1 <= which <= len(ranked) and ranked:
            people = "1 person" if len(ranked) == 1 else f"{len(ranked)} people"
            raise UsageError(
                f"Face {which} was asked for, but the film shows {people}.",
                hint=f"Give --face 1 .. {len(ranked)}, largest or all.",
            )
        wanted = {(frame.shot, ranked[which - 1]) for frame in frames} if ranked else set()
    elif which == "largest":
        wanted = _largest(frames)
    else:
        wanted = {(frame.shot, face.track) for frame in frames for face in frame.faces}
    tracks = {number: Track(number, [], [], []) for number in ranked}
    for frame in frames:
        for place, face in enumerate(frame.faces):
            if (frame.shot, face.track) in wanted:
                track = tracks[face.track]
                track.frames.append(frame)
                track.faces.append(face)
                track.places.append(place)
    return [track for track in tracks.values() if track.frames]


def people_at_once(frames: list[SeenFrame]) -> int:
    """The largest number of faces that one frame shows."""
    return max((len(frame.faces) for frame in frames), default=0)


def _sizes(frames: list[SeenFrame]) -> dict[int, float]:
    sizes: dict[int, float] = {}
    for frame in frames:
        for face in frame.faces:
            sizes[face.track] = sizes.get(face.track, 0.0) + face.face_px
    return sizes


def _largest(frames: list[SeenFrame]) -> set[tuple[int, int]]:
    """For each shot the largest track, and tracks that are never seen beside a chosen one.

    A person who was away for a while comes back under another number.
    """
    wanted: set[tuple[int, int]] = set()
    for shot, some in groupby(frames, key=lambda frame: frame.shot):  # shots follow each other
        inside = list(some)
        sizes = _sizes(inside)
        chosen: set[int] = set()
        for track in sorted(sizes, key=lambda number: (-sizes[number], number)):
            together = any(
                track in tracks and chosen & tracks
                for tracks in ({face.track for face in frame.faces} for frame in inside)
            )
            if not together:
                chosen.add(track)
        wanted |= {(shot, track) for track in chosen}
    return wanted


def _plain(seen: SeenFace) -> Face:
    """A face as it is known after rounding."""
    points = seen.points()
    low, high = points.min(0), points.max(0)
    box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    quality = Quality(
        face_px=seen.face_px,
        sharpness=seen.sharpness,
        yaw_deg=seen.yaw_deg,
        pitch_deg=seen.pitch_deg,
        roll_deg=seen.roll_deg,
        landmark_score=seen.landmark_score,
        visible_fraction=seen.visible_fraction,
    )
    return Face(box, seen.score, points, None, quality)
