"""One line a file: what tables, CSV and the index page are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from unmask.errors import UnmaskError
from unmask.types import Label, Report


@dataclass(frozen=True, slots=True)
class FileRow:
    """The outcome for one input in one line.

    Attributes:
        name: Name or path shown to the user; may be hostile.
        label: The verdict.
        log10_lr: log10 likelihood ratio, or None where there is none.
        in_scope: Whether the input was one that the method is meant for.
        reasons: Stable codes: why it was out of scope, or the error's code.
        note: The most useful sentence about it; may be empty.
        sha256: Digest of the input, or empty where it could not be read.
        mime: Sniffed type, or empty.
        size_bytes: Size of the file, or None.
        duration_s: Length, or None.
        faces: People followed.
        frames_in_file: Frames the file holds, or None where it does not say.
        frames_seen: Frames that were looked at.
        frames_with_faces: Frames in which a face was found.
        detector: Id of the detector, or empty.
        calibration_id: Id of the calibration, or None.
        errors: Codes of problems that did not end the analysis.
        tool_version: Version that spoke, or empty.
        schema_version: Schema of the report, or empty.
        href: Relative path of the file's own page, or None. Used by the index page.
        declared: Whether the file's own declaration decided the label, not what was found.
    """

    name: str
    label: Label
    log10_lr: float | None = None
    in_scope: bool = False
    reasons: tuple[str, ...] = ()
    note: str = ""
    sha256: str = ""
    mime: str = ""
    size_bytes: int | None = None
    duration_s: float | None = None
    faces: int = 0
    frames_in_file: int | None = None
    frames_seen: int = 0
    frames_with_faces: int = 0
    detector: str = ""
    calibration_id: str | None = None
    errors: tuple[str, ...] = ()
    tool_version: str = ""
    schema_version: str = ""
    href: str | None = None
    declared: bool = False

    @classmethod
    def from_report(
        cls, report: Report, *, name: str | None = None, href: str | None = None
    ) -> FileRow:
        """Build the row of one report.

        Args:
            report: The report.
            name: Shown instead of the report's own name (a path, where names repeat).
            href: Relative path of the report's page.
        """
        verdict, coverage = report.verdict, report.coverage
        log10_lr = verdict.log10_lr
        return cls(
            name=report.input.name if name is None else name,
            label=verdict.label,
            log10_lr=log10_lr if log10_lr is not None and math.isfinite(log10_lr) else None,
            in_scope=verdict.in_scope,
            reasons=tuple(reason.code for reason in verdict.reasons),
            note=_note(report),
            sha256=report.input.sha256 or "",
            mime=report.input.mime,
            size_bytes=report.input.bytes,
            duration_s=report.input.duration_s,
            faces=len(report.faces),
            frames_in_file=coverage.frames_in_file,
            frames_seen=coverage.frames_seen,
            frames_with_faces=coverage.frames_with_faces,
            detector=report.method.detector,
            calibration_id=verdict.calibration_id,
            errors=tuple(problem.code for problem in report.errors),
            tool_version=report.tool.version,
            schema_version=report.schema_version,
            href=href,
            declared=verdict.basis == "declaration",
        )

    @classmethod
    def from_error(cls, name: str, error: UnmaskError) -> FileRow:
        """Build the row of an input that ended in an error and has no report."""
        return cls(name=name, label=Label.NOT_ANALYZED, reasons=(error.code,), note=error.message)


ReportOrRow: TypeAlias = Report | FileRow


def as_rows(items: Iterable[ReportOrRow]) -> Iterable[FileRow]:
    """Yield a row for each report; rows pass through."""
    for item in items:
        yield item if isinstance(item, FileRow) else FileRow.from_report(item)


_ORDER = {
    Label.MANIPULATION_SUPPORTED: 0,
    Label.INCONCLUSIVE: 1,
    Label.NOT_ANALYZED: 2,
    Label.NO_MANIPULATION_FOUND: 3,
}


def by_urgency(rows: Iterable[FileRow]) -> Sequence[FileRow]:
    """Sort rows so that what needs a person's eyes comes first; ties keep their order."""
    return sorted(rows, key=lambda row: (_ORDER[row.label], -(row.log10_lr or 0.0)))


# The whole sentence is on the page of the file; a table has room for what it was.
_DECLARED = {
    "declared_by_credentials": "its signed credentials",
    "declared_by_watermark": "its watermark",
}


def _note(report: Report) -> str:
    """Pick what a person scanning a table would ask next."""
    if declared := [_DECLARED[r.code] for r in report.verdict.reasons if r.code in _DECLARED]:
        return f"by {' and '.join(declared)}"
    if report.verdict.reasons:
        return report.verdict.reasons[0].message
    if report.coverage.stopped_early:
        return f"stopped early: {report.coverage.stopped_early}"
    if report.errors:
        return report.errors[0].message
    if not report.input.unchanged:
        return "the file changed while it was read"
    return ""
