"""A cross-distribution study as one TOML file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of


@dataclass(frozen=True)
class Source:
    """Labelled faces that everything starts from.

    Attributes:
        path: Folder of shards or face cache, relative to ``--shards``.
        data_sets: Ids of the data sets in it that are used; empty: all.
        split: Official split to train on; half of its originals are trained on.
        test_split: Official split to test on.
        faces: Faces to train on, half of them fake.
    """

    path: str
    split: str
    test_split: str
    data_sets: tuple[str, ...] = ()
    faces: int = 2400


@dataclass(frozen=True)
class Target:
    """A domain whose labels are kept for testing.

    Attributes:
        name: Name used in tables.
        path: Folder of shards or face cache, relative to ``--shards``.
        data_sets: Ids of the data sets in it that are used; empty: all.
        split: Official split of the faces to adapt to; empty: all.
        test_split: Official split to test on; empty: the originals that are not adapted to.
        forgeries: Share by id of forgeries to make of the real faces; empty: fakes as they come.
        film_crf: Send every face through x264 at this rate factor; 0: leave it.
        faces: Faces to adapt to.
        test_faces: Faces to test on; 0: all.
    """

    name: str
    path: str
    data_sets: tuple[str, ...] = ()
    split: str = ""
    test_split: str = ""
    forgeries: dict[str, float] = field(default_factory=dict)
    film_crf: int = 0
    faces: int = 1200
    test_faces: int = 0


@dataclass(frozen=True)
class Training:
    """How heads on frozen features are trained.

    Attributes:
        components: Principal components of the source's frozen features that a head sees; 0: all
            the features themselves.
        hidden: Width of the features that domains are aligned in.
        dropout: Share of the frozen features that a step leaves out.
        steps: Steps of the preliminary network, and as many again of each adaptation.
        batch: Labelled faces a step, half of them fake; as many unlabelled ones beside them.
        rate: Peak learning rate of AdamW; it falls as a cosine.
        weight_decay: Of AdamW.
    """

    components: int = 256
    hidden: int = 128
    dropout: float = 0.5
    steps: int = 300
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Study:
    """One study.

    Attributes:
        init: File of ImageNet arrays, relative to ``--data``.
        source: Where labels are known.
        targets: Where they are not.
        strategies: Ids of adaptation strategies that see a target.
        options: Options of a strategy by its id, where they are not its own defaults.
        seeds: Seeds of the heads.
        few: Labelled target faces of each class for few-shot adaptation.
        input_px: Side of the crops.
        crop_margin: Side of the crop over the longer side of the face hull.
        training: How heads are trained.
    """

    init: str
    source: Source
    targets: tuple[Target, ...]
    strategies: tuple[str, ...]
    options: dict[str, dict[str, float]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1, 2, 3)
    few: int = 8
    input_px: int = 128
    crop_margin: float = 1.3
    training: Training = field(default_factory=Training)


def read_study(path: Path) -> Study:
    """Read and check a study.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key (with the near match), a missing one, a wrong type or
            an impossible value.
    """
    study: Study = record_of(Study, read_toml(path, "recipes/studies/"), path.name)
    for is_wrong, complaint in _complaints(study):
        if is_wrong:
            raise UsageError(f"{path.name}: {complaint}.")
    return study


def _complaints(study: Study) -> Iterator[tuple[bool, str]]:
    names = [target.name for target in study.targets]
    training = study.training
    yield not names, "targets is empty"
    yield len(set(names)) < len(names), "two targets have the same name"
    yield not study.seeds, "seeds is empty"
    yield study.input_px < 64, "input_px must be at least 64: the last stage needs several places"
    yield study.few < 1, "few must be at least 1"
    yield min(training.steps, training.hidden) < 1, "training.steps and hidden must be positive"
    yield training.components < 0, "training.components must not be negative"
    yield training.batch < 2 or training.batch % 2 == 1, "training.batch must be even"
    yield not 0 <= training.dropout < 1, "training.dropout must be in 0..1"
    yield not training.rate > 0, "training.rate must be positive"
    for target in study.targets:
        yield not 0 <= target.film_crf <= 51, f"film_crf of {target.name} must be in 0..51"
