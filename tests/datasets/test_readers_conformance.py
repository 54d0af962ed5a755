"""What every registered data set must keep to, on a small tree of its layout."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from tests.datasets.trees import MAKERS

from unmask.datasets import DATASETS, MediaItem
from unmask.datasets._listing import SetReader
from unmask.datasets.check import check
from unmask.errors import NotFound, UsageError

IDS = DATASETS.ids()


def opened(set_id: str, root: Path) -> SetReader:
    options = MAKERS[set_id](root)
    reader = DATASETS.get(set_id)(root, **options)
    assert isinstance(reader, SetReader)
    return reader


@pytest.fixture(params=IDS)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> SetReader:
    return opened(request.param, tmp_path)


def test_every_registered_set_has_a_tree() -> None:
    assert sorted(MAKERS) == IDS


def test_a_whole_tree_has_nothing_wrong(reader: SetReader) -> None:
    errors = [finding for finding in check(reader) if finding.severity == "error"]
    # A tree of four files has not the published counts; those are warnings.
    assert errors == []
    assert not [f for f in check(reader) if f.code in {"unlisted_files", "missing_originals"}]


def test_the_order_is_fixed(reader: SetReader) -> None:
    first, again = list(reader.items()), list(reader.items())
    assert first == again == list(type(reader)(reader.root, **reader.options).items())
    assert first


def test_paths_are_relative_and_lie_below_the_root(reader: SetReader) -> None:
    for item in reader.items():
        for path in (item.path, item.original, item.mask):
            if path is not None:
                assert not path.is_absolute()
                assert ".." not in path.parts
                assert (reader.root / path).is_file(), path


def test_a_file_is_listed_once_and_a_film_id_names_one_film(reader: SetReader) -> None:
    items = list(reader.items())
    assert len({item.path for item in items}) == len(items)
    films: dict[str, list[MediaItem]] = defaultdict(list)
    for item in items:
        films[item.video_id].append(item)
    for same in films.values():
        assert len({(item.source_id, item.y_true, item.method, item.split) for item in same}) == 1
        # Only the frames of one film share its id, and they lie in one folder.
        assert len({item.path.parent for item in same}) == 1


def test_label_and_method_agree(reader: SetReader) -> None:
    labels = set()
    for item in reader.items():
        assert item.y_true in {0, 1}
        assert (item.method == "real") == (item.y_true == 0)
        assert item.method == item.method.lower()
        labels.add(item.y_true)
    assert labels == {0, 1}


def test_an_original_is_real_and_of_the_same_source(reader: SetReader) -> None:
    by_path = {item.path: item for item in reader.items()}
    for item in by_path.values():
        if item.original is not None:
            assert item.y_true == 1 or reader.spec.id == "fakeavceleb"
            assert by_path[item.original].y_true == 0
            assert by_path[item.original].source_id == item.source_id


def test_sources_and_people_keep_to_one_side_of_a_split(reader: SetReader) -> None:
    sides: dict[str, dict[str, set[str]]] = {
        "sources": defaultdict(set),
        "identities": defaultdict(set),
    }
    for item in reader.items():
        sides["sources"][item.source_id].add(item.split)
        for person in item.identities:
            sides["identities"][person].add(item.split)
    for kind, splits_of in sides.items():
        if kind not in reader.crossings:
            assert not [name for name, splits in splits_of.items() if len(splits) > 1]


def test_splits_are_the_official_ones_and_share_out_everything(reader: SetReader) -> None:
    items = list(reader.items())
    assert {item.split for item in items} <= {"", *reader.spec.splits}
    by_split = [item for split in reader.spec.splits for item in reader.items(split)]
    assert len(by_split) == sum(1 for item in items if item.split)
    with pytest.raises(UsageError, match="no split called 'tset'"):
        reader.items("tset")


def test_group_labels_are_those_the_spec_promises(reader: SetReader) -> None:
    for item in reader.items():
        assert set(item.groups) == set(reader.spec.groups)


@pytest.mark.parametrize("set_id", IDS)
def test_the_spec_states_its_facts(set_id: str) -> None:
    spec = DATASETS.get(set_id).spec
    assert spec.id == set_id
    assert spec.title
    assert spec.paper
    assert spec.home
    assert spec.licence
    assert spec.media in {"film", "image", "both"}


@pytest.mark.parametrize("set_id", IDS)
def test_an_unknown_option_is_named(set_id: str, tmp_path: Path) -> None:
    options = MAKERS[set_id](tmp_path)
    with pytest.raises(UsageError, match="no option called 'compresion'"):
        DATASETS.get(set_id)(tmp_path, **options, compresion="c23")


@pytest.mark.parametrize("set_id", IDS)
def test_a_missing_folder_is_named(set_id: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        DATASETS.get(set_id)(tmp_path / "nowhere")


@pytest.mark.parametrize("set_id", IDS)
def test_an_empty_folder_is_an_error_not_an_empty_set(set_id: str, tmp_path: Path) -> None:
    try:
        reader = DATASETS.get(set_id)(tmp_path)
    except NotFound as error:
        assert error.hint
    else:
        assert [finding.code for finding in check(reader)] == ["no_items"]


def test_listing_the_sets_loads_neither_pytorch_nor_arrow() -> None:
    code = (
        "import sys; from unmask.datasets import DATASETS; DATASETS.ids(); "
        "print([m for m in ('torch', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_set_is_on_its_page(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("_generate", repository / "docs" / "_generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    page = generate.datasets()
    for reader in DATASETS:
        assert f"## `{reader.spec.id}`: {reader.spec.title}" in page
        assert f"| {reader.spec.licence} |" in page
        for key, number in reader.spec.counts.items():
            assert f"`{key}` {number:,}" in page
    assert page.count("```") % 2 == 0
    assert "::" not in page
