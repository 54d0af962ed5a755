"""Where families and rounds are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.bench.comparison.study_runs import Stores

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a measurement reads and writes, and with what it computes.

    Attributes:
        out: Folder of everything that is kept.
        stores: Face stores.
        data: Folder that ``init`` is relative to, or None.
        threads: Threads of PyTorch, or None.
        say: Told what is being done.
    """

    out: Path
    stores: Stores
    data: Path | None
    threads: int | None
    say: Say
