"""The stamp of a measurement: which machine, which code, which weights."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unmask import __version__
from unmask.bench.results import Stamp
from unmask.inference import runtime_name

if TYPE_CHECKING:
    from collections.abc import Sequence


def stamp(*, command: str, detector: str, weights_sha256: str, calibration: str) -> Stamp:
    """Describe this machine and this checkout, now."""
    return Stamp(
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
        commit=git_commit(Path(__file__).parent),
        command=command,
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        memory_gib=round(_memory_bytes() / 1024**3, 1),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        runtime=runtime_name(),
        detector=detector,
        weights_sha256=weights_sha256,
        calibration=calibration,
    )


def git_commit(folder: Path) -> str | None:
    """The commit of the checkout around ``folder``, ``+`` if it was changed since, or None.

    The bench's own page may differ: it is what is being written.
    """
    git = shutil.which("git")
    if git is None:
        return None
    commit = _output([git, "-C", str(folder), "rev-parse", "--short=12", "HEAD"])
    if not commit:
        return None
    changed = _output([git, "-C", str(folder), "status", "--porcelain", "--untracked-files=no",
                       "--", ":/", ":(top,exclude)docs"])  # fmt: skip
    return commit + ("+" if changed else "")


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0
