"""Where reports go: standard output, or a folder with one page a file and an index."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from unmask import report as reports
from unmask.errors import InvalidReport, OutputRefused, UsageError
from unmask.report import FileRow
from unmask.types import Label, Method, Report, Tool

Record = Callable[[Report, Collection[Path]], None]

FORMATS = ("json", "ndjson", "html", "pdf", "csv")
_LINES = "results.ndjson"
_MAX_STEM = 80


class ToStdout:
    """Reports on standard output, in one format; None: a table, or plain lines in a pipe."""

    def __init__(self, form: str | None) -> None:
        self._form = form
        self._kept: list[FileRow] = []
        self._csv_started = False

    def add(self, report: Report, record: Record | None = None) -> None:
        """Write one report, or keep its row for the table; ``record`` is told beforehand."""
        if record is not None:
            record(report, [])
        if self._form == "json":
            _write(reports.to_json(report))
        elif self._form == "ndjson":
            _write(reports.to_ndjson_line(report))
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

    Attributes:
        seen: (name, SHA-256) of the inputs that an earlier run got through.
        last: Files written for the latest report.

    Raises:
        OutputRefused: The folder cannot be made or written.
        UsageError: To be resumed without ``ndjson``, which says what was done.
    """

    def __init__(self, folder: Path, formats: Iterable[str], *, resume: bool) -> None:
        self.folder = folder
        self.formats = list(formats)
        self.seen: set[tuple[str, str]] = set()
        self.last: list[Path] = []
        self._rows: list[FileRow] = []
        self._taken: set[str] = set()
        self._earlier: list[Report] = []
        if resume and "ndjson" not in self.formats:
            raise UsageError(
                f"--resume reads {_LINES}, which these formats leave out.",
                hint="Add --format ndjson, or give no --format.",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resume:
                self._earlier = self._read_lines()
            elif "ndjson" in self.formats:
                (folder / _LINES).write_bytes(b"")
        except (OSError, ValueError) as error:
            raise OutputRefused(
                f"The folder {folder} cannot be written: {_why(error)}.",
                hint="Choose another one with -o.",
            ) from error

    def go_on(self, tool: Tool, methods: Collection[Method]) -> None:
        """Take over what an earlier run did, provided that it was done in the same way.

        Inputs that could not be read are left for another try.

        Args:
            tool: This software.
            methods: The ways in which this run works, one for pictures and one for films.

        Raises:
            UsageError: The earlier results were made by another version or other settings.
        """
        other = next((r for r in self._earlier if r.tool != tool or r.method not in methods), None)
        if other is not None:
            raise UsageError(
                f"{self.folder / _LINES} was made by another version, other weights or other "
                f"settings ({other.tool.name} {other.tool.version}, "
                f"{other.method.frames}, {other.method.calibration}).",
                hint="Give another folder with -o, or leave --resume out to begin again.",
            )
        kept = []
        for report in self._earlier:
            unread = report.verdict.label is Label.NOT_ANALYZED and not report.coverage.frames_seen
            if unread or not report.input.sha256:
                continue
            kept.append(reports.to_ndjson_line(report))
            self.seen.add((report.input.name, report.input.sha256))
            self._rows.append(FileRow.from_report(report, href=self._page_of(report)))
        self._earlier = []
        reports.write_atomically(self.folder / _LINES, b"".join(kept))

    def add(self, report: Report, record: Record | None = None) -> None:
        """Write the files of one report; their paths are in ``last``, and told to ``record``."""
        stem = self._stem(report)
        made: list[Path] = []
        for form, make in (
            ("json", reports.to_json),
            ("html", lambda one: reports.to_html(one).encode()),
            ("pdf", reports.to_pdf),
        ):
            if form in self.formats:
                path = self.folder / f"{stem}.{form}"
                reports.write_atomically(path, make(report))
                made.append(path)
        href = f"{stem}.html" if "html" in self.formats else None
        self._rows.append(FileRow.from_report(report, href=href))
        self.last = made
        if record is not None:
            record(report, made)
        # The line comes last: it says that everything else of this input is there.
        if "ndjson" in self.formats:
            self._add_line(report)

    def close(self) -> list[Path]:
        """Write what speaks of all inputs: index page and table."""
        made = []
        if "html" in self.formats and len(self._rows) > 1:
            path = self.folder / "index.html"
            reports.write_atomically(path, reports.to_index_html(self._rows).encode())
            made.append(path)
        if "csv" in self.formats:
            text = io.StringIO()
            reports.write_csv(self._rows, text)
            path = self.folder / "results.csv"
            reports.write_atomically(path, text.getvalue().encode())
            made.append(path)
        return made

    def _add_line(self, report: Report) -> None:
        try:
            with (self.folder / _LINES).open("ab") as lines:
                lines.write(reports.to_ndjson_line(report))
        except OSError as error:
            raise OutputRefused(
                f"{self.folder / _LINES} cannot be written: {_why(error)}.",
                hint="Free some space and run the same call with --resume.",
            ) from error

    def _read_lines(self) -> list[Report]:
        path = self.folder / _LINES
        if not path.exists():
            return []
        lines = path.read_bytes().splitlines()
        return [report for line in lines if (report := _report_in(line)) is not None]

    def _page_of(self, report: Report) -> str | None:
        name = f"{self._stem(report)}.html"
        return name if (self.folder / name).exists() else None

    def _stem(self, report: Report) -> str:
        """A file name that says which input it is and that no two inputs share."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", report.input.name).strip("._")
        first = f"{plain[:_MAX_STEM] or 'input'}-{(report.input.sha256 or 'unread')[:8]}"
        stem, number = first, 1
        while stem.lower() in self._taken:  # some systems take A and a for the same name
            number += 1
            stem = f"{first}~{number}"
        self._taken.add(stem.lower())
        return stem


def _report_in(line: bytes) -> Report | None:
    """The report of one line, or None for the torn last line of a run that was killed."""
    try:
        return reports.from_json(line)
    except InvalidReport:
        return None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
