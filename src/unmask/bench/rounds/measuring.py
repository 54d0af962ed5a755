"""Looking at a detector between rounds: its threshold, held-out families, false alarms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.bench.comparison.measures import measure
from unmask.train.scoring import score_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore
    from unmask.networks.base import DetectorNetwork


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one round.

    Attributes:
        test: Name of the faces.
        method: Family, ``real`` for false alarms.
        metric: ``auc``, ``missed`` or ``false_alarms``.
        value: The number; None where there are too few faces.
        low, high: Its 95 % interval over originals.
        count: Fakes (or reals) that it rests on.
    """

    test: str
    method: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    count: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def logits_of(network: DetectorNetwork, store: FaceStore) -> NDArray[np.float64]:
    """(N,) logits of a whole store, in its order."""
    return score_store(network, store, np.arange(len(store)), with_features=False).logits


def threshold_at(network: DetectorNetwork, reals: FaceStore, rate: float) -> float:
    """The logit that this share of real faces reaches."""
    return float(np.quantile(logits_of(network, reals), 1 - rate))


def figures_of(
    network: DetectorNetwork,
    tests: Mapping[str, FaceStore],
    threshold: float,
    resamples: int,
) -> list[Figure]:
    """Every family of every test, and the false alarms of its real faces."""
    found: list[Figure] = []
    for name, store in tests.items():
        columns, logits = store.columns, logits_of(network, store)
        real = columns.y_true == 0
        for method in sorted(set(columns.method[~real].tolist())):
            mine = real | (columns.method == method)
            cell = measure(
                columns.y_true[mine], logits[mine][None], columns.source_id[mine],
                thresholds=threshold, resamples=resamples,
            )  # fmt: skip
            auc, hits = cell["auc"], cell["hits"]
            found.append(Figure(name, method, "auc", auc.value, auc.low, auc.high,
                                cell.counts.fakes))  # fmt: skip
            value, low, high = (
                None if one is None else 1 - one for one in (hits.value, hits.high, hits.low)
            )
            found.append(Figure(name, method, "missed", value, low, high, cell.counts.fakes))
            alarms = cell["false_alarms"]
        found.append(Figure(name, "real", "false_alarms", alarms.value, alarms.low, alarms.high,
                            int(real.sum())))  # fmt: skip
    return found
