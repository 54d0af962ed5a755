from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from unmask import cli
from unmask.detectors import DETECTORS
from unmask.faces import assets

IDS = [asset.id for asset in assets.ASSETS]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder, and no network."""
    chosen = tmp_path / "models"
    monkeypatch.setenv("UNMASK_MODELS", str(chosen))
    monkeypatch.setenv("UNMASK_OFFLINE", "1")
    return chosen


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert cli.main(["models", "list", "--json"]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_an_empty_folder_has_every_face_model_absent(folder: Path, capsys) -> None:
    listed = rows(capsys)
    assert {listed[model]["state"] for model in IDS} == {"absent"}
    assert {Path(str(listed[model]["path"])).parent for model in IDS} == {folder}


def test_an_altered_file_is_told_apart_from_a_good_one(
    folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = assets.Asset("tiny", "tiny.tflite", hashlib.sha256(b"model").hexdigest(), 5)
    monkeypatch.setattr(assets, "ASSETS", (good,))
    folder.mkdir()
    (folder / "tiny.tflite").write_bytes(b"model")
    assert rows(capsys)["tiny"]["state"] == "ready"
    (folder / "tiny.tflite").write_bytes(b"mode1")
    assert rows(capsys)["tiny"]["state"] == "altered"


def test_every_registered_detector_is_listed_with_its_digest(folder: Path, capsys) -> None:
    listed = rows(capsys)
    for detector in DETECTORS:
        row = listed[detector.spec.id]
        assert row["state"] == "ready", f"the weights of {detector.spec.id} do not match its spec"
        assert row["sha256"] == detector.spec.weights_sha256


def test_a_pipe_gets_one_tab_separated_line_a_model(folder: Path, capsys) -> None:
    assert cli.main(["models", "list"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split("\t")[:3] == ["id", "kind", "state"]
    assert [line.split("\t")[0] for line in lines][: len(IDS)] == IDS
    assert {line.count("\t") for line in lines} == {header.count("\t")}


def test_a_terminal_gets_a_table(folder: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert cli.main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "\t" not in out
    assert all(model in out for model in IDS)
    assert "MB" in out


def test_pull_without_a_network_says_what_is_missing_and_where(folder: Path, capsys) -> None:
    assert cli.main(["models", "pull"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error[model_unavailable]: ")
    assert str(folder) in err
    assert "  hint: " in err


@pytest.mark.skipif(bool(assets.missing()), reason="the face models were not fetched here yet")
def test_pull_with_everything_there_needs_no_network(
    capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_OFFLINE", "1")
    assert cli.main(["models", "pull"]) == 0
    assert "already there" in capsys.readouterr().err
    assert cli.main(["models", "pull", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_path_prints_the_folder_or_one_file(folder: Path, capsys) -> None:
    assert cli.main(["models", "path"]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert cli.main(["models", "path", "face_mesh"]) == 0
    assert capsys.readouterr().out == f"{folder / 'face_landmark.tflite'}\n"


def test_an_unknown_model_is_met_with_the_nearest(folder: Path, capsys) -> None:
    assert cli.main(["models", "path", "face_mash"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "There is no model called 'face_mash'." in err
    assert "face_mesh" in err


@pytest.mark.parametrize("words", [["models", "show"], ["models"]])
@pytest.mark.parametrize("detector", list(DETECTORS), ids=lambda one: one.spec.id)
def test_every_bundled_detector_shows_its_card(detector, words, capsys):
    assert cli.main([*words, detector.spec.id]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# Model card: {detector.spec.id}\n")
    assert "What it cannot see" in shown


def test_a_bundled_detector_as_json(capsys):
    assert cli.main(["models", "show", "unmask-open", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["weights_licence"].startswith("Apache-2.0")
    assert facts["training_sets"] == ["congress", "london"]
