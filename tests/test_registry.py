from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from unmask import registry as registry_module
from unmask.errors import UnknownEntry
from unmask.registry import Registry


@dataclass(frozen=True)
class Spec:
    id: str


def entry(entry_id: str, module: str = "somewhere") -> type:
    return type(f"Entry_{entry_id}", (), {"spec": Spec(entry_id), "__module__": module})


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Registry[type]:
    """A registry over a package that has no modules."""
    package = types.ModuleType("a_package_of_things")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, package.__name__, package)
    return Registry("thing", package.__name__)


def test_the_decorator_returns_the_class_it_was_given(empty: Registry[type]) -> None:
    cls = entry("one")
    assert empty.register(cls) is cls
    assert empty.get("one") is cls


def test_ids_and_iteration_are_sorted(empty: Registry[type]) -> None:
    for name in ("pear", "apple", "fig"):
        empty.register(entry(name))
    assert empty.ids() == ["apple", "fig", "pear"]
    assert [cls.spec.id for cls in empty] == ["apple", "fig", "pear"]


def test_a_clash_names_both_classes(empty: Registry[type]) -> None:
    empty.register(entry("twin", module="first_package"))
    with pytest.raises(ValueError, match=r"first_package.*second_package"):
        empty.register(entry("twin", module="second_package"))
    assert empty.get("twin").__module__ == "first_package"


def test_the_same_class_may_register_again(empty: Registry[type]) -> None:
    empty.register(entry("again"))
    newer = entry("again")  # what a reload of the module gives
    empty.register(newer)
    assert empty.get("again") is newer


def test_an_unknown_id_lists_the_near_ones(empty: Registry[type]) -> None:
    empty.register(entry("unmask-base"))
    empty.register(entry("mesonet"))
    with pytest.raises(UnknownEntry) as caught:
        empty.get("unmask-bas")
    assert caught.value.message == "There is no thing called 'unmask-bas'."
    assert caught.value.hint == "Did you mean unmask-base?"


def test_an_unknown_id_far_from_all_lists_what_there_is(empty: Registry[type]) -> None:
    empty.register(entry("mesonet"))
    with pytest.raises(UnknownEntry) as caught:
        empty.get("qqqqqqqqqq")
    assert caught.value.hint == "Known: mesonet."


def test_third_parties_come_through_entry_points(
    empty: Registry[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = types.ModuleType("a_plugin")
    plugin.Theirs = entry("theirs", module="a_plugin")
    monkeypatch.setitem(sys.modules, "a_plugin", plugin)
    point = EntryPoint("theirs", "a_plugin:Theirs", empty.package)
    asked: list[str] = []

    def entry_points(*, group: str) -> EntryPoints:
        asked.append(group)
        return EntryPoints([point])

    monkeypatch.setattr(registry_module, "entry_points", entry_points)
    assert empty.ids() == ["theirs"]
    assert empty.get("theirs") is plugin.Theirs
    assert asked == [empty.package], "entry points are read once"


def test_modules_of_the_package_are_found_and_private_ones_left_alone(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "things_on_disk"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from unmask.registry import Registry\nTHINGS = Registry('thing', 'things_on_disk')\n"
    )
    (package / "good.py").write_text(
        "from types import SimpleNamespace\nfrom things_on_disk import THINGS\n"
        "@THINGS.register\nclass Good:\n    spec = SimpleNamespace(id='good')\n"
    )
    (package / "_network.py").write_text("raise ImportError('must not be imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import things_on_disk

    assert things_on_disk.THINGS.ids() == ["good"]
    for name in [name for name in sys.modules if name.startswith("things_on_disk")]:
        monkeypatch.delitem(sys.modules, name)
