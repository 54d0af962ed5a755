"""What is gathered about one followed face while frames go by: sums, a thinned timeline, one crop.

Memory does not grow with the length of the film: statistics are running sums, and the timeline
keeps every k-th point once it has grown long.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unmask.scanning.gate import face_reasons
from unmask.types import Reason, TimelinePoint

if TYPE_CHECKING:
    from unmask.types import Face, Floats, Frame, Image

TIMELINE_POINTS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face in one frame, scored.

    Attributes:
        frame_index: Index of the frame among those looked at.
        pts_s: Its time in seconds.
        face: The face.
        logit: The detector's score.
        crop: (S, S, 3) aligned face that was scored.
        map: (h, w) manipulation map, 0..1, or None.
    """

    frame_index: int
    pts_s: float
    face: Face
    logit: float
    crop: Image
    map: Floats | None


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
    best: Sighting | None = None
    timeline: list[TimelinePoint] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Reason] = field(default_factory=dict)
    _best_rank: tuple[bool, float] = (False, float("-inf"))
    _every: int = 1

    def add(self, seen: Sighting) -> None:
        """Take in one more sighting; they come in order of time."""
        quality = seen.face.quality
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
        if (judged, seen.logit) > self._best_rank:
            self._best_rank, self.best = (judged, seen.logit), seen

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
                    bbox_xyxy=rounded_box(seen.face.bbox_xyxy),
                    logit=round(seen.logit, 4),
                    face_px=round(seen.face.quality.face_px, 1),
                    in_scope=judged,
                )
            )
        if len(self.timeline) > TIMELINE_POINTS:
            self.timeline = self.timeline[::2]
            self._every *= 2


@dataclass(slots=True)
class ScoreTimeline:
    """Mean score of all judged faces over time, in at most so many intervals."""

    times: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    frames: int = 0
    _every: int = 1

    def add(self, frame: Frame, logits: list[float]) -> None:
        """Take in the scores of one frame."""
        if self.frames % self._every == 0:
            self.times.append(frame.pts_s)
            self.scores.append(0.0)
            self.counts.append(0)
        self.scores[-1] += sum(logits)
        self.counts[-1] += len(logits)
        self.frames += 1
        if len(self.times) > TIMELINE_POINTS:
            self._halve()

    def _halve(self) -> None:
        def pairs(values: list[float]) -> list[float]:
            return [sum(values[i : i + 2]) for i in range(0, len(values), 2)]

        self.scores = pairs(self.scores)
        self.counts = [int(count) for count in pairs([float(c) for c in self.counts])]
        self.times = self.times[::2]
        self._every *= 2


def rounded_box(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box to a tenth of a pixel: more digits would only pretend."""
    left, top, right, bottom = (round(value, 1) for value in box)
    return left, top, right, bottom
