"""``unmask scan`` on folders and into folders: what is taken, what is written, going on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unmask.cli._inputs import gather
from unmask.report import from_json

if TYPE_CHECKING:
    from unmask.scanning.scanner import Scanner

Scan = Callable[..., tuple[int, bytes, str]]


# --------------------------------------------------------------------- folders


def test_a_folder_needs_r_and_spares_the_others(
    scan: Scan, folder: Path, portrait_file, read_reports
) -> None:
    code, out, err = scan(folder, portrait_file, "--format", "ndjson")
    assert code == 3
    assert [len(report.faces) for report in read_reports(out)] == [0, 1]
    assert "error[not_a_file]" in err
    assert "-r" in err


def test_going_through_a_folder_takes_media_and_leaves_the_rest(
    scan: Scan, folder: Path, read_reports
) -> None:
    code, out, err = scan("-r", folder, "--format", "ndjson")
    assert code == 0
    assert [report.input.name for report in read_reports(out)] == ["one.jpg", "b/two.jpg"]
    assert err == "2 files left out: no picture or film.\n"


def test_what_calls_itself_a_picture_and_is_none_is_no_other_file(
    scan: Scan, folder: Path, read_reports
) -> None:
    (folder / "broken.jpg").write_text("an error page")
    code, out, err = scan("-r", folder, "--format", "ndjson")
    assert code == 3
    assert len(read_reports(out)) == 3
    assert "broken.jpg: error[unsupported_media]" in err


def test_named_files_are_never_left_out(scan: Scan, folder: Path) -> None:
    code, _, err = scan(folder / "notes.txt")
    assert code == 3
    assert "error[unsupported_media]" in err


@pytest.mark.parametrize("content", ["nothing", "only text"])
def test_a_folder_without_media_is_not_a_success(content: str, scan: Scan, tmp_path: Path) -> None:
    root = tmp_path / "bare"
    root.mkdir()
    if content == "only text":
        (root / "notes.txt").write_text("nothing to see")
    code, _, err = scan("-r", root)
    assert code == 3
    assert "error[not_found]" in err


def test_a_folder_that_cannot_be_opened_is_told(
    scan: Scan, folder: Path, monkeypatch: pytest.MonkeyPatch, read_reports
) -> None:
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, out, err = scan("-r", folder, "--format", "ndjson")
    assert code == 3
    assert {report.input.name for report in read_reports(out)} == {"one.jpg", "b"}
    assert "b: error[permission_refused]" in err


def test_the_order_is_that_of_the_words_and_then_of_names(folder: Path) -> None:
    words = [str(folder / "notes.txt"), str(folder), "-"]
    names = [one.name for one in gather(words, recursive=True)]
    assert names == ["notes.txt", "empty", "notes.txt", "one.jpg", "b/two.jpg", "-"]


def test_a_file_called_minus_is_no_standard_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "-").write_bytes(b"x")
    monkeypatch.chdir(folder)
    minus = next(one for one in gather(["."], recursive=True) if one.name == "-")
    assert minus.path == Path("-")


# ---------------------------------------------------------------- into a folder


def test_one_input_becomes_a_page_and_a_document(scan: Scan, portrait_file, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "reports"
    code, out, err = scan(portrait_file, "-o", target)
    assert (code, out) == (0, b"")
    names = sorted(path.name for path in target.iterdir())
    assert len(names) == 2
    assert all(re.fullmatch(r"portrait\.jpg-[0-9a-f]{8}\.(html|json)", name) for name in names)
    assert f"Open {target / names[0]}" in err


def test_several_inputs_get_an_index_a_table_and_lines(
    scan: Scan, portrait_file, portrait_film, tmp_path: Path
) -> None:
    target = tmp_path / "reports"
    code, _, err = scan(portrait_file, portrait_film, "-o", target)
    assert code == 0
    made = {path.name for path in target.iterdir()}
    assert {"index.html", "results.csv", "results.ndjson"} < made
    assert len(made) == 3 + 2 * 2
    index = (target / "index.html").read_text()
    for page in target.glob("portrait*.html"):
        assert f'href="./{page.name}"' in index
    assert len((target / "results.ndjson").read_bytes().splitlines()) == 2
    assert f"Open {target / 'index.html'}" in err


def test_inputs_of_one_name_and_the_same_bytes_do_not_overwrite_each_other(
    scan: Scan, folder: Path, portrait_file, tmp_path: Path
) -> None:
    for place in ("b", "c"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / "same.jpg").write_bytes(portrait_file.read_bytes())
        (folder / place / "SAME.jpg").write_bytes(portrait_file.read_bytes())
    target = tmp_path / "reports"
    inputs = [folder / place / name for place in ("b", "c") for name in ("same.jpg", "SAME.jpg")]
    code, _, _ = scan(*inputs, "-o", target, "--format", "json")
    assert code == 0
    names = [path.name.lower() for path in target.iterdir()]
    assert len(names) == len(set(names)) == 4


def test_hostile_names_become_plain_file_names(scan: Scan, portrait_file, tmp_path: Path) -> None:
    names = ["../../x.jpg", "顔 \x1b[31m<b>.jpg", os.fsdecode(b"caf\xe9.jpg"), "a" * 240 + ".jpg"]
    inputs = []
    for number, name in enumerate(names):
        inputs.append(tmp_path / str(number) / Path(name).name)
        inputs[-1].parent.mkdir()
        inputs[-1].write_bytes(portrait_file.read_bytes())
    target = tmp_path / "reports"
    code, _, err = scan(*inputs, "-o", target, "--format", "json", "--format", "html",
                       "--format", "csv", "--format", "ndjson")  # fmt: skip
    assert code == 0, err
    for path in target.iterdir():
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", path.name)
        assert "\x1b" not in path.read_text()
    assert len(list(target.glob("*.json"))) == len(names)


def test_a_second_run_into_a_folder_begins_again(scan: Scan, portrait_file, tmp_path: Path) -> None:
    for _ in range(2):
        assert scan(portrait_file, "-o", tmp_path / "r", "--format", "ndjson")[0] == 0
    assert len((tmp_path / "r" / "results.ndjson").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("below", ["", "deeper", "x" * 300])
def test_a_folder_that_cannot_be_made_is_told(
    below: str, scan: Scan, portrait_file, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    code, _, err = scan(portrait_file, "-o", tmp_path / "file" / below)
    assert code == 4
    assert "error[output_refused]" in err
    assert "-o" in err


def test_a_full_disk_keeps_what_is_done(
    scan: Scan, portrait_file, portrait_film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmask.report import write as write_module

    replace = write_module._replace

    def full_after_the_picture(target: Path, data: bytes) -> None:
        if "portrait.mp4" in target.name:
            raise OSError(28, "No space left on device")
        replace(target, data)

    monkeypatch.setattr(write_module, "_replace", full_after_the_picture)
    target = tmp_path / "r"
    code, _, err = scan(portrait_file, portrait_film, "-o", target)
    assert code == 4
    assert "error[output_refused]" in err
    assert "No space left" in err
    (line,) = (target / "results.ndjson").read_bytes().splitlines()
    assert from_json(line).input.name == "portrait.jpg"
    assert len(list(target.glob("portrait.jpg-*"))) == 2
    assert (target / "results.csv").read_text().count("portrait.jpg") == 1


# --------------------------------------------------------------------- going on


def test_resume_does_what_is_missing(
    scan: Scan,
    folder: Path,
    portrait_film,
    tmp_path: Path,
    scanner: Scanner,
    monkeypatch,
    read_reports,
) -> None:
    target = tmp_path / "reports"
    (folder / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    first = ("-r", folder, "-o", target, "--resume")
    assert scan(*first)[0] == 3
    lines = (target / "results.ndjson").read_bytes()
    assert len(lines.splitlines()) == 3
    # A killed run leaves a torn line; another file has come meanwhile.
    (target / "results.ndjson").write_bytes(lines + lines[:500])
    (folder / "film.mp4").write_bytes(portrait_film.read_bytes())
    asked = []
    real = scanner.scan
    monkeypatch.setattr(
        scanner, "scan", lambda path, **how: asked.append(path) or real(path, **how)
    )
    code, _, err = scan(*first)
    assert code == 3
    # What could not be read is tried again; what is done is not.
    names = [path.name for path in asked]
    assert "one.jpg" not in names
    assert {"cut.png", "film.mp4"} <= set(names)
    assert "2 files left out: done before.\n" in err
    done = read_reports((target / "results.ndjson").read_bytes())
    assert sorted(report.input.name for report in done) == [
        "b/two.jpg", "cut.png", "film.mp4", "one.jpg",
    ]  # fmt: skip
    index = (target / "index.html").read_text()
    table = (target / "results.csv").read_text()
    for name in ("one.jpg", "b/two.jpg", "film.mp4", "cut.png"):
        assert name in index
        assert table.count(name) == 1


def test_copies_are_told_apart_when_going_on(
    scan: Scan, folder: Path, tmp_path: Path, read_reports
) -> None:
    target = tmp_path / "reports"
    scan(folder / "one.jpg", "-o", target, "--resume")
    code, _, _ = scan("-r", folder, "-o", target, "--resume")
    assert code == 0
    names = [one.input.name for one in read_reports((target / "results.ndjson").read_bytes())]
    assert sorted(names) == ["b/two.jpg", "one.jpg"]  # same bytes, another name


def test_results_of_other_settings_are_not_mixed(
    scan: Scan, portrait_file, tmp_path: Path, scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unmask.media import Sampling

    target = tmp_path / "reports"
    assert scan(portrait_file, "-o", target, "--resume")[0] == 0
    monkeypatch.setattr(scanner, "_sampling", Sampling(frames=8))
    code, _, err = scan(portrait_file, "-o", target, "--resume")
    assert code == 2
    assert "other settings" in err
    assert len((target / "results.ndjson").read_bytes().splitlines()) == 1


# ----------------------------------------------------------------- interruption


def test_ctrl_c_keeps_what_is_done(
    portrait_file: Path, portrait_film: Path, face_models: Path, tmp_path: Path, read_reports
) -> None:
    target = tmp_path / "reports"
    films = []
    for number in range(60):
        films.append(tmp_path / f"{number:02}.mp4")
        films[-1].write_bytes(portrait_film.read_bytes())
    running = subprocess.Popen(
        [sys.executable, "-m", "unmask", "scan", str(portrait_file), *map(str, films), "-o",
         str(target), "--frames", "all"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "UNMASK_MODELS": str(face_models)},
    )  # fmt: skip
    lines = target / "results.ndjson"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and running.poll() is None:
        if lines.exists() and lines.read_bytes().count(b"\n") >= 2:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=100)
    assert running.returncode == 130
    assert "Interrupted. What was finished before is kept." in err
    assert "Traceback" not in err
    done = read_reports(lines.read_bytes())
    assert 2 <= len(done) < 61
    for report in done:
        assert report.input.name in (target / "index.html").read_text()
        assert len(list(target.glob(f"{report.input.name}-*.html"))) == 1
    assert list(target.glob(".unmask-*")) == []
