"""What is gathered about one followed face while frames go by: sums, a thinned timeline, one crop.

Memory does not grow with the length of the film: statistics are running sums, and the timeline
keeps every k-th point once it has grown long.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmask.scanning.gate import face_reasons
from unmask.types import Reason, TimelinePoint

if TYPE_CHECKING:
    from unmask.types import Floats, Image, Quality

TIMELINE_POINTS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face in one frame, scored.

    Attributes:
        frame_index: Index of the frame among those looked at.
        pts_s: Its time in seconds.
        bbox_xyxy: Box of the face in pixels of the frame.
        quality: How well it can be judged.
        logit: The detector's score.
        crop: (S, S, 3) aligned face that was scored.
        map: (h, w) manipulation map, 0..1, or None.
    """

    frame_index: int
    pts_s: float
    bbox_xyxy: tuple[float, float, float, float]
    quality: Quality
    logit: float
    crop: Image
    map: Floats | None


@dataclass(slots=True, eq=False)
class Best:
    """The sighting of a track in which the detector found most.

    Attributes:
        frame_index: Index of the frame among those looked at.
        pts_s: Its time in seconds.
        bbox_xyxy: Box of the face in pixels of the frame.
        map_peak: Highest value of the manipulation map, 0..1; 0 without one.
        crop: (S, S, 3) aligned face, or None once it was let go.
        map: (h, w) manipulation map, or None.
    """

    frame_index: int
    pts_s: float
    bbox_xyxy: tuple[float, float, float, float]
    map_peak: float
    crop: Image | None
    map: Floats | None

    @classmethod
    def of(cls, seen: Sighting) -> Best:
        """Keep what is shown of a sighting, and nothing of the batch it came in."""
        peak = float(seen.map.max()) if seen.map is not None else 0.0
        chart = None if seen.map is None else np.array(seen.map)
        return cls(seen.frame_index, seen.pts_s, seen.bbox_xyxy, peak, seen.crop, chart)


@dataclass(slots=True, eq=False)
class TrackEvidence:
    """Everything kept about one track."""

    track_id: int
    frames: int = 0
    judged: int = 0
    above_zero: int = 0
    logit_sum: float = 0.0
    face_px_sum: float = 0.0
    sharpness_sum: float = 0.0
    yaw_sum: float = 0.0
    best: Best | None = None
    timeline: list[TimelinePoint] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Reason] = field(default_factory=dict)
    best_rank: tuple[bool, float] = (False, float("-inf"))
    _every: int = 1

    def add(self, seen: Sighting) -> None:
        """Take in one more sighting; they come in order of time."""
        quality = seen.quality
        reasons = face_reasons(quality)
        for reason in reasons:
            self.why_not[reason.code] += 1
            self.reasons.setdefault(reason.code, reason)
        judged = not reasons
        self._keep_point(seen, judged=judged)
        self.frames += 1
        self.face_px_sum += quality.face_px
        self.sharpness_sum += quality.sharpness
        self.yaw_sum += abs(quality.yaw_deg)
        if judged:
            self.judged += 1
            self.logit_sum += seen.logit
            self.above_zero += seen.logit > 0
        if (judged, seen.logit) > self.best_rank:
            self.best_rank, self.best = (judged, seen.logit), Best.of(seen)

    def let_go_of_picture(self) -> None:
        """Free the picture of the best sighting; where and when it was stays known."""
        if self.best is not None:
            self.best.crop = self.best.map = None

    @property
    def score(self) -> float | None:
        """Mean logit of the frames that can be judged, or None."""
        return self.logit_sum / self.judged if self.judged else None

    def main_reason(self) -> Reason | None:
        """The reason that kept most frames from being judged."""
        common = self.why_not.most_common(1)
        return self.reasons[common[0][0]] if common else None

    def _keep_point(self, seen: Sighting, *, judged: bool) -> None:
        if self.frames % self._every == 0:
            self.timeline.append(
                TimelinePoint(
                    frame_index=seen.frame_index,
                    pts_s=round(seen.pts_s, 6),
                    bbox_xyxy=rounded_box(seen.bbox_xyxy),
                    logit=round(seen.logit, 4),
                    face_px=round(seen.quality.face_px, 1),
                    in_scope=judged,
                )
            )
        if len(self.timeline) > TIMELINE_POINTS:
            self.thin()

    def thin(self) -> None:
        """Keep every other point of the timeline, and from now on half as many."""
        self.timeline = self.timeline[::2]
        self._every *= 2


@dataclass(slots=True)
class ScoreTimeline:
    """Sum and number of the judged faces' scores over time, in at most so many stretches.

    Attributes:
        times: Start of each stretch in seconds.
        scores: Sum of the logits in each.
        counts: Number of logits in each; 0 where no face could be judged.
        frames: Frames seen so far.
    """

    times: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    frames: int = 0
    _every: int = 1

    def see(self, pts_s: float) -> int:
        """Take note of the next frame, with a face or without; return its number."""
        if self.frames % self._every == 0:
            self.times.append(pts_s)
            self.scores.append(0.0)
            self.counts.append(0)
        self.frames += 1
        if len(self.times) > TIMELINE_POINTS:
            self._halve()
        return self.frames - 1

    def add(self, number: int, logit: float) -> None:
        """Take in one judged face of frame ``number``, which may lie some frames back."""
        stretch = number // self._every
        self.scores[stretch] += logit
        self.counts[stretch] += 1

    def _halve(self) -> None:
        self.times = self.times[::2]
        self.scores = [sum(self.scores[i : i + 2]) for i in range(0, len(self.scores), 2)]
        self.counts = [sum(self.counts[i : i + 2]) for i in range(0, len(self.counts), 2)]
        self._every *= 2


def rounded_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box to a tenth of a pixel: more digits would only pretend."""
    left, top, right, bottom = (round(value, 1) for value in box)
    return left, top, right, bottom
