"""``unmask scan`` in this process, and a folder to go through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unmask import cli
from unmask.report import from_json
from unmask.types import Report

if TYPE_CHECKING:
    from unmask.scanning.scanner import Scanner

Scan = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def scan(
    capfdbinary: pytest.CaptureFixture[bytes], scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> Scan:
    """Scan with the models that are loaded already: exit code, stdout, stderr.

    The options that make another scanner are tried in processes of their own.
    """
    from unmask.cli import scan as module

    monkeypatch.setattr(module, "_scanner", lambda _options, _limits: scanner)

    def call(*words: object) -> tuple[int, bytes, str]:
        code = cli.main(["scan", *map(str, words)])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return call


@pytest.fixture
def read_reports() -> Callable[[bytes], list[Report]]:
    """Read NDJSON."""
    return lambda out: [from_json(line) for line in out.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, portrait_file: Path) -> Path:
    """A folder as people have them: pictures, other files, hidden ones, folders."""
    root = tmp_path / "mixed"
    (root / "b").mkdir(parents=True)
    (root / ".hidden").mkdir()
    data = portrait_file.read_bytes()
    (root / "one.jpg").write_bytes(data)
    (root / "b" / "two.jpg").write_bytes(data)
    (root / ".hidden" / "three.jpg").write_bytes(data)
    (root / ".four.jpg").write_bytes(data)
    (root / "notes.txt").write_text("nothing to see")
    (root / "empty").write_bytes(b"")
    return root
