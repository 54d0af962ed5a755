"""Run a command and write its wall time and peak memory as JSON. Run by path, not imported.

``python -I -S _launch.py RESULT COMMAND...``. It exists because Linux counts the memory of the
process that starts a program towards that program's peak: a bench that holds models in memory would
measure itself. This launcher holds next to nothing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time


def main() -> None:
    """Run ``sys.argv[2:]`` and describe the run in the file ``sys.argv[1]``."""
    result, *command = sys.argv[1:]
    started = time.perf_counter()
    code = subprocess.call(command)  # noqa: S603 - the bench's own command, no shell
    wall_s = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    per_unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    facts = {
        "returncode": code,
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * per_unit,
    }
    with os.fdopen(os.open(result, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(facts, out)


if __name__ == "__main__":
    main()
