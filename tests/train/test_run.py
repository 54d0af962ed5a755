"""`unmask train` and what it leaves in its folder."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("tensorboard", reason="the extra 'train' is not installed")

from unmask.cli import main
from unmask.train.recipe import read_recipe
from unmask.train.tracking import csv_table


def test_train_then_export_then_train_again(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "tiny.toml"
    text = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
    plan.write_text(text.split('RECIPE = """')[1].split('"""')[0], encoding="utf-8")
    run, cache = tmp_path / "run", tmp_path / "cache"
    words = ["train", str(plan), "--data", str(data_root), "--run", str(run)]
    words += ["--cache", str(cache), "--workers", "0", "--threads", "1"]
    assert main([*words, "--prepare-only"]) == 0
    shown = capsys.readouterr()
    assert "wall.png" in shown.err
    assert shown.out.strip() == str(cache)
    assert main(words) == 0
    assert "6 faces to train on, 0 held out; from the start" in capsys.readouterr().err
    with (run / "log.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == [str(read_recipe(plan).steps)]
    assert float(rows[0]["class"]) > 0
    assert list((run / "tb").glob("events*"))

    out = tmp_path / "net.onnx"
    assert main(["export", "--run", str(run), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.strip()) == 64
    assert "openvino: logits within" in shown.err

    assert main(words) == 0  # nothing left to do
    assert "from step 8" in capsys.readouterr().err
    (run / "checkpoint.pt").write_bytes(b"damaged")
    assert main(words) == 3
    assert "--fresh" in capsys.readouterr().err
    assert main([*words, "--fresh"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "none.toml"], "no recipe at none.toml"),
        (["export", "--run", "none", "--out", "x.onnx"], "no checkpoint at none"),
    ],
)
def test_what_is_absent_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 3
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_rows_beyond_the_checkpoint_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    with csv_table(path, 0) as table:
        for step in (20, 40, 60):
            table.add(step, {"class": step / 100})
    with csv_table(path, 45) as table:
        table.add(60, {"class": 0.9})
    assert path.read_text().splitlines() == ["step,class", "20,0.2", "40,0.4", "60,0.9"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_blocks_stay_with_the_process_once_asked() -> None:
    code = (
        "import ctypes, sys\n"
        "from unmask.train.run import keep_freed_memory\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype = ctypes.c_void_p\n"
        "libc.malloc.argtypes = [ctypes.c_size_t]\n"
        "libc.free.argtypes = [ctypes.c_void_p]\n"
        "class Info(ctypes.Structure):\n"
        "    _fields_ = [(n, ctypes.c_size_t) for n in 'abcdefghij']\n"
        "if not keep_freed_memory() or not hasattr(libc, 'mallinfo2'):\n"
        "    sys.exit(77)\n"
        "libc.mallinfo2.restype = Info\n"
        "before = libc.mallinfo2().d\n"  # the fourth field: blocks taken by mmap
        "libc.malloc(100_000_000)\n"
        "sys.exit(libc.mallinfo2().d != before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    if done.returncode == 77:
        pytest.skip("the C library is not glibc 2.33 or newer")
    assert done.returncode == 0
