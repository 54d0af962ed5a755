"""What the page says about one report: sorted, shortened and put into words.

The template only lays out; every number is turned into text here or by a filter.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.report.chart import MAX_BINS, describe, timeline_chart
from unmask.report.drawing import place_in_picture, scale_ruler
from unmask.report.origin import origin_rows, trace_rows
from unmask.report.words import times_words, verbal_scale
from unmask.types import FaceReport, Interval, Problem, Report

if TYPE_CHECKING:
    from markupsafe import Markup

# Where there are more, the page stays readable and the JSON holds all of them.
FULL_FACES = 6
LISTED_FACES = 40
LISTED_INTERVALS = 8
LISTED_TEXTS = 40
_BINS_ON_PAGE = 360
_LEAST_BINS = 60
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class FaceView:
    """One face as the page shows it.

    Attributes:
        face: The face's own report.
        image: ``data:`` address of the crop, or None.
        overlay: ``data:`` address of the crop under its map, or None.
        place: Where the face lies in the picture, or None.
        chart: Timeline, or None where time does not pass.
        chart_words: The chart in words.
    """

    face: FaceReport
    image: str | None
    overlay: str | None
    place: Markup | None
    chart: Markup | None
    chart_words: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """One report as the page shows it.

    Attributes:
        report: The report.
        anchor: Prefix of the ids in this section.
        full: Faces shown in full, highest log10 LR first.
        brief: Further faces, shown as rows of a table.
        unlisted: Faces that are in the JSON only.
        ruler: The scale with this finding on it, or None without one.
        scale_words: The finding on the verbal scale.
        times: The finding as a comparison.
        peaks: Stretches of time with the highest mean score.
        origin: What the file says of its origin.
        traces: What camera, program and encoder left.
        metadata: Tags of the file.
        more_metadata: How many tags are in the JSON only.
        problems: Errors.
        more_problems: How many errors are in the JSON only.
    """

    report: Report
    anchor: str
    full: Sequence[FaceView]
    brief: Sequence[FaceReport]
    unlisted: int
    ruler: Markup | None
    scale_words: str
    times: str
    peaks: Sequence[Interval]
    origin: Sequence[tuple[str, str]]
    traces: Sequence[tuple[str, str]]
    metadata: Sequence[tuple[str, str]]
    more_metadata: int
    problems: Sequence[Problem]
    more_problems: int

    @property
    def is_declared(self) -> bool:
        """Whether the file's own declaration decided the label."""
        return self.report.verdict.basis == "declaration"

    @property
    def is_still(self) -> bool:
        """Whether the input is one picture, in which no time passes."""
        return self.report.input.kind == "image"


def build_view(report: Report, anchor: str) -> ReportView:
    """Gather what the page shows of ``report``.

    Args:
        report: The report.
        anchor: Prefix for ids, unique on the page; letters, digits and hyphens.
    """
    faces = sorted(report.faces, key=_evidence, reverse=True)
    full = faces[:FULL_FACES]
    bins = max(_LEAST_BINS, min(MAX_BINS, _BINS_ON_PAGE // max(1, len(full))))
    log10_lr = report.verdict.log10_lr
    known = log10_lr is not None and math.isfinite(log10_lr)
    finding = log10_lr if known and log10_lr is not None else 0.0
    metadata = sorted(report.input.metadata.items())
    return ReportView(
        report=report,
        anchor=anchor,
        full=[_face_view(face, report, bins) for face in full],
        brief=faces[FULL_FACES : FULL_FACES + LISTED_FACES],
        unlisted=max(0, len(faces) - FULL_FACES - LISTED_FACES),
        ruler=scale_ruler(finding, report.method.threshold_log10_lr) if known else None,
        scale_words=verbal_scale(finding) if known else "",
        times=times_words(finding) if known else "",
        peaks=_peaks(report),
        origin=origin_rows(report.provenance),
        traces=trace_rows(report.provenance)[:LISTED_TEXTS],
        metadata=metadata[:LISTED_TEXTS],
        more_metadata=max(0, len(metadata) - LISTED_TEXTS),
        problems=report.errors[:LISTED_TEXTS],
        more_problems=max(0, len(report.errors) - LISTED_TEXTS),
    )


def png_address(png: bytes | None) -> str | None:
    """Return PNG bytes as a ``data:`` address, or None where they are not a PNG.

    A report may come from elsewhere; nothing but a PNG is handed to the browser as one.
    """
    if png is None or not png.startswith(_PNG):
        return None
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _face_view(face: FaceReport, report: Report, bins: int) -> FaceView:
    crop, threshold = face.best_crop, report.method.threshold_logit
    still = report.input.kind == "image"
    return FaceView(
        face=face,
        image=png_address(crop.image_png),
        overlay=png_address(crop.map_png),
        place=place_in_picture(crop.bbox_xyxy, report.input.width_px, report.input.height_px),
        chart=None
        if still
        else timeline_chart(
            face.timeline,
            threshold=threshold,
            duration_s=report.input.duration_s,
            max_bins=bins,
        ),
        chart_words=describe(face.timeline, threshold),
    )


def _evidence(face: FaceReport) -> tuple[float, int]:
    log10_lr = face.verdict.log10_lr
    known = log10_lr is not None and math.isfinite(log10_lr)
    return (log10_lr if known and log10_lr is not None else -math.inf, -face.track_id)


def _peaks(report: Report) -> list[Interval]:
    """Return the stretches with the highest mean score above 0, in order of time."""
    above = [item for item in report.timeline if math.isfinite(item.score) and item.score > 0]
    highest = sorted(above, key=lambda item: -item.score)[:LISTED_INTERVALS]
    return sorted(highest, key=lambda item: item.start_s)
