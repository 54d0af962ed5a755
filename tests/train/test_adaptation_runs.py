"""Adaptation inside training runs: recipes, targets without labels, the preliminary network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from unmask.datasets.store import FaceColumns, StoredFace  # noqa: E402
from unmask.errors import UsageError  # noqa: E402
from unmask.train import run_files  # noqa: E402
from unmask.train.adaptation.unlabelled import UNKNOWN, UnlabelledFaces  # noqa: E402
from unmask.train.network_recipe import read_network_recipe  # noqa: E402
from unmask.train.pieces import pieces_of  # noqa: E402
from unmask.train.runs import load_network, train_network  # noqa: E402
from unmask.train.selection import select  # noqa: E402
from unmask.train.strategy import STRATEGIES  # noqa: E402
from unmask.train.trained_network import build_network  # noqa: E402

ADAPTED = """
[adaptation]
strategy = "{strategy}"
target = [{{ name = "abroad", path = "abroad" }}]
"""


class SecretLabels:
    """A store of which nothing that tells a fake from a real face may be read."""

    def __init__(self, store: Any) -> None:
        self._store, self.columns = store, _SecretColumns(store.columns)

    def __len__(self) -> int:
        return len(self._store)

    def face(self, row: int) -> StoredFace:
        face = self._store.face(row)
        return StoredFace(face.image, face.landmarks, None)


class _SecretColumns:
    def __init__(self, columns: FaceColumns) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        if name in {"y_true", "method", "groups"}:
            raise AssertionError(f"{name} of the target was read")
        return getattr(self._columns, name)


@pytest.mark.parametrize("strategy", ["gradient_reversal", "mmd", "coral"])
def test_a_run_goes_on_from_the_preliminary_network(
    strategy: str, network_recipe, drawn, drawn_store, tmp_path: Path
) -> None:
    abroad = UnlabelledFaces(SecretLabels(drawn_store(6, people="abroad")))
    stores = {"drawn": drawn, "abroad": abroad}
    preliminary = network_recipe(("steps = 6", "steps = 2"), ("every = 3", "every = 0"))
    train_network(preliminary, tmp_path / "first", stores=stores, workers=0)
    adapted = network_recipe(
        ("steps = 6", 'steps = 2\ninit = "first/weights.pt"'), ("every = 3", "every = 0"),
        added=ADAPTED.format(strategy=strategy),
    )  # fmt: skip
    start = build_network(adapted, tmp_path).state_dict()
    before = load_network(tmp_path / "first").state_dict()
    assert all(torch.equal(start[name], value) for name, value in before.items())
    result = train_network(
        adapted, tmp_path / "second", stores=stores, data_root=tmp_path, workers=0
    )
    assert result.finished
    assert any(
        not torch.equal(value, before[name])
        for name, value in load_network(tmp_path / "second").state_dict().items()
    )
    kept = run_files.load(tmp_path / "second" / run_files.CHECKPOINT, {"trained"})["trained"]
    extras = [name for name in kept if name.startswith("extras.domain_classifier")]
    assert bool(extras) == (strategy == "gradient_reversal")


def test_the_stream_of_the_target_is_the_same_whatever_its_labels(
    network_recipe, drawn, drawn_store
) -> None:
    abroad = drawn_store(6, people="abroad")
    reversed_labels = drawn_store(6, people="abroad")
    reversed_labels.columns = dataclasses.replace(
        abroad.columns, y_true=1 - abroad.columns.y_true, method=abroad.columns.method[::-1].copy()
    )
    recipe = network_recipe(added=ADAPTED.format(strategy="mmd"))
    network = build_network(recipe)
    seen = []
    for target in (abroad, reversed_labels, UnlabelledFaces(SecretLabels(abroad))):
        stores = {"drawn": drawn, "abroad": target}
        pieces = pieces_of(recipe, select(recipe, stores), stores, network, rank=0, devices=1)
        seen.append([pieces[number].target_images for number in range(3)])
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other, strict=True))


def test_unlabelled_faces_hide_labels_and_keep_pixels(drawn) -> None:
    hidden = UnlabelledFaces(drawn)
    assert len(hidden) == len(drawn)
    assert not hidden.columns.y_true.any()
    assert set(hidden.columns.method) == {UNKNOWN}
    fake = int(np.flatnonzero(drawn.columns.y_true)[0])
    assert drawn.face(fake).mask is not None
    assert hidden.face(fake).mask is None
    assert np.array_equal(hidden.face(fake).image, drawn.face(fake).image)
    assert np.array_equal(hidden.columns.source_id, drawn.columns.source_id)


def test_few_shots_as_a_run_move_the_last_layer_alone(
    network_recipe, drawn, tmp_path: Path
) -> None:
    stores = {"drawn": drawn}
    first = network_recipe(("steps = 6", "steps = 2"), ("every = 3", "every = 0"))
    train_network(first, tmp_path / "first", stores=stores, workers=0)
    few = network_recipe(
        ("steps = 6", 'steps = 3\ninit = "first/weights.pt"'), ("every = 3", "every = 0"),
        added='\n[adaptation]\nstrategy = "last_layers"\n',
    )  # fmt: skip
    train_network(few, tmp_path / "second", stores=stores, data_root=tmp_path, workers=0)
    before = load_network(tmp_path / "first").state_dict()
    after = load_network(tmp_path / "second").state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"head.classifier.weight", "head.classifier.bias"}


def test_a_strategy_without_a_target_is_refused(network_recipe, drawn, tmp_path: Path) -> None:
    recipe = network_recipe(added='\n[adaptation]\nstrategy = "coral"\n')
    with pytest.raises(UsageError, match="needs a target domain"):
        train_network(recipe, tmp_path, stores={"drawn": drawn}, workers=0)


def test_the_shipped_recipes_name_strategies_and_their_options(repository: Path) -> None:
    paths = sorted((repository / "recipes" / "networks").glob("adaptation-*.toml"))
    assert len(paths) == 5
    for path in paths:
        adaptation = read_network_recipe(path).adaptation
        if adaptation.strategy:
            spec = STRATEGIES.get(adaptation.strategy).spec
            assert set(adaptation.options) <= set(spec.options)
            assert spec.needs_target == bool(adaptation.target)
