from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from unmask import settings
from unmask.settings import SETTINGS


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in SETTINGS:
        monkeypatch.delenv(row.name, raising=False)


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_every_setting_is_documented_with_its_default(
    row: settings.Setting, repository: Path
) -> None:
    page = (repository / "docs" / "reference" / "settings.md").read_text()
    section = re.search(rf"^## `{row.name}`$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"docs/reference/settings.md has no section on {row.name}"
    assert f"Default: `{row.default or 'empty'}`" in section[1]


def test_nothing_is_documented_that_does_not_exist(repository: Path) -> None:
    page = (repository / "docs" / "reference" / "settings.md").read_text()
    assert set(re.findall(r"^## `(\w+)`$", page, re.MULTILINE)) == {row.name for row in SETTINGS}


def test_no_source_reads_a_variable_of_ours_behind_the_table(repository: Path) -> None:
    known = {row.name for row in SETTINGS}
    for source in (repository / "src").rglob("*.py"):
        found = set(re.findall(r"\bUNMASK_[A-Z]+\b", source.read_text()))
        assert found <= known, f"{source.name} speaks of {found - known}"


def test_the_environment_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.value("UNMASK_OFFLINE") == "0"
    monkeypatch.setenv("UNMASK_OFFLINE", "yes")
    assert settings.value("UNMASK_OFFLINE") == "yes"


def test_a_name_without_a_row_is_a_fault() -> None:
    with pytest.raises(KeyError, match="UNMASK_NONSENSE"):
        settings.value("UNMASK_NONSENSE")


@pytest.mark.parametrize(
    ("text", "on"),
    [("1", True), ("true", True), (" YES ", True), ("on", True), ("0", False), ("", False)],
)
def test_switches(text: str, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_OFFLINE", text)
    monkeypatch.setenv("UNMASK_DEBUG", text)
    assert settings.offline() is on
    assert settings.debug() is on


@pytest.mark.parametrize(("text", "count"), [("3", 3), ("0", None), ("-2", None), ("many", None)])
def test_threads_fall_back_to_all_cores(
    text: str, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_THREADS", text)
    assert settings.threads() == (count or os.cpu_count() or 1)


def test_models_are_kept_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert settings.models_dir() == tmp_path / "cache" / "unmask" / "models"
    monkeypatch.setenv("UNMASK_MODELS", "~/elsewhere")
    assert settings.models_dir() == Path.home() / "elsewhere"
