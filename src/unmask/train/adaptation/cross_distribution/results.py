"""What a study leaves behind: a table in Markdown, the numbers as CSV, features for pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from unmask.train.adaptation.cross_distribution.trial import CEILING, FEW, LONGER, PRELIMINARY
from unmask.train.strategy import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmask.train.adaptation.cross_distribution.domains import Faces
    from unmask.train.adaptation.cross_distribution.measures import Row
    from unmask.train.adaptation.cross_distribution.trial import Outcome

_PICTURED = 300  # faces of each domain; more only clutter a picture


def write_results(
    folder: Path,
    rows: Sequence[Row],
    outcomes: Sequence[Outcome],
    source: Faces,
    targets: dict[str, Faces],
    few: int,
) -> None:
    """Write ``cross-distribution.md``, ``.csv`` and one ``.npz`` a target, method and first seed.

    The ``.npz`` hold ``features`` (N, D), ``domain`` and ``y_true``, as
    ``unmask.bench.comparison.embedding`` lays them out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, numbers = as_markdown(rows, few).encode(), as_csv(rows).encode()
    _write_whole(folder / "cross-distribution.md", lambda handle: handle.write(table))
    _write_whole(folder / "cross-distribution.csv", lambda handle: handle.write(numbers))
    first = min(one.seed for one in outcomes)
    for one in outcomes:
        if one.seed == first and one.method not in {LONGER, CEILING}:
            arrays = _pictured(one, source, targets[one.target])
            path = folder / f"features-{one.target}-{one.method}.npz"
            _write_whole(path, lambda handle, arrays=arrays: np.savez(handle, **arrays))  # type: ignore[misc]


def as_markdown(rows: Sequence[Row], few: int) -> str:
    """One table a target."""
    parts = []
    for target in dict.fromkeys(row.target for row in rows):
        parts.append(f"### Target: {target}\n")
        parts.append(
            "| | target AUC | 95 % over originals | each seed | gain | 95 % over originals "
            "| over seeds | EER | source AUC | domains told apart |\n"
            "|---|---|---|---|---|---|---|---|---|---|"
        )
        parts += [_line(row, few) for row in rows if row.target == target]
        parts.append("")
    return "\n".join(parts)


def _line(row: Row, few: int) -> str:
    seeds = " ".join(f"{auc:.3f}" for auc in row.seeds)
    told = f"{row.domain_probe:.2f}"
    if not np.isnan(row.classifier_accuracy):
        told += f" (its own: {row.classifier_accuracy:.2f})"
    gain, low_high, over_seeds = "", "", ""
    if row.method != PRELIMINARY:
        gain = f"{row.gain:+.3f}"
        low_high = f"{row.gain_low:+.3f} to {row.gain_high:+.3f}"
        over_seeds = f"± {row.gain_seeds:.3f}"
    return (
        f"| {title(row.method, few)} | {row.auc:.3f} | {row.auc_low:.3f} to {row.auc_high:.3f} "
        f"| {seeds} | {gain} | {low_high} | {over_seeds} "
        f"| {row.eer:.3f} | {row.source_auc:.3f} | {told} |"
    )


def title(method: str, few: int) -> str:
    """Name of a method for people."""
    own = {
        PRELIMINARY: "preliminary network",
        LONGER: "trained on as long, source only",
        FEW: f"few-shot, {few} + {few} labelled target faces",
        CEILING: "ceiling: target labels",
    }
    return own[method] if method in own else STRATEGIES.get(method).spec.title


def as_csv(rows: Sequence[Row]) -> str:
    """All numbers, one line a target and method."""
    lines = io.StringIO()
    tables: list[dict[str, Any]] = []
    for row in rows:
        table = asdict(row)
        table["seeds"] = " ".join(f"{auc:.6f}" for auc in row.seeds)
        table["losses"] = " ".join(f"{name}={value:.6f}" for name, value in row.losses.items())
        tables.append({k: f"{v:.6f}" if isinstance(v, float) else v for k, v in table.items()})
    writer = csv.DictWriter(lines, list(tables[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(tables)
    return lines.getvalue()


def _pictured(one: Outcome, source: Faces, target: Faces) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    here = rng.permutation(len(source.rows))[:_PICTURED]
    there = rng.permutation(len(target.rows))[:_PICTURED]
    return {
        "features": np.concatenate([one.source_features[here], one.target_features[there]]),
        "domain": np.repeat(["source", one.target], [len(here), len(there)]),
        "y_true": np.concatenate([source.y_true[here], target.y_true[there]]),
    }


def _write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    partial = path.with_name(f".{path.name}")
    try:
        with partial.open("wb") as handle:
            write(handle)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
