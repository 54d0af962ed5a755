"""All that a comparison measured, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unmask.bench.comparison.entries import IMAGE, Entry
from unmask.bench.comparison.measures import RESAMPLES

if TYPE_CHECKING:
    from unmask.bench.comparison.costs import Costs
    from unmask.bench.comparison.embedding import Embedding
    from unmask.bench.comparison.heat_map_panels import HeatMapPanel
    from unmask.bench.comparison.stress import StressPoint
    from unmask.bench.comparison.tables import Record, Tables


@dataclass(frozen=True, slots=True)
class Published:
    """A number from elsewhere, set beside ours: never measured here."""

    name: str
    data_set: str
    auc: float
    source: str
    level: str = IMAGE


@dataclass(frozen=True, slots=True)
class Failure:
    """A detector, or a part of its measurement, that came to nothing."""

    detector: str
    stage: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All that was measured.

    Attributes:
        title: Heading.
        about: What was asked, in a paragraph.
        facts: Terms and texts: budget, data, seeds, machine.
        tables: What follows from the scores.
        entries: Detectors with their scores, image level.
        robustness: Points of the curves over degradations.
        adversarial: Points of the curves over attacks.
        costs: Costs by detector.
        embeddings: Features laid out.
        heat_maps: Where networks looked.
        published: Numbers from elsewhere.
        failures: What came to nothing.
        resamples: Of each bootstrap.
    """

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    tables: Tables
    entries: Sequence[Entry]
    robustness: Sequence[StressPoint] = ()
    adversarial: Sequence[StressPoint] = ()
    costs: dict[str, Costs] = field(default_factory=dict)
    embeddings: Sequence[Embedding] = ()
    heat_maps: Sequence[HeatMapPanel] = ()
    published: Sequence[Published] = ()
    failures: Sequence[Failure] = ()
    resamples: int = RESAMPLES

    def data_sets(self) -> list[str]:
        """Sets that were tested on, in order; the first is what detectors are ranked by."""
        return list(dict.fromkeys(record.data_set for record in self.tables.overall))

    def ranked(self, data_set: str, level: str = IMAGE) -> list[Record]:
        """Records of one set and level, the highest AUC first, those without one last."""
        mine = [r for r in self.tables.overall if (r.data_set, r.level) == (data_set, level)]
        return sorted(mine, key=lambda r: -(r.cell["auc"].value or 0.0))

    def order(self) -> list[str]:
        """Names of the detectors, the best on the first set first."""
        return list(dict.fromkeys(r.detector for r in self.ranked(self.data_sets()[0])))
