"""The study of families as one TOML file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unmask.bench.comparison.measures import RESAMPLES
from unmask.bench.face_choice import FaceChoice
from unmask.errors import UsageError
from unmask.toml_records import read_toml, record_of


@dataclass(frozen=True)
class LeftOut:
    """A small network that is trained with all families, and without each of them in turn.

    Attributes:
        network: Id of the network.
        faces: Real faces that it is trained on; none of the tests'.
        per_face: Forgeries of each of these by each method.
        methods: Families that are left out one after the other; empty: every one.
        seeds: Seeds; numbers are means over them for the runs with all families.
    """

    network: str
    faces: FaceChoice
    per_face: int = 1
    methods: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Families:
    """What is forged, and what is scored on it.

    Attributes:
        title: Heading.
        methods: Ids of forgeries; generators' runs are added by ``--run`` or by ``runs``.
        tests: Real faces that are forged; the first is what tables are sorted by.
        about: What is asked.
        detector: Id of the detector that is scored.
        trained_with: Methods that the detector met in training, in this very form.
        runs: Folders of generators' runs, relative to the study's file.
        per_face: Forgeries of each face by each method.
        seed: Of the forgeries.
        resamples: Of each bootstrap.
        left_out: The small network, or none.
    """

    title: str
    methods: tuple[str, ...]
    tests: tuple[FaceChoice, ...]
    about: str = ""
    detector: str = "unmask-base"
    trained_with: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    per_face: int = 1
    seed: int = 0
    resamples: int = RESAMPLES
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True)
class FamiliesPlan:
    """A study with the training table of its small network and where it was read from."""

    study: Families
    training: dict[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    name: str = "families"

    def with_runs(self, runs: tuple[str, ...]) -> FamiliesPlan:
        """The same with more generators' runs, whose paths are those of the call."""
        here = tuple(str((self.folder / run).resolve()) for run in self.study.runs)
        return replace(self, study=replace(self.study, runs=(*here, *runs)))


def read_families(path: Path) -> FamiliesPlan:
    """Read and check a study.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key (with the near match), or an impossible value.
    """
    table = read_toml(path, "recipes/studies/")
    training = table.pop("training", {})
    if isinstance(table.get("left_out"), dict):
        table["left_out"] = [table["left_out"]]
    study: Families = record_of(Families, table, path.name)
    for is_wrong, complaint in (
        (not study.methods and not study.runs, "it names no methods"),
        (not study.tests, "it names no tests"),
        (len({one.name for one in study.tests}) < len(study.tests), "two tests share a name"),
        (len(study.left_out) > 1, "left_out is there more than once"),
        (bool(study.left_out) != bool(training), "left_out and training belong together"),
    ):
        if is_wrong:
            raise UsageError(f"{path.name}: {complaint}.", hint="See recipes/studies/.")
    return FamiliesPlan(study, training, path.parent, path.stem)
