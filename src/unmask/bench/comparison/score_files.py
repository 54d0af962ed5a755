"""Reading and writing score tables as CSV and Parquet."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.bench.comparison.scores import ScoreTable, from_columns
from unmask.errors import CorruptMedia, NotFound, UsageError
from unmask.media.encode import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

PARQUET, CSV = ".parquet", ".csv"


def read_scores(path: Path) -> ScoreTable:
    """Read a score table by its extension.

    Raises:
        NotFound: There is no such file.
        UsageError: It ends otherwise, or its columns are not those of a score table.
        CorruptMedia: It is damaged.
    """
    if not path.is_file():
        raise NotFound(f"There is no score table {path}.", hint="Check the path.")
    readers = {PARQUET: _read_parquet, CSV: _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            f"{path.name} is neither CSV nor Parquet.", hint="Name it *.csv or *.parquet."
        )
    return from_columns(reader(path), where=path.name)


def write_scores(path: Path, table: ScoreTable) -> None:
    """Write a score table by its extension; it appears only when it is whole.

    Raises:
        UsageError: The file is to end otherwise than in ``.csv`` or ``.parquet``.
        OutputRefused: It cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (CSV, PARQUET):
        raise UsageError(
            f"{path.name} is neither CSV nor Parquet.", hint="Name it *.csv or *.parquet."
        )
    with replacing(path) as beside:
        if suffix == CSV:
            beside.write_text(
                as_csv({n: c.tolist() for n, c in table.columns().items()}),
                encoding="utf-8",
                newline="",
            )
        else:
            _write_parquet(beside, table)


def as_csv(columns: Mapping[str, Any]) -> str:
    """Columns of equal length as CSV; NaN and None are written as nothing."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    lists = [list(values) for values in columns.values()]
    for row in zip(*lists, strict=True):
        writer.writerow("" if value is None or _is_nan(value) else value for value in row)
    return out.getvalue()


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _read_csv(path: Path) -> dict[str, list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle)
            names = next(reader, None)
            if not names:
                raise UsageError(f"{path.name} is empty.", hint="Its first line names the columns.")
            rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorruptMedia(f"{path.name} cannot be read as CSV: {error}.") from error
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise CorruptMedia(
                f"{path.name} has {len(row)} fields in line {number}, expected {len(names)}.",
                hint="Write the table again, or cut off its last line if it broke off.",
            )
    return {name.strip(): [row[i] for row in rows] for i, name in enumerate(names)}


def _read_parquet(path: Path) -> dict[str, Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorruptMedia(
            f"{path.name} is damaged: {error}.", hint="Delete it; it will be made again."
        ) from error
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _write_parquet(path: Path, table: ScoreTable) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {name: pyarrow.array(column.tolist()) for name, column in table.columns().items()}
    parquet.write_table(pyarrow.table(columns), path, compression="zstd")
