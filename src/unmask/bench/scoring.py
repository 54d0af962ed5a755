"""Every file through the whole of scan, and what came of it as one line of a table."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Protocol

from unmask.errors import InputError
from unmask.types import Label

if TYPE_CHECKING:
    import os

    from unmask.bench.samples import Sample
    from unmask.calibration import Calibration
    from unmask.detectors import Detector
    from unmask.types import Report


class Scans(Protocol):
    """What is asked of a scanner: :class:`unmask.Scanner` is one.

    Attributes:
        detector: Whose time a picture is measured.
    """

    detector: Detector

    @property
    def calibration(self) -> Calibration:
        """Says which detector and weights the verdicts rest on."""
        ...

    def scan(self, path: str | os.PathLike[str]) -> Report:
        """Scan one file, or raise an :class:`unmask.errors.InputError`."""
        ...


@dataclass(frozen=True, slots=True)
class FileScore:
    """What scan said about one file.

    Attributes:
        name: The file, relative to its data set.
        y_true: 1 = manipulated, 0 = untouched.
        group: Source video.
        label: The verdict's label.
        log10_lr: The verdict's log10 likelihood ratio; None where it abstained for scope.
        logit: The detector's score; where the verdict abstains, the highest mean logit of a face
            all the same; None where no face was found.
        faces_found: Faces over all frames looked at.
        frames_seen: Frames looked at.
        reasons: Codes of the verdict's reasons, joined by spaces.
        error: Code of the error that ended the scan, or "".
    """

    name: str
    y_true: int
    group: str
    label: str
    log10_lr: float | None
    logit: float | None
    faces_found: int
    frames_seen: int
    reasons: str
    error: str

    @property
    def called(self) -> bool:
        """Whether scan said that manipulation is supported."""
        return self.label == Label.MANIPULATION_SUPPORTED


def score_files(scanner: Scans, samples: Iterable[Sample]) -> list[FileScore]:
    """Scan every sample; a file that cannot be read becomes a line with its error's code."""
    return [_score(scanner, sample) for sample in samples]


def write_csv(scores: Iterable[FileScore]) -> str:
    """The scores as CSV with a header; an absent number is an empty cell."""
    names = [field.name for field in fields(FileScore)]
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(names)
    for score in scores:
        values = (getattr(score, name) for name in names)
        writer.writerow("" if value is None else value for value in values)
    return table.getvalue()


def _score(scanner: Scans, sample: Sample) -> FileScore:
    try:
        report = scanner.scan(sample.path)
    except InputError as error:
        return FileScore(
            name=sample.name,
            y_true=sample.y_true,
            group=sample.group,
            label=Label.NOT_ANALYZED,
            log10_lr=None,
            logit=None,
            faces_found=0,
            frames_seen=0,
            reasons="",
            error=error.code,
        )
    return FileScore(
        name=sample.name,
        y_true=sample.y_true,
        group=sample.group,
        # Of a file that declares itself: what was found in its pixels is what is measured.
        label=report.verdict.findings_label or report.verdict.label,
        log10_lr=report.verdict.log10_lr,
        logit=_logit(report),
        faces_found=report.coverage.faces_found,
        frames_seen=report.coverage.frames_seen,
        reasons=" ".join(reason.code for reason in report.verdict.reasons),
        error=report.errors[0].code if report.errors else "",
    )


def _logit(report: Report) -> float | None:
    """The detector's score, or where the verdict abstains the highest mean logit of a face.

    The verdict abstains outside its scope; a ranking over a whole data set may not, or a detector
    could improve its AUC by keeping silent on the hard files.
    """
    stated = [one.score for one in report.detectors if one.score is not None]
    if stated:
        return stated[0]
    means = []
    for face in report.faces:
        inside = [point.logit for point in face.timeline if point.in_scope]
        logits = inside or [point.logit for point in face.timeline]
        if logits:
            means.append(statistics.fmean(logits))
    return max(means, default=None)
