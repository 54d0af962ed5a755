"""What a call loads. Time itself is measured by the bench, never asserted here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "av", "cv2", "PIL", "openvino", "rich", "msgspec", "jinja2", "torch")

PROBE = """
import json, sys
from unmask.cli import main
code = main({words!r})
print(json.dumps([code, sorted(name for name in sys.modules if "." not in name)]), file=sys.stderr)
"""


def loaded_by(*words: str) -> tuple[int, set[str]]:
    """Run the command line in a fresh interpreter: exit code, top-level modules loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(words=list(words))],
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_help_and_version_load_nothing_heavy(word: str) -> None:
    code, modules = loaded_by(word)
    assert code == 0
    assert "click" in modules
    assert modules.isdisjoint(HEAVY)


def test_a_typing_error_loads_nothing_heavy() -> None:
    code, modules = loaded_by("scna")
    assert code == 2
    assert modules.isdisjoint(HEAVY)


def test_listing_models_loads_no_pytorch() -> None:
    code, modules = loaded_by("models", "list", "--json")
    assert code == 0
    assert "torch" not in modules


@pytest.mark.parametrize(
    "room", ["scanning", "media", "faces", "detectors", "calibration", "metrics", "report", "cues"]
)
def test_no_room_that_scanning_needs_loads_pytorch(room: str) -> None:
    code = (
        "import importlib, sys\n"
        f"importlib.import_module('unmask.{room}')\n"
        "from unmask.detectors import DETECTORS\n"
        "DETECTORS.ids()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_engine_is_loaded_without_its_telemetry(tmp_path: Path) -> None:
    # By itself `import openvino` sends an event to an analytics service and writes a client
    # id into the user's home. A refusal is laid there first, so that a failure of this test
    # sends nothing either.
    consent = tmp_path / "intel" / "openvino_telemetry"
    consent.parent.mkdir()
    consent.write_text("0")
    code = (
        "import sys\n"
        "from unmask import inference\n"
        "inference.openvino_core()\n"
        "assert 'openvino' in sys.modules\n"
        "print([n for n, m in sys.modules.items() if m and n.startswith('openvino_telemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert [path.name for path in consent.parent.iterdir()] == ["openvino_telemetry"]
