"""Programs run as users run them, in processes of their own, with time and memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from unmask.errors import EnvironmentProblem

_HERE = Path(__file__).parent


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One finished process.

    Attributes:
        returncode: Exit status.
        wall_s: From start to end, start-up included.
        cpu_s: Processor time of all its threads and children.
        peak_bytes: Largest resident memory of any of its processes.
        stdout: What it printed.
    """

    returncode: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: bytes = b""


class Decoding(msgspec.Struct, frozen=True):
    """PyAV alone on one film: frames decoded to RGB, and the time of the loop."""

    frames: int
    wall_s: float


def unmask_program() -> list[str]:
    """The ``unmask`` executable of this environment.

    Raises:
        EnvironmentProblem: There is none, or this system has no POSIX process accounting.
    """
    if sys.platform == "win32":
        raise EnvironmentProblem(
            "Speed and memory are measured through POSIX process accounting, absent on Windows.",
            hint="Run the bench on Linux or macOS, or with --only accuracy.",
        )
    beside = Path(sys.executable).with_name("unmask")
    found = str(beside) if beside.is_file() else shutil.which("unmask")
    if found is None:
        raise EnvironmentProblem(
            "There is no unmask executable beside this Python or on the path.",
            hint="Install the package (pip install -e .) and run the bench again.",
        )
    return [found]


def run(command: Sequence[str], *, may_fail: bool = False) -> Run:
    """Run a command and measure it.

    Args:
        command: Program and arguments.
        may_fail: Whether another exit status than 0 is a result like any other.

    Raises:
        EnvironmentProblem: It could not be started, or failed and may not.
    """
    with tempfile.TemporaryDirectory() as folder:
        facts = Path(folder) / "facts.json"
        launch = [sys.executable, "-I", "-S", str(_HERE / "_launch.py"), str(facts), *command]
        done = subprocess.run(launch, capture_output=True, check=False)  # noqa: S603 - no shell
        if not facts.exists():
            raise EnvironmentProblem(
                f"{Path(command[0]).name} could not be started: {_what_it_said(done.stderr)}",
                hint="Check that the package is installed in this environment.",
            )
        measured = msgspec.json.decode(facts.read_bytes(), type=Run)
    if measured.returncode and not may_fail:
        raise EnvironmentProblem(
            f"{Path(command[0]).name} {' '.join(command[1:2])} ended with exit status "
            f"{measured.returncode}: {_what_it_said(done.stderr)}",
            hint="Run it by hand on such a file to see why; nothing was measured.",
        )
    return msgspec.structs.replace(measured, stdout=done.stdout)


def decode_alone(film: Path) -> Decoding:
    """Decode a film to RGB with PyAV and nothing else, in a fresh interpreter.

    Raises:
        EnvironmentProblem: The film cannot be decoded.
    """
    done = run([sys.executable, str(_HERE / "_decode.py"), str(film)])
    return msgspec.json.decode(done.stdout, type=Decoding)


def _what_it_said(text: bytes) -> str:
    """The end of a message on stderr, in one line."""
    words = " ".join(text.decode("utf-8", "replace").split())
    return words[-400:] or "it said nothing"
