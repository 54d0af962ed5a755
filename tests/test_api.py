"""The package's front door."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import unmask
from unmask.errors import NotFound, UnmaskError
from unmask.types import Label, Limits, Report


def test_scan_gives_a_report(portrait_file: Path, face_models: Path) -> None:
    assert face_models.is_dir()
    report = unmask.scan(portrait_file)
    assert isinstance(report, unmask.Report)
    assert isinstance(report.verdict.label, unmask.Label)
    assert report.input.name == portrait_file.name
    assert len(report.faces) == 1
    assert report == unmask.scan(str(portrait_file)) or report.started_at  # a path or a string


def test_scan_and_scanner_say_the_same(portrait_file: Path, scanner: unmask.Scanner) -> None:
    one, other = unmask.scan(portrait_file), scanner.scan(portrait_file)
    assert (one.verdict, one.faces, one.method) == (other.verdict, other.faces, other.method)


def test_what_cannot_be_read_raises_a_typed_error(face_models: Path) -> None:
    assert face_models.is_dir()
    with pytest.raises(NotFound) as caught:
        unmask.scan("/nowhere/clip.mp4")
    assert isinstance(caught.value, UnmaskError)
    assert caught.value.code == "not_found"
    assert caught.value.hint


def test_the_names_at_the_front_door_are_those_of_their_rooms() -> None:
    assert (unmask.Label, unmask.Limits, unmask.Report) == (Label, Limits, Report)
    for name in unmask.__all__:
        assert hasattr(unmask, name)
    with pytest.raises(AttributeError, match="no attribute 'scann'"):
        unmask.scann  # noqa: B018 - the access is what is tested


def test_scan_is_typed_and_documented() -> None:
    hints = typing.get_type_hints(unmask.scan, {"os": __import__("os"), "Report": Report})
    assert hints["return"] is Report
    assert hints["frames"] == (int | None)
    for entry in (unmask.scan, unmask.Scanner, unmask.Scanner.scan):
        text = inspect.getdoc(entry) or ""
        assert "Raises:" in text
        assert "Args:" in text


def test_importing_it_costs_nothing() -> None:
    code = (
        "import sys, unmask\n"
        "heavy = {'numpy', 'av', 'cv2', 'PIL', 'openvino', 'msgspec', 'click', 'torch'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_its_types_are_known_to_type_checkers(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(
        "import unmask\n"
        "report = unmask.scan('clip.mp4', frames=None)\n"
        "label: unmask.Label = report.verdict.label\n"
        "ratio: float | None = report.verdict.log10_lr\n"
        "wrong: int = report.verdict.statement\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "user.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("user.py")]
    assert len(lines) == 1, done.stdout
    assert lines[0].startswith("user.py:5: error: Incompatible types in assignment")
