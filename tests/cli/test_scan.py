"""``unmask scan`` as it is called: forms of output, exit codes, standard input, what it loads."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from unmask.report import HEADER, json_schema
from unmask.types import Label

Scan = Callable[..., tuple[int, bytes, str]]


# ----------------------------------------------------------------------- forms


def test_in_a_pipe_each_input_is_one_plain_line(scan: Scan, portrait_file, portrait_film) -> None:
    code, out, err = scan(portrait_file, portrait_film)
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.decode().splitlines()]
    assert [line[2] for line in lines] == ["portrait.jpg", "portrait.mp4"]
    for label, log10_lr, _ in lines:
        assert Label(label) is not Label.NOT_ANALYZED
        float(log10_lr)


def test_at_a_terminal_there_is_a_table(
    scan: Scan, portrait_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = scan(portrait_file)
    assert code == 0
    assert b"portrait.jpg" in out
    assert b"\t" not in out
    assert b"log10 LR" in out


def test_json_is_one_document_of_the_published_schema(scan: Scan, portrait_file) -> None:
    code, out, _ = scan(portrait_file, "--format", "json")
    assert code == 0
    document = json.loads(out)
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert out.endswith(b"}\n")
    assert document["faces"][0]["best_crop"]["image_png"]


def test_ndjson_is_a_line_an_input_without_pictures(
    scan: Scan, portrait_file, portrait_film, read_reports
) -> None:
    code, out, _ = scan(portrait_file, portrait_film, "--format", "ndjson")
    assert code == 0
    first, second = read_reports(out)
    for line in out.splitlines():
        jsonschema.Draft202012Validator(json_schema()).validate(json.loads(line))
    assert (first.input.kind, second.input.kind) == ("image", "video")
    assert first.faces[0].best_crop.image_png is None


def test_csv_has_one_header(scan: Scan, portrait_file) -> None:
    code, out, _ = scan(portrait_file, portrait_file, "--format", "csv")
    assert code == 0
    header, *rows = csv.reader(io.StringIO(out.decode()))
    assert tuple(header) == HEADER
    assert [row[0] for row in rows] == ["portrait.jpg"] * 2


def test_html_is_one_page_that_asks_for_nothing(scan: Scan, portrait_file) -> None:
    code, out, _ = scan(portrait_file, "--format", "html")
    page = html.unescape(out.decode())
    assert code == 0
    assert page.lower().startswith("<!doctype html>")
    asked = re.findall(r"""(?:src|href|action|srcset|poster)\s*=\s*["']([^"'#][^"']*)""", page)
    assert asked
    assert all(target.startswith("data:image/png;base64,") for target in asked)
    assert "url(" not in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "portrait.jpg" in page


def test_pdf_is_a_pdf(scan: Scan, portrait_file) -> None:
    pytest.importorskip("weasyprint", reason="needs the extra: pip install 'unmask[pdf]'")
    code, out, _ = scan(portrait_file, "--format", "pdf")
    assert code == 0
    assert out.startswith(b"%PDF-")


def test_a_pdf_is_not_thrown_at_a_terminal(
    scan: Scan, portrait_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, err = scan(portrait_file, "--format", "pdf")
    assert (code, out) == (2, b"")
    assert "A PDF cannot be shown in a terminal." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "json", "a.jpg", "b.jpg"), "2 inputs do not fit into one json document"),
        (("--format", "json", "--format", "csv", "a.jpg"), "2 formats cannot share"),
        (("--resume", "a.jpg"), "--resume continues a folder"),
        (("--resume", "-o", "x", "--format", "html", "a.jpg"), "--resume reads results.ndjson"),
        (("--frames", "0", "a.jpg"), "neither 'all' nor a whole number from 1"),
        (("--frames", "9" * 5000, "a.jpg"), "neither 'all' nor a whole number from 1"),
        (("--frames", "²", "a.jpg"), "neither 'all' nor a whole number from 1"),
        (("--format", "jsn", "a.jpg"), "'jsn' is not one of"),
        (("--fail-on", "authentic", "a.jpg"), "'authentic' is not one of"),
        ((), "Missing argument"),
    ],
)
def test_a_call_that_makes_no_sense_is_usage(
    words: tuple[str, ...],
    message: str,
    scan: Scan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = scan(*words)
    assert (code, out) == (2, b"")
    assert message in " ".join(err.split())


# ------------------------------------------------------------------ exit codes


def test_fail_on_a_label_that_comes_up(scan: Scan, portrait_file, tmp_path: Path) -> None:
    _, out, _ = scan(portrait_file)
    label = out.decode().split("\t")[0]
    others = [other.value for other in Label if other.value != label]
    assert scan(portrait_file, "--fail-on", label)[0] == 1
    assert scan(portrait_file, *(word for other in others for word in ("--fail-on", other)))[0] == 0
    absent = tmp_path / "absent.jpg"
    assert scan(portrait_file, absent)[0] == 3
    assert scan(portrait_file, absent, "--fail-on", label)[0] == 1
    assert scan(absent, "--fail-on", "not_analyzed")[0] == 1


def test_quiet_leaves_the_errors_and_verbose_adds_the_statements(
    scan: Scan, portrait_file, tmp_path: Path
) -> None:
    absent = tmp_path / "absent.jpg"
    _, _, quiet = scan(portrait_file, absent, "-q")
    assert quiet == f"absent.jpg: error[not_found]: There is no file {absent}.\n"
    _, _, verbose = scan(portrait_file, absent, "-v")
    assert "  hint: Check the path.\n" in verbose
    assert re.search(r"portrait\.jpg: .*face.*\.\n", verbose)


# --------------------------------------------------------------- standard input


def piped(data: bytes, *words: str, models: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "unmask", "scan", *words],
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, "UNMASK_MODELS": str(models)},
    )


def test_standard_input_is_scanned_and_leaves_nothing(
    portrait_file: Path,
    face_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read_reports,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = piped(
        portrait_file.read_bytes(), "-", str(portrait_file), "--format", "ndjson",
        models=face_models,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = read_reports(done.stdout)
    assert (first.input.name, second.input.name) == ("-", "portrait.jpg")
    assert first.input.sha256 == second.input.sha256
    assert first.verdict == second.verdict
    assert list(tmp_path.iterdir()) == []


def test_standard_input_that_is_no_file_spares_the_others(
    scan: Scan, portrait_file: Path, monkeypatch: pytest.MonkeyPatch, read_reports
) -> None:
    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise IsADirectoryError(21, "Is a directory")

    class Input:
        buffer = Broken()

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Input())
    code, out, err = scan("-", portrait_file, "--format", "ndjson")
    assert code == 3
    first, second = read_reports(out)
    assert [problem.code for problem in first.errors] == ["corrupt_media"]
    assert second.errors == []
    assert "Is a directory" in err


def test_standard_input_beyond_the_limit_is_refused(portrait_file: Path, face_models: Path) -> None:
    done = piped(portrait_file.read_bytes(), "-", "--max-bytes", "1000", models=face_models)
    assert done.returncode == 3
    assert b"error[limit_exceeded]" in done.stderr
    assert b"--max-bytes" in done.stderr


def test_a_terminal_is_not_waited_for(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    code, _, err = scan("-")
    assert code == 2
    assert "nothing is piped into it" in err


# ---------------------------------------------------------------- what it loads

NO_TORCH = """
import sys
from unmask.cli import main
code = main(["scan", *sys.argv[1:], "--format", "ndjson"])
heavy = {"torch", "torchvision", "onnx", "onnxruntime", "matplotlib", "skimage", "scipy"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def test_a_scan_loads_no_pytorch_and_writes_nothing_into_the_home(
    portrait_file: Path, portrait_film: Path, face_models: Path, tmp_path: Path
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    before = {path: path.stat().st_mtime_ns for path in face_models.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, str(portrait_file), str(portrait_film)],
        env={**kept, "HOME": str(home), "UNMASK_MODELS": str(face_models), "UNMASK_OFFLINE": "1"},
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
    assert len(done.stdout.splitlines()) == 2
    assert list(home.rglob("*")) == []
    assert list(work.rglob("*")) == []
    assert {path: path.stat().st_mtime_ns for path in face_models.iterdir()} == before


def test_the_input_is_never_written(scan: Scan, portrait_file: Path) -> None:
    before = portrait_file.stat()
    data = portrait_file.read_bytes()
    scan(portrait_file)
    after = portrait_file.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert portrait_file.read_bytes() == data
