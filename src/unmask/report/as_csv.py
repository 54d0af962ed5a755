"""Many files as one table that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TextIO

from unmask.report.rows import FileRow, ReportOrRow, as_rows
from unmask.report.text import visible_text

HEADER: tuple[str, ...] = (
    "name",
    "sha256",
    "label",
    "log10_lr",
    "in_scope",
    "reasons",
    "note",
    "faces",
    "frames_in_file",
    "frames_seen",
    "frames_with_faces",
    "duration_s",
    "bytes",
    "mime",
    "detector",
    "calibration_id",
    "errors",
    "tool_version",
    "schema_version",
    "basis",
)

# What makes a spreadsheet take a cell for a formula; the full-width forms do so in
# East Asian locales.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


def to_csv_rows(items: Iterable[ReportOrRow]) -> Iterator[tuple[str, ...]]:
    """Yield the header and then one row a file, every cell as text.

    Text cells that a spreadsheet would run as a formula get a leading apostrophe and control
    characters become visible escapes. Numbers are written by us and stay numbers, so a
    negative ``log10_lr`` starts with its minus sign.
    """
    yield HEADER
    for row in as_rows(items):
        yield _cells(row)


def write_csv(items: Iterable[ReportOrRow], stream: TextIO) -> None:
    """Write :func:`to_csv_rows` to a text stream as RFC 4180 with line feeds."""
    writer = csv.writer(stream, lineterminator="\n")
    for cells in to_csv_rows(items):
        writer.writerow(cells)


def safe_cell(text: str) -> str:
    """Return ``text`` as a cell that no spreadsheet takes for a formula."""
    shown = visible_text(text)
    # Looked at before and after: an escape must not hide that a tab came first.
    if text.startswith(_FORMULA_STARTS) or shown.lstrip().startswith(_FORMULA_STARTS):
        return f"'{shown}"
    return shown


def _cells(row: FileRow) -> tuple[str, ...]:
    return (
        safe_cell(row.name),
        safe_cell(row.sha256),
        row.label.value,
        _number(row.log10_lr, 4),
        "true" if row.in_scope else "false",
        safe_cell(";".join(row.reasons)),
        safe_cell(row.note),
        str(row.faces),
        "" if row.frames_in_file is None else str(row.frames_in_file),
        str(row.frames_seen),
        str(row.frames_with_faces),
        _number(row.duration_s, 3),
        "" if row.size_bytes is None else str(row.size_bytes),
        safe_cell(row.mime),
        safe_cell(row.detector),
        safe_cell(row.calibration_id or ""),
        safe_cell(";".join(row.errors)),
        safe_cell(row.tool_version),
        safe_cell(row.schema_version),
        "declaration" if row.declared else "findings",
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
