"""``unmask scan --weights`` and ``unmask models FILE``, as they are called."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from unmask import cli

Maker = Callable[..., Path]

PROBE = """
import json, sys
from unmask.cli import main
code = main(json.loads(sys.argv[1]))
print(code, 'torch' in sys.modules, 'onnx' in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def weights(network_file: Maker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_file(tmp_path_factory.mktemp("weights") / "plain.onnx")


def test_a_scan_with_own_weights_loads_neither_pytorch_nor_onnx(
    weights: Path, portrait_file: Path, face_models: Path
) -> None:
    words = ["scan", str(portrait_file), "--weights", str(weights), "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(words)],
        env={**os.environ, "UNMASK_MODELS": str(face_models), "UNMASK_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "0 False False"
    report = json.loads(done.stdout)
    assert report["detectors"][0]["id"] == "plain-mean"
    assert report["detectors"][0]["weights_sha256"] == digest_of(weights)
    assert report["detectors"][0]["score"] is not None
    assert report["verdict"]["reasons"][0]["code"] == "not_calibrated"


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        (["--detector", "unmask-base", "--weights", "FILE"], 2, "usage", "--detector"),
        (["--detector", "mesonet-4"], 2, "unknown_entry", "--weights"),
        (["--detector", "mesonet"], 2, "unknown_entry", "unmask-base"),
        (["--weights", "absent.onnx"], 4, "model_unavailable", "path"),
        (["--weights", "PICTURE"], 4, "model_unavailable", "unmask export"),
        (["--weights", "FILE", "--calibration", "PICTURE"], 4, "model_unavailable", "calibrate"),
    ],
)
def test_what_does_not_belong_together_is_told(
    words: list[str], code: int, error: str, hint: str, weights: Path, portrait_file: Path,
    face_models: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert face_models.is_dir()
    named = {"FILE": str(weights), "PICTURE": str(portrait_file)}
    asked = [named.get(word, word) for word in words]
    assert cli.main(["scan", str(portrait_file), *asked]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error[{error}]: ")
    assert hint in err.partition("hint: ")[2]


def test_a_weights_file_is_shown(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["models", str(weights)], ["models", "show", str(weights)]):
        assert cli.main(words) == 0
        lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
        assert lines["id"] == "plain-mean"
        assert lines["views"] == "1.3 x the face"
        assert lines["training_sets"] == "some_faces/train"
        assert lines["sha256"] == digest_of(weights)
    assert cli.main(["models", "show", str(weights), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["mean"] == [127.5, 127.5, 127.5]
    assert facts["bytes"] == weights.stat().st_size


def test_bundled_weights_are_known_by_their_digest(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.resources import files

    path = files("unmask.detectors").joinpath("weights", "unmask-base.onnx")
    assert cli.main(["models", str(path)]) == 0
    assert "unmask-base" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["absent", "text", "anonymous"])
def test_a_file_that_says_nothing_of_itself_is_told(
    what: str, network_file: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.onnx"
    if what == "text":
        path.write_text("no network")
    if what == "anonymous":
        network_file(path, facts=None)
    assert cli.main(["models", str(path)]) == 4
    assert capsys.readouterr().err.startswith("error[model_unavailable]: ")


def test_hostile_facts_do_not_reach_the_terminal(
    network_file: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = network_file(tmp_path / "x.onnx", title="\x1b[31mred\x07", paper="a\nb")
    assert cli.main(["models", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_networks_are_listed_with_their_papers(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["mesonet-4"]["kind"] == "network"
    assert rows["mesonet-4"]["state"] == "to train"
    assert "Afchar" in rows["mesonet-4"]["paper"]
    assert rows["mesonet-4"]["family"] == "spatial, image"
    assert rows["unmask-base"]["kind"] == "detector"
    assert cli.main(["models"]) == 0
    assert "mesonet-4" in capsys.readouterr().out
    assert cli.main(["models", "path", "mesonet-4"]) == 2
