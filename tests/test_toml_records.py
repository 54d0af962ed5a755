"""TOML tables as dataclasses: what is wrong is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from unmask.errors import NotFound, UsageError
from unmask.toml_records import read_toml, record_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Part:
    rate: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Whole:
    title: str
    part: Part
    more: dict[str, Any] = field(default_factory=dict)


def test_tables_become_records() -> None:
    table = {"title": "a", "part": {"rate": 2, "names": ["x", "y"]}, "more": {"any": [1]}}
    assert record_of(Whole, table, "here") == Whole("a", Part(2.0, ("x", "y")), {"any": [1]})
    assert record_of(Part, {"rate": 1.0, "names": ("x",)}, "here") == Part(1.0, ("x",))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"title": "a"}, "here lacks the key 'part'"),
        ({"titel": "a"}, "Did you mean title"),
        ({"title": 3, "part": {"rate": 1}}, "here.title is 3, expected str"),
        ({"title": "a", "part": {"rate": True}}, "here.part.rate is True, expected float"),
        ({"title": "a", "part": 4}, "here.part is 4, expected a table"),
        ({"title": "a", "part": {"rate": 1, "names": "x"}}, "here.part.names is 'x'"),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        record_of(Whole, table, "here")
    assert said in str(caught.value)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with pytest.raises(NotFound, match="recipes/here/"):
        read_toml(path, "recipes/here/")
    path.write_text("a = [", encoding="utf-8")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(path, "recipes/")
    path.write_text("a = [1]", encoding="utf-8")
    assert read_toml(path, "recipes/") == {"a": [1]}
