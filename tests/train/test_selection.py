"""Training and validation faces: filters, sources kept together, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from unmask.errors import NotFound, UsageError
from unmask.train.face_stores import JoinedStore
from unmask.train.selection import open_stores, select, target_rows


def with_store(recipe, **changes):
    store = dataclasses.replace(recipe.data.stores[0], **changes)
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, stores=(store,)))


def test_official_splits_are_kept(network_recipe, drawn) -> None:
    chosen = select(network_recipe(), {"drawn": drawn})
    assert set(chosen.store.columns.split[chosen.training]) == {"train"}
    assert set(chosen.store.columns.split[chosen.validation]) == {"val"}
    assert len(chosen.training) + len(chosen.validation) == len(drawn)


def test_sources_are_never_in_both(network_recipe, drawn_store) -> None:
    store = drawn_store(sources=60)
    recipe = with_store(network_recipe(), split="", validation_split="")
    share = dataclasses.replace(recipe.data, validation_share=0.3)
    chosen = select(dataclasses.replace(recipe, data=share), {"drawn": store})
    sources = chosen.store.columns.source_id
    assert not set(sources[chosen.training]) & set(sources[chosen.validation])
    assert 0.15 < len(chosen.validation) / len(store) < 0.45
    few = dataclasses.replace(recipe.data, validation_share=0.3, validation_faces=20)
    smaller = select(dataclasses.replace(recipe, data=few), {"drawn": store})
    assert 0 < len(smaller.validation) <= 20
    counts = np.unique(sources[smaller.validation], return_counts=True)[1]
    assert (counts == 6).all()  # whole sources only
    assert np.array_equal(smaller.training, chosen.training)


def test_filters(network_recipe, drawn) -> None:
    for changes, column, left in (
        ({"methods": ("swap",)}, "method", {"real", "swap"}),
        ({"compression": ("c40",)}, "compression", {"c40"}),
        ({"data_sets": ("drawn",)}, "data_set", {"drawn"}),
    ):
        chosen = select(with_store(network_recipe(), **changes), {"drawn": drawn})
        for rows in (chosen.training, chosen.validation):
            assert set(getattr(chosen.store.columns, column)[rows]) == left


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "test"}, "splits 'train', 'val'"),
        ({"methods": ("nothing",)}, "0 fake"),
        ({"labels": ("real",)}, "0 fake"),
        ({"labels": ("fake",)}, "0 real"),
        ({"data_sets": ("other",)}, "Nothing in the stores"),
    ],
)
def test_nothing_left_or_one_class_is_refused(network_recipe, drawn, changes, said) -> None:
    with pytest.raises(UsageError) as caught:
        select(with_store(network_recipe(), **changes), {"drawn": drawn})
    assert said in str(caught.value)


def test_a_store_that_is_not_given_is_named(network_recipe, drawn) -> None:
    with pytest.raises(UsageError, match="drawn"):
        select(network_recipe(), {"other": drawn})


def test_a_store_that_is_not_there_is_named(network_recipe, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="drawn"):
        open_stores(network_recipe().data.stores, tmp_path)


def test_stores_are_joined_in_order(drawn, drawn_store) -> None:
    other = drawn_store(sources=2, people="others")
    joined = JoinedStore([drawn, other])
    assert len(joined) == len(drawn) + len(other)
    row = len(drawn) + 3
    assert np.array_equal(joined.face(row).image, other.face(3).image)
    assert joined.columns.sample_id[row] == other.columns.sample_id[3]
    assert joined.store_of[row] == 1
    with pytest.raises(KeyError):
        joined.column("person")


def test_target_rows_need_faces(network_recipe, drawn) -> None:
    recipe = network_recipe(
        added='[adaptation]\nstrategy = "x"\ntarget = [{ name = "t", path = "t", split = "no" }]\n'
    )
    with pytest.raises(UsageError, match="target domain"):
        target_rows(recipe, {"t": drawn})
