"""The faces of one film or picture, followed over its sampled frames and cut out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.datasets.preprocessing import (
    CropBox,
    Preprocessing,
    burst_numbers,
    crop_box,
    difference_mask,
)
from unmask.errors import NoFrames
from unmask.media import Media, Sampling, open_media
from unmask.types import Face, Frame, Limits

if TYPE_CHECKING:
    from unmask.faces.finder import FaceFinder
    from unmask.types import Floats, Image

MAX_FACES = 4
"""Faces looked at in a frame, and people of a film that are told apart."""

# The tracker forgets after a while; frames that were sampled far apart follow each other here.
_LONGEST_STEP_S = 2.0
_FALLBACK_RATE = 25.0


@dataclass(frozen=True, slots=True, eq=False)
class FaceCut:
    """One face of one frame, as it will be stored.

    Attributes:
        place: Position among the sampled frames.
        frame_index: Number of the frame in its film.
        burst: Number of the burst it belongs to; of the frame where there are no bursts.
        pts_s: Its time.
        bbox_xyxy: Landmark hull in pixels of the frame.
        box: What was cut out of the frame.
        image: (H, W, 3) uint8 RGB.
        frame_landmarks: (468, 2) in pixels of the frame.
        landmarks: (468, 2) in pixels of ``image``.
        face_px, sharpness, yaw_deg: As in :class:`unmask.types.Quality`.
        person: 0 for the main person.
        mask: (H, W) float32, share of foreign pixels, or None where it is not known.
        mask_source: ``difference``, ``set`` or empty.
    """

    place: int
    frame_index: int
    burst: int
    pts_s: float
    bbox_xyxy: tuple[float, float, float, float]
    box: CropBox
    image: Image
    frame_landmarks: Floats
    landmarks: Floats
    face_px: float
    sharpness: float
    yaw_deg: float
    person: int = 0
    mask: Floats | None = None
    mask_source: str = ""

    def on(self, forged: Image) -> FaceCut:
        """The same place of a forgery of this frame, with what was changed as its mask."""
        from unmask.faces.quality import sharpness

        image = self.box.cut(forged)
        return replace(
            self,
            image=image,
            sharpness=sharpness(forged, self.frame_landmarks),
            mask=difference_mask(self.image, image),
            mask_source="difference",
        )


@dataclass(slots=True, eq=False)
class FilmFaces:
    """What was found in the sampled frames of one film or picture.

    Attributes:
        times_s: Time of each sampled frame.
        shape: Of its frames, (H, W, 3).
        frame_count, frame_rate: Of the film; 1 and 25 for a picture.
        people: The cuts of each person, those seen most first.
        stopped: Why not everything was decoded, or None.
    """

    times_s: list[float] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    frame_count: int = 1
    frame_rate: float = _FALLBACK_RATE
    people: list[list[FaceCut]] = field(default_factory=list)
    stopped: str | None = None

    def at(self, place: int) -> Iterator[tuple[int, FaceCut]]:
        """(number of the person, cut) of everybody seen in one frame."""
        for who, cuts in enumerate(self.people):
            for cut in cuts:
                if cut.place == place:
                    yield who, cut


def faces_in(path: Path, how: Preprocessing, finder: FaceFinder) -> FilmFaces:
    """Find, follow and cut out the faces of one film or picture.

    Raises:
        InputError: It cannot be read, or is too short for one burst.
    """
    from unmask.faces.tracking import Tracker

    film, tracker = FilmFaces(), Tracker()
    tracks: dict[int, list[FaceCut]] = {}
    search = _Search(finder, follow=how.burst > 1)
    clock_s = last_s = 0.0
    for number, burst, frame in _planned(path, how, film):
        place = len(film.times_s)
        film.times_s.append(frame.pts_s)
        film.shape = frame.image.shape
        faces = search.faces(frame.image, burst)
        clock_s += min(frame.pts_s - last_s, _LONGEST_STEP_S)
        last_s = frame.pts_s
        ids = tracker.update(frame.image, faces, clock_s)
        for face, track_id in zip(faces, ids, strict=True):
            cut = _cut(frame, face, how, place, number, burst)
            if cut is not None:
                tracks.setdefault(track_id, []).append(cut)
    people = [whole_bursts(cuts, how.burst) for cuts in tracks.values()]
    people.sort(key=lambda cuts: -sum(cut.face_px for cut in cuts))
    film.people = [cuts for cuts in people if cuts][:MAX_FACES]
    return film


def beside(path: Path, film: FilmFaces, how: Preprocessing) -> Iterator[tuple[int, Frame]]:
    """The frames of another film at the times that were sampled of ``film``.

    Args:
        path: A forgery or a mask film.
        film: What it was made from.
        how: Its sampling.

    Yields:
        (place in ``film.times_s``, frame), leaving out times at which it has no frame.

    Raises:
        InputError: It cannot be read.
    """
    slack_s = 0.5 / film.frame_rate + 1e-4
    with _open_beside(path, film, how) as media:
        place = 0
        for frame in media.frames():
            while place < len(film.times_s) and film.times_s[place] < frame.pts_s - slack_s:
                place += 1
            if place == len(film.times_s):
                return
            if film.times_s[place] <= frame.pts_s + slack_s:
                yield place, frame
                place += 1


def _open_beside(path: Path, film: FilmFaces, how: Preprocessing) -> Media:
    """Open with the cheapest sampling that hits the same times."""
    if how.burst == 1:
        media = open_media(path, limits=Limits(), sampling=Sampling(how.frames))
        count, rate = media.info.frame_count or 1, media.info.frame_rate or _FALLBACK_RATE
        if count == film.frame_count and abs(rate - film.frame_rate) < 0.01 * film.frame_rate:
            return media
        media.close()
    return open_media(path, limits=Limits(), sampling=Sampling(None))


class _Search:
    """Finds faces frame after frame, thoroughly only where that is likely to pay."""

    def __init__(self, finder: FaceFinder, *, follow: bool) -> None:
        self._finder, self._follow = finder, follow
        self._previous: list[Face] = []
        self._burst = -1

    def faces(self, image: Image, burst: int) -> list[Face]:
        faces = None
        if self._follow and burst == self._burst and self._previous:
            faces = self._finder.follow(image, self._previous)
        if faces is None:
            # The first frame, and those after a frame without faces.
            faces = self._finder.find(image, thorough=not self._previous)
        self._previous, self._burst = faces[:MAX_FACES], burst
        return self._previous


def _planned(path: Path, how: Preprocessing, film: FilmFaces) -> Iterator[tuple[int, int, Frame]]:
    """(number in the film, burst, frame) of the frames to take; fills in what the film is."""
    spread = how.burst == 1
    sampling = Sampling(how.frames if spread else None)
    with open_media(path, limits=Limits(), sampling=sampling) as media:
        info = media.info
        film.frame_count = info.frame_count or 1
        film.frame_rate = info.frame_rate or _FALLBACK_RATE
        if info.kind == "image":
            yield from ((0, 0, frame) for frame in media.frames())
        elif spread:
            last = -1
            for frame in media.frames():
                last = max(last + 1, round(frame.pts_s * film.frame_rate))
                yield last, frame.index, frame
        else:
            yield from _bursts(media, how, film.frame_count)
        film.stopped = media.stopped_early


def _bursts(media: Media, how: Preprocessing, count: int) -> Iterator[tuple[int, int, Frame]]:
    wanted = burst_numbers(count, how.frames, how.burst)
    if not wanted:
        raise NoFrames(f"It has {count} frames, fewer than one burst of {how.burst}.")
    last = max(wanted)
    for frame in media.frames():
        if frame.index in wanted:
            yield frame.index, wanted[frame.index], frame
        if frame.index >= last:
            return


def _cut(
    frame: Frame, face: Face, how: Preprocessing, place: int, number: int, burst: int
) -> FaceCut | None:
    box = crop_box(
        face.landmarks, frame.image.shape, margin=how.margin, max_side_px=how.max_side_px
    )
    if box is None:
        return None
    return FaceCut(
        place=place,
        frame_index=number,
        burst=burst,
        pts_s=frame.pts_s,
        bbox_xyxy=face.bbox_xyxy,
        box=box,
        image=box.cut(frame.image),
        frame_landmarks=face.landmarks,
        landmarks=box.points(face.landmarks),
        face_px=face.quality.face_px,
        sharpness=face.quality.sharpness,
        yaw_deg=face.quality.yaw_deg,
    )


def whole_bursts(cuts: list[FaceCut], burst: int) -> list[FaceCut]:
    """Without the bursts in which the face was lost on the way: half a clip is none."""
    if burst == 1:
        return cuts
    counts: dict[int, int] = {}
    for cut in cuts:
        counts[cut.burst] = counts.get(cut.burst, 0) + 1
    return [cut for cut in cuts if counts[cut.burst] == burst]
