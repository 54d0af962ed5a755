"""What was promised, held against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unmask.bench.results import Row, Section


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise.

    Attributes:
        text: The promise in words.
        section: Key of the section that measures it.
        row: Key of the row in it.
        at: Whether the value must be ``least`` (at least) or ``most`` (at most) the limit.
        limit: The limit, in the unit of the row.
    """

    text: str
    section: str
    row: str
    at: Literal["least", "most"]
    limit: float

    def reached(self, row: Row) -> bool | None:
        """Whether a measured row keeps the promise; None where nothing was measured."""
        if row.value is None:
            return None
        return row.value >= self.limit if self.at == "least" else row.value <= self.limit


GOALS = (
    Goal("AUC on dfdc_faces/val, image level, at least 0.90 (aim 0.95)",
         "dfdc_val", "auc", "least", 0.90),
    Goal("Faces found in at least 98 % of the crops of dfdc_faces/val",
         "dfdc_val", "faces_found", "least", 0.98),
    Goal("ECE on held-out data at most 0.05", "dfdc_val", "ece", "most", 0.05),
    Goal("At most 1 of the films in clips/real called manipulated",
         "clips_real", "manipulation_supported_real", "most", 1.0),
    Goal("All fakes of clips/ghost_swap above their original",
         "ghost_swap", "pair_order", "least", 1.0),
    Goal("AUC on clips/unseen_dev, video level: aim 0.75", "unseen_dev", "auc", "least", 0.75),
    Goal("Pairs of clips/unseen_dev with the fake above its original: aim 80 %",
         "unseen_dev", "pair_order", "least", 0.80),
    Goal("`unmask --help` in at most 0.3 s", "speed", "help", "most", 0.3),
    Goal("60 s 720p30 film at the default 32 frames in at most 3 s, with start-up",
         "speed", "film_default", "most", 3.0),
    Goal("`--frames all` in at most 3 times what PyAV alone needs to decode to RGB",
         "speed", "all_over_decode", "most", 3.0),
    Goal("Peak memory at most 600 MB", "speed", "peak", "most", 600.0),
    Goal("Peak memory flat in the film's length: 240 s over 10 s at most 1.1",
         "speed", "peak_growth", "most", 1.1),
    Goal("100 pictures at least 5 times faster in one call than in 100",
         "speed", "calls_ratio", "least", 5.0),
)  # fmt: skip


def measured(goal: Goal, sections: Mapping[str, Section]) -> Row | None:
    """The row that a goal speaks of, or None where its section was never measured."""
    section = sections.get(goal.section)
    return section.row(goal.row) if section is not None else None
