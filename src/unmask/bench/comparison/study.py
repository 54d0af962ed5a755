"""A study as one TOML file: networks trained alike, what they are tested on, what is measured."""

from __future__ import annotations

import copy
import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.bench.comparison.adversarial import EPSILONS, get_attack
from unmask.bench.comparison.degradations import get_degradation
from unmask.bench.comparison.findings import Published
from unmask.bench.comparison.measures import RESAMPLES
from unmask.bench.comparison.scores import TEST, VALIDATION
from unmask.bench.comparison.study_stores import ForgedStore, PreparedStore
from unmask.errors import UsageError
from unmask.networks import NETWORKS
from unmask.toml_records import read_toml, record_of
from unmask.train.network_recipe import network_recipe_from
from unmask.train.network_recipe_checks import LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmask.train.network_recipe import NetworkRecipe


@dataclass(frozen=True)
class ScoredSet:
    """Faces to score.

    Attributes:
        name: What tables call it (``dfdc_faces/val``); what stands before the slash is compared
            with the sets that were trained on.
        path: Folder of the store, relative to ``--shards``.
        data_sets: Ids of the data sets in it that are used; empty: all.
        split: Official split; empty: all.
        methods: Forgeries that are used, beside real faces; empty: all.
        compression: Compression levels; empty: all.
        labels: ``real``, ``fake`` or both.
        faces: At most so many faces, whole sources; 0: all.
        role: ``test``, or ``validation``: only thresholds are chosen by it.
    """

    name: str
    path: str
    data_sets: tuple[str, ...] = ()
    split: str = ""
    methods: tuple[str, ...] = ()
    compression: tuple[str, ...] = ()
    labels: tuple[str, ...] = LABELS
    faces: int = 0
    role: str = TEST


@dataclass(frozen=True)
class NetworkChoice:
    """One network of a study.

    Attributes:
        id: Id of the network.
        name: What tables call it; empty: the id.
        input_px: Side of the crops; 0: that of ``[training]``, or else the paper's.
        after: Name of a network above that this one goes on from, seed by seed; empty: none.
    """

    id: str
    name: str = ""
    input_px: int = 0
    after: str = ""

    @property
    def title(self) -> str:
        """What tables call it."""
        return self.name or self.id


@dataclass(frozen=True)
class Robustness:
    """Curves over degradations; of the first seed.

    Attributes:
        test: Name of the test set.
        degradations: Ids.
        strengths: Strengths by id; the table's own where a study names none.
        faces: At most so many faces; 0: all.
        networks: Titles of the networks; empty: all.
    """

    test: str
    degradations: tuple[str, ...] = ("jpeg", "h264", "resize", "blur", "noise", "shared")
    strengths: dict[str, tuple[float, ...]] = field(default_factory=dict)
    faces: int = 0
    networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adversarial:
    """Curves over attacks; of the first seed, image networks only.

    Attributes:
        test: Name of the test set.
        attacks: Ids.
        epsilons: Strengths, in steps of 1/255.
        faces: At most so many faces.
        networks: Titles of the networks; empty: all.
        surrogate: Title of the network through which ``transfer`` attacks the others.
    """

    test: str
    attacks: tuple[str, ...] = ("fgsm", "pgd", "square")
    epsilons: tuple[float, ...] = EPSILONS[1:]
    faces: int = 100
    networks: tuple[str, ...] = ()
    surrogate: str = ""


@dataclass(frozen=True)
class CostSettings:
    """How costs are measured: threads at batch 32, and the length of a measurement."""

    threads: int = 1
    seconds: float = 3.0


@dataclass(frozen=True)
class Features:
    """The picture of features, one panel a network (before and after adaptation, say).

    Attributes:
        networks: Titles of the networks, in order.
        tests: Names of the test sets whose faces are laid out.
        faces: At most so many faces of each.
    """

    networks: tuple[str, ...]
    tests: tuple[str, ...]
    faces: int = 300


@dataclass(frozen=True)
class HeatMaps:
    """Where networks looked; the page then shows faces of the set. Image networks only.

    Attributes:
        test: Name of the test set.
        faces: So many of each kind: sure hits, misses, false alarms.
        networks: Titles of the networks; empty: all.
        methods: Names of heat maps; empty: the most telling that a network allows.
    """

    test: str
    faces: int = 2
    networks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """All of a study but its training, which is a recipe without network, seed and size.

    Attributes:
        title: Heading.
        networks: What is compared.
        tests: What it is tested on; the first that is no validation ranks the detectors.
        about: What is asked, in a sentence or two.
        prepare: Stores that are made of data sets where they are not there yet.
        forge: Stores that are forged of real faces where they are not there yet.
        seeds: Seeds of training; numbers are means over them.
        left_out: Forgeries that training is kept from, one after the other, for every network.
        scores: Score tables of foreign detectors, relative to the study's file.
        published: Numbers from elsewhere that are set beside ours.
        resamples: Of each bootstrap.
        robustness: Degradations, or none.
        adversarial: Attacks, or none.
        costs: Speed, memory and size, or none.
        features: The picture of features, or none.
        heat_maps: Where networks looked, or none.
    """

    title: str
    networks: tuple[NetworkChoice, ...] = ()
    tests: tuple[ScoredSet, ...] = ()
    about: str = ""
    prepare: tuple[PreparedStore, ...] = ()
    forge: tuple[ForgedStore, ...] = ()
    seeds: tuple[int, ...] = (1,)
    left_out: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    resamples: int = RESAMPLES
    robustness: tuple[Robustness, ...] = ()
    adversarial: tuple[Adversarial, ...] = ()
    costs: tuple[CostSettings, ...] = ()
    features: tuple[Features, ...] = ()
    heat_maps: tuple[HeatMaps, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A study with its training and where it was read from.

    Attributes:
        study: What is measured.
        training: Table of ``[training]``.
        overrides: Tables of ``[networks.training]`` by the network's title.
        folder: Folder of the file; paths of score tables are relative to it.
        name: Stem of the file.
    """

    study: Study
    training: dict[str, Any]
    overrides: dict[str, dict[str, Any]]
    folder: Path
    name: str

    def recipe(self, choice: NetworkChoice, seed: int) -> NetworkRecipe:
        """The training recipe of one network.

        Raises:
            UsageError: The training of the study is impossible for it.
        """
        table = merged(self.training, self.overrides.get(choice.title, {}))
        table |= {"network": choice.id, "seed": seed}
        if choice.input_px:
            table["input_px"] = choice.input_px
        return network_recipe_from(table, f"the training of {choice.title}")


def read_study(path: Path) -> Plan:
    """Read and check a study.

    Raises:
        NotFound: There is no such file.
        UsageError: Not TOML, an unknown key or name (with the near match), or an impossible value.
    """
    table = read_toml(path, "recipes/studies/")
    training = _table(table.pop("training", {}), f"{path.name}: training")
    overrides = _overrides(table, path.name)
    # Each is there once or not at all; as lists they share the checks of everything else.
    for name in ("robustness", "adversarial", "costs", "features", "heat_maps"):
        if isinstance(table.get(name), dict):
            table[name] = [table[name]]
    study: Study = record_of(Study, table, path.name)
    plan = Plan(study, training, overrides, path.parent, path.stem)
    _check(plan, path.name)
    return plan


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over``, table by table; neither is changed."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r}, expected a table.")
    for key in ("network", "seed"):
        if key in value:
            raise UsageError(
                f"{where} has the key {key!r}.", hint="Give it under networks, and in seeds."
            )
    return value


def _overrides(table: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    found = {}
    networks = table.get("networks", [])
    for one in networks if isinstance(networks, list) else []:
        if isinstance(one, dict) and "training" in one:
            title = str(one.get("name") or one.get("id"))
            found[title] = _table(one.pop("training"), f"{where}: networks.training of {title}")
    return found


def _check(plan: Plan, where: str) -> None:
    study = plan.study
    for is_wrong, complaint in _complaints(study):
        if is_wrong:
            raise UsageError(f"{where}: {complaint}.")
    titles = [one.title for one in study.networks]
    tests = [one.name for one in study.tests]
    for name, known, what in _names(study, titles, tests):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known) or 'none'}."
            raise UsageError(f"{where}: there is no {what} called {name!r}.", hint=hint)
    for choice in study.networks:
        NETWORKS.get(choice.id)
        plan.recipe(choice, study.seeds[0])


def _complaints(study: Study) -> Iterator[tuple[bool, str]]:
    yield from _succession(study)
    titles = [one.title for one in study.networks]
    yield not titles and not study.scores, "it names neither networks nor scores"
    yield len(set(titles)) < len(titles), "two networks have the same name"
    tests = [one.name for one in study.tests]
    yield bool(titles) and not any(t.role == TEST for t in study.tests), "it names no test set"
    yield len(set(tests)) < len(tests), "two tests have the same name"
    yield (
        any(t.role not in (TEST, VALIDATION) for t in study.tests),
        (f"a test's role must be {TEST!r} or {VALIDATION!r}"),
    )
    yield not study.seeds or len(set(study.seeds)) < len(study.seeds), "seeds must be different"
    yield study.resamples < 1, "resamples must be at least 1"
    yield any(a.faces < 1 for a in study.adversarial), "adversarial.faces must be at least 1"
    yield any(h.faces < 1 for h in study.heat_maps), "heat_maps.faces must be at least 1"
    yield (
        any("transfer" in a.attacks and not a.surrogate for a in study.adversarial),
        ("the attack transfer needs adversarial.surrogate"),
    )


def _succession(study: Study) -> Iterator[tuple[bool, str]]:
    """A network goes on from one of its kind that stands above it."""
    for place, one in enumerate(study.networks):
        above = {other.title: other for other in study.networks[:place]}
        if one.after:
            other = above.get(one.after)
            yield other is None, f"{one.title} is after {one.after!r}, which is no network above it"
            yield (
                other is not None and (other.id, other.input_px) != (one.id, one.input_px),
                f"{one.title} is after {one.after!r}, which is another kind of network or size",
            )


def _names(
    study: Study, titles: list[str], tests: list[str]
) -> Iterator[tuple[str, list[str], str]]:
    for one in study.robustness:
        yield one.test, tests, "test"
        yield from ((name, titles, "network") for name in one.networks)
        for name in (*one.degradations, *one.strengths):
            get_degradation(name)
    for attacked in study.adversarial:
        yield attacked.test, tests, "test"
        yield from ((name, titles, "network") for name in attacked.networks)
        for name in attacked.attacks:
            get_attack(name)
        if attacked.surrogate:
            yield attacked.surrogate, titles, "network"
    for shown in study.heat_maps:
        yield shown.test, tests, "test"
        yield from ((name, titles, "network") for name in shown.networks)
    for picture in study.features:
        yield from ((name, titles, "network") for name in picture.networks)
        yield from ((name, tests, "test") for name in picture.tests)
