"""``unmask demo`` as a newcomer runs it: one call, and a page to open."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unmask import cli

Demonstration = tuple[Path, CompletedProcess[str]]


def test_it_ends_well_and_names_the_page(demonstration: Demonstration) -> None:
    folder, done = demonstration
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Open {folder / 'index.html'} in a browser."
    assert (folder / "index.html").is_file()
    assert "Traceback" not in done.stderr


def test_it_says_what_it_makes(demonstration: Demonstration) -> None:
    folder, done = demonstration
    made = [line.removeprefix("made ") for line in done.stderr.splitlines() if "made " in line]
    assert sorted(Path(path).name for path in made) == sorted(
        path.name for path in (folder / "media").iterdir()
    )


def test_the_table_has_a_line_for_each_file(demonstration: Demonstration) -> None:
    folder, done = demonstration
    text = done.stdout.replace("\n", "").replace(" ", "")
    assert "log10LR" in text
    # Names are folded in a narrow terminal, so only their beginnings can be looked for.
    for path in (folder / "media").iterdir():
        assert path.name[:7] in text


def test_a_place_that_cannot_be_written_is_told(
    face_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert face_models.is_dir()
    (tmp_path / "file").write_text("x")
    assert cli.main(["demo", "-o", str(tmp_path / "file")]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[output_refused]" in err
    assert "-o" in err
