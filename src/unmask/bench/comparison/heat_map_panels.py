"""Where networks looked: heat maps of the faces they were surest of, and of those they got wrong.

These pictures show faces of the data sets. They are made only where a study asks for them, and
the page says that the sets' terms decide whether it may be handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unmask.bench.comparison.scores import TEST
from unmask.errors import UsageError
from unmask.explain.heat_maps import explain, methods_for
from unmask.explain.overlay import panel
from unmask.train.footage import FootageStore
from unmask.train.scoring import normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.bench.comparison.scores import ScoreTable
    from unmask.bench.comparison.study import HeatMaps, ScoredSet
    from unmask.bench.comparison.study_runs import Place, Run
    from unmask.datasets import FaceStore
    from unmask.networks import DetectorNetwork
    from unmask.types import Image

_MOST_METHODS = 3


@dataclass(frozen=True, slots=True, eq=False)
class HeatMapPanel:
    """The heat maps of one face by one network.

    Attributes:
        detector: Name of the network.
        caption: Which face it is, and what the network said.
        picture: (H, W, 3) uint8 RGB: the crop, and each heat map over it.
    """

    detector: str
    caption: str
    picture: Image


def panels_of(
    run: Run,
    network: DetectorNetwork,
    asked: HeatMaps,
    test: ScoredSet,
    table: ScoreTable,
    place: Place,
) -> Iterator[HeatMapPanel]:
    """Heat maps of one network's surest hits, worst misses and worst false alarms.

    Args:
        run: Of which the scores in ``table`` are.
        network: Its network.
        asked: How many faces, by which methods.
        test: The set that the faces are taken from.
        table: All scores.
        place: Where stores are.

    Raises:
        UsageError: The network takes clips.
    """
    if network.spec.modality != "image":
        raise UsageError("Heat maps show single crops; this network takes clips.")
    place.say(f"{run.choice.title}: heat maps")
    store = place.stores.get(test.path)
    methods = asked.methods or methods_for(network)[:_MOST_METHODS]
    row_of = {str(name): row for row, name in enumerate(store.columns.sample_id)}
    for kind, scored in _chosen(_scores(table, run, test), asked.faces):
        rows = np.array([row_of[name] for name in scored], np.int64)
        for name, crop in zip(scored, _crops(network, rows, store), strict=True):
            pixels = normalised(torch.from_numpy(crop), network.spec).contiguous().numpy()
            maps = [explain(network, pixels, method) for method in methods]
            said = f"{kind}, {name}: logit {maps[0].logit:+.2f}"
            yield HeatMapPanel(run.choice.title, said, panel(crop, maps))


def _scores(table: ScoreTable, run: Run, test: ScoredSet) -> ScoreTable:
    mine = table.of(run.choice.title)
    wanted = (mine.data_set == test.name) & (mine.seed == run.seed) & (mine.split == TEST)
    return mine.take(wanted & (mine.left_out == "")).scored()


def _chosen(scores: ScoreTable, count: int) -> Iterator[tuple[str, list[str]]]:
    """Names of samples by what they show; of one source, one."""
    kinds: Sequence[tuple[str, int, int]] = (
        ("fake scored highest", 1, -1),
        ("fake scored lowest", 1, 1),
        ("real scored highest", 0, -1),
    )
    for kind, label, way in kinds:
        part = scores.take(scores.y_true == label)
        names: dict[str, str] = {}
        for row in np.argsort(way * part.logit, kind="stable"):
            names.setdefault(str(part.source_id[row]), str(part.sample_id[row]))
            if len(names) == count:
                break
        yield kind, list(names.values())


def _crops(
    network: DetectorNetwork, rows: NDArray[np.int64], store: FaceStore
) -> NDArray[np.uint8]:
    footage = FootageStore(store, rows, network.spec)
    return footage.crops(np.arange(len(rows)), network.input_px, network.spec.crop_margin)
