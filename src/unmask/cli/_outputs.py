"""Where reports go: standard output, or a folder with one page a file and an index."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from unmask import report as reports
from unmask.errors import OutputRefused
from unmask.report import FileRow
from unmask.types import Label, Report

FORMATS = ("json", "ndjson", "html", "pdf", "csv")
_LINES = "results.ndjson"


class ToStdout:
    """Reports on standard output, in one format; None: a table, or plain lines in a pipe."""

    def __init__(self, form: str | None) -> None:
        self._form = form
        self._kept: list[FileRow] = []
        self._csv_started = False

    def add(self, report: Report) -> None:
        """Write one report, or keep its row for the table."""
        if self._form == "json":
            _write(reports.to_json(report) + b"\n")
        elif self._form == "ndjson":
            _write(reports.to_ndjson_line(report).rstrip(b"\n") + b"\n")
        elif self._form == "html":
            _write(reports.to_html(report).encode())
        elif self._form == "pdf":
            _write(reports.to_pdf(report))
        elif self._form == "csv":
            self._add_csv(report)
        elif sys.stdout.isatty():
            self._kept.append(FileRow.from_report(report))
        else:
            _write("\n".join(reports.plain_lines([report])).encode() + b"\n")

    def close(self) -> None:
        """Print the table, where one was asked for."""
        if self._kept:
            from rich.console import Console

            reports.render_table(self._kept, Console())

    def _add_csv(self, report: Report) -> None:
        import csv
        import io

        rows = list(reports.to_csv_rows([report]))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows[1:] if self._csv_started else rows)
        self._csv_started = True
        _write(text.getvalue().encode())


class ToFolder:
    """Reports in a folder, each written as soon as it is there, so a stop loses nothing.

    Args:
        folder: Made if need be.
        formats: Which files to write for each input; ``ndjson`` and ``csv`` collect all inputs.
        resume: Keep the lines of an earlier run and add to them.

    Raises:
        OutputRefused: The folder cannot be made or written.
    """

    def __init__(self, folder: Path, formats: Iterable[str], *, resume: bool) -> None:
        self.folder = folder
        self.formats = list(formats)
        self._rows: list[FileRow] = []
        self._taken: set[str] = set()
        self.seen: set[str] = set()
        self.last: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resume:
                self._read_lines()
            elif "ndjson" in self.formats:
                (folder / _LINES).write_bytes(b"")
        except OSError as error:
            raise OutputRefused(
                f"The folder {folder} cannot be written: {error.strerror}.",
                hint="Choose another one with -o.",
            ) from error

    def add(self, report: Report) -> None:
        """Write the files of one report; their paths are in ``last``."""
        stem = self._stem(report)
        made: list[Path] = []
        for form, make in (
            ("json", reports.to_json),
            ("html", lambda one: reports.to_html(one).encode()),
            ("pdf", reports.to_pdf),
        ):
            if form in self.formats:
                made.append(self.folder / f"{stem}.{form}")
                reports.write_atomically(made[-1], make(report))
        href = f"{stem}.html" if "html" in self.formats else None
        self._rows.append(FileRow.from_report(report, href=href))
        if "ndjson" in self.formats:
            self._add_line(report)
        self.last = made

    def close(self) -> list[Path]:
        """Write what speaks of all inputs: index page and table."""
        made = []
        if "html" in self.formats and len(self._rows) > 1:
            made.append(self.folder / "index.html")
            reports.write_atomically(made[-1], reports.to_index_html(self._rows).encode())
        if "csv" in self.formats:
            import io

            text = io.StringIO()
            reports.write_csv(self._rows, text)
            made.append(self.folder / "results.csv")
            reports.write_atomically(made[-1], text.getvalue().encode())
        return made

    def _add_line(self, report: Report) -> None:
        try:
            with (self.folder / _LINES).open("ab") as lines:
                lines.write(reports.to_ndjson_line(report).rstrip(b"\n") + b"\n")
        except OSError as error:
            raise OutputRefused(
                f"{self.folder / _LINES} cannot be written: {error.strerror}.",
                hint="Free some space and run the same call with --resume.",
            ) from error

    def _read_lines(self) -> None:
        path = self.folder / _LINES
        if not path.exists():
            return
        whole = []
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                done = reports.from_json(line)
            except Exception:  # noqa: S112, BLE001, PERF203 - the torn last line of a killed run
                continue
            whole.append(line if line.endswith(b"\n") else line + b"\n")
            if done.input.sha256 and done.verdict.label is not Label.NOT_ANALYZED:
                self.seen.add(done.input.sha256)
            self._rows.append(FileRow.from_report(done, href=self._page_of(done)))
        reports.write_atomically(path, b"".join(whole))

    def _page_of(self, report: Report) -> str | None:
        name = f"{self._stem(report)}.html"
        return name if (self.folder / name).exists() else None

    def _stem(self, report: Report) -> str:
        """A file name that says which input it is and that no two inputs share."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", report.input.name).strip("._")[:80] or "input"
        stem = f"{plain}-{(report.input.sha256 or 'unread')[:8]}"
        number = 2
        while stem in self._taken:
            stem = f"{stem.split('~')[0]}~{number}"
            number += 1
        self._taken.add(stem)
        return stem


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
