"""The parts of the documentation that are read from the code, and the links between pages."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from unmask import types
from unmask.detectors import DETECTORS
from unmask.errors import UnmaskError

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_generate", ROOT / "docs" / "_generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classes(cls: type[UnmaskError] = UnmaskError) -> list[type[UnmaskError]]:
    return [cls, *(below for child in cls.__subclasses__() for below in classes(child))]


def test_every_marker_has_a_generator_and_every_generator_a_marker(generate: ModuleType) -> None:
    named = {name for page in PAGES for name in generate.MARKER.findall(page.read_text())}
    assert named == set(generate.PAGE_PARTS)


def test_a_marker_gives_way_to_what_it_names(generate: ModuleType) -> None:
    page = generate.on_page_markdown("before\n\n<!-- generated: errors -->\n\nafter")
    assert page.startswith("before\n\n| code |")
    assert page.endswith("\n\nafter")
    with pytest.raises(KeyError, match="nonsense"):
        generate.on_page_markdown("<!-- generated: nonsense -->")


def test_every_error_code_is_in_the_table(generate: ModuleType) -> None:
    table = generate.errors()
    for cls in classes():
        if cls.__module__ == "unmask.errors":
            assert f"| `{cls.code}` | {cls.exit_code} |" in table


def test_every_field_of_a_report_is_in_the_tables(generate: ModuleType) -> None:
    page = generate.report()
    assert page.startswith("## Report\n")
    for struct in (types.Report, types.FaceReport, types.Coverage, types.Method, types.Verdict):
        section = page.split(f"## {struct.__name__}\n", 1)[1].split("\n## ", 1)[0]
        for field in msgspec.structs.fields(struct):
            assert f"| `{field.encode_name}` |" in section
    for label in types.Label:
        assert f"- `{label}`" in page


def test_every_command_is_on_the_page_of_the_command_line(generate: ModuleType) -> None:
    page = generate.cli()
    for name in generate.command_line.COMMANDS:
        assert f"## `unmask {name}`" in page
    for below in ("models pull", "bench families", "bench rounds"):
        assert f"## `unmask {below}`" in page


def test_every_detector_is_on_its_page(generate: ModuleType) -> None:
    page = generate.detectors()
    for detector in DETECTORS:
        assert f"## `{detector.spec.id}`" in page
        assert detector.spec.weights_sha256 in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    broken = [link for link in targets if not (page.parent / link).exists()]
    assert not broken
