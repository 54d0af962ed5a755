"""What generators are trained on: tracks of aligned faces, held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

SHORTEST_TO_SPLIT = 10
"""Frames that a film must have for its end to be held out."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """One face over the T frames of a film, or one picture (T = 1), aligned.

    Attributes:
        name: Of the film or picture: what it is grouped by.
        person: Whose face, as far as the material says; by default the name.
        images: (T, S, S, 3) uint8 RGB crops, upright, cut with ``margin`` by the one alignment
            of :mod:`unmask.forge.alignments`.
        landmarks: (T, 468, 2) float32 mesh points in the crops' pixels, whose centres have whole
            numbers.
        pts_s: (T,) float64 times in the film.
        frame_rate: Frames a second that the film had; 0 for a picture.
        audio: (N,) float32 mono at 16 kHz, from the film's time 0, or None.
    """

    name: str
    images: Pixels
    landmarks: Floats
    pts_s: NDArray[np.float64]
    frame_rate: float = 0.0
    audio: Floats | None = None
    person: str = ""

    def __len__(self) -> int:
        return len(self.images)

    def part(self, first: int, last: int) -> FaceTrack:
        """Frames ``first`` .. ``last - 1``; the audio stays whole, as times do."""
        return FaceTrack(
            self.name, self.images[first:last], self.landmarks[first:last],
            self.pts_s[first:last], self.frame_rate, self.audio, self.person,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Tracks to train on and tracks that are held out.

    Attributes:
        tracks: To train on; with two people, those of the first.
        held_out: Never trained on; with two people, those of the first.
        other: With two people, those of the second.
        other_held_out: Likewise.
        margin: Side of the crops over the longer side of the face hull.
        sources: Files or folders it came from, for the run's record.
    """

    tracks: Sequence[FaceTrack]
    held_out: Sequence[FaceTrack]
    other: Sequence[FaceTrack] = ()
    other_held_out: Sequence[FaceTrack] = ()
    margin: float = 1.5
    sources: Sequence[Path] = field(default=())

    def __post_init__(self) -> None:
        if not self.tracks or not sum(map(len, self.tracks)):
            raise UsageError(
                "There is no face to train on.",
                hint="Give a folder that 'unmask forge extract' wrote, or one of pictures.",
            )


def scaled_landmarks(landmarks: Floats, scale: float) -> Floats:
    """Points in a picture that is ``scale`` times as large.

    The middle of the first pixel is 0, not its corner, so that points go where
    :func:`cv2.resize` takes the pixels.

    Args:
        landmarks: (..., 2) in pixels.
        scale: New side over old side.
    """
    return np.asarray((landmarks + 0.5) * scale - 0.5, np.float32)


def hold_out_tail(track: FaceTrack, share: float = 0.1) -> tuple[FaceTrack, FaceTrack]:
    """Split a film by time: neighbours of a held-out frame are nearly the frame itself.

    Returns:
        The track without its end, and its end of at least one frame.

    Raises:
        UsageError: The track has fewer than ten frames.
    """
    if len(track) < SHORTEST_TO_SPLIT:
        raise UsageError(
            f"{track.name} has {len(track)} faces; at least {SHORTEST_TO_SPLIT} are needed to "
            "train and check.",
            hint="Extract more frames of it, or a longer film.",
        )
    cut = len(track) - max(1, round(len(track) * share))
    return track.part(0, cut), track.part(cut, len(track))


def hold_out_tracks(
    tracks: Sequence[FaceTrack], share: float = 0.1, seed: int = 0
) -> tuple[list[FaceTrack], list[FaceTrack]]:
    """Split whole tracks, so that no picture or film is on both sides.

    Persons are kept on one side where tracks name them.

    Raises:
        UsageError: There are fewer than two persons.
    """
    persons = sorted({track.person or track.name for track in tracks})
    if len(persons) < 2:
        raise UsageError(
            f"{len(persons)} person or picture came; at least two are needed to hold one out.",
            hint="Give more folders or pictures.",
        )
    count = max(1, round(len(persons) * share))
    chosen = np.random.default_rng(seed).permutation(len(persons))[:count]
    out = {persons[number] for number in chosen}
    kept = [track for track in tracks if (track.person or track.name) not in out]
    held = [track for track in tracks if (track.person or track.name) in out]
    return kept, held
