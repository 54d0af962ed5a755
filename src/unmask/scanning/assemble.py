"""Evidence and verdicts, written into a :class:`unmask.types.Report`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask import __version__
from unmask.detectors.overlay import overlay
from unmask.scanning.crops import encode_png
from unmask.scanning.evidence import rounded_box
from unmask.types import (
    SCHEMA_VERSION,
    BestCrop,
    Coverage,
    DetectorResult,
    FaceReport,
    Input,
    Interval,
    Label,
    Method,
    Problem,
    Reason,
    Report,
    Tool,
    Verdict,
)

if TYPE_CHECKING:
    from unmask.detectors import DetectorSpec
    from unmask.errors import UnmaskError
    from unmask.scanning.analysis import Evidence
    from unmask.scanning.evidence import Best, ScoreTimeline, TrackEvidence
    from unmask.types import MediaInfo

_LIMITATIONS = (
    "Only faces are examined. Other changes to the picture, its sound, its text or its context "
    "are not.",
    "Strong compression, small or blurred faces, filters and retouching hide such traces or "
    "imitate them.",
    "'No manipulation found' means that these signs were absent. It does not mean that the "
    "picture shows what happened.",
    "The likelihood ratio compares two explanations of what was measured. It is not the "
    "probability that the file is fake: that also depends on everything else known about it.",
)


def limitations(spec: DetectorSpec) -> list[str]:
    """What no verdict of this detector can say, in sentences for the report."""
    first, *others = _LIMITATIONS
    return [first, spec.sees or _sees(spec), *others]


def _sees(spec: DetectorSpec) -> str:
    known = ", ".join(spec.training_sets) or "sets that its file does not name"
    return (
        f"{spec.title} looks for what told real from manipulated faces where it was trained "
        f"({known}). Other kinds of manipulation leave other traces and may pass unnoticed."
    )


def tool() -> Tool:
    """This software."""
    return Tool(name="unmask", version=__version__)


def input_of(info: MediaInfo, *, name: str, unchanged: bool) -> Input:
    """The input section for a file that could be opened."""
    return Input(
        name=name,
        sha256=info.sha256,
        bytes=info.size_bytes,
        mime=info.mime,
        kind=info.kind,
        width_px=info.width_px,
        height_px=info.height_px,
        duration_s=info.duration_s,
        frame_rate=info.frame_rate,
        codec=info.codec,
        unchanged=unchanged,
        metadata=dict(sorted(info.metadata.items())),
    )


def unread_input(name: str, *, sha256: str | None, size_bytes: int) -> Input:
    """The input section for a file that could not be opened as a picture or film."""
    return Input(
        name=name,
        sha256=sha256,
        bytes=size_bytes,
        mime="",
        kind="unknown",
        width_px=0,
        height_px=0,
    )


def coverage_of(evidence: Evidence, info: MediaInfo, stopped_early: str | None) -> Coverage:
    """How much of the input was looked at."""
    return Coverage(
        frames_in_file=1 if info.kind == "image" else info.frame_count,
        frames_seen=evidence.frames_seen,
        frames_with_faces=evidence.frames_with_faces,
        faces_found=evidence.faces_found,
        faces_scored=evidence.faces_scored,
        tracks=len(evidence.tracks),
        first_seen_s=evidence.first_s,
        last_seen_s=evidence.last_s,
        stopped_early=stopped_early,
    )


def face_report(track: TrackEvidence, verdict: Verdict, *, crops: bool) -> FaceReport:
    """The section on one followed face."""
    if track.best is None:
        raise ValueError(f"track {track.track_id} holds no sighting")
    return FaceReport(
        track_id=track.track_id,
        verdict=verdict,
        best_crop=_best_crop(track.best, crops=crops),
        frames=track.frames,
        mean_face_px=round(track.face_px_sum / track.frames, 1),
        mean_sharpness=round(track.sharpness_sum / track.frames, 1),
        mean_abs_yaw_deg=round(track.yaw_sum / track.frames, 1),
        fake_frame_share=round(track.above_zero / track.judged, 4) if track.judged else 0.0,
        timeline=track.timeline,
    )


def intervals(timeline: ScoreTimeline, last_s: float | None) -> list[Interval]:
    """Mean scores over stretches of time."""
    ends = [*timeline.times[1:], last_s if last_s is not None else 0.0]
    return [
        Interval(
            start_s=round(start, 6),
            end_s=round(max(start, end), 6),
            score=round(score / count, 4),
        )
        for start, end, score, count in zip(
            timeline.times, ends, timeline.scores, timeline.counts, strict=True
        )
        if count
    ]


def failed_report(
    unread: Input,
    error: UnmaskError,
    method: Method,
    spec: DetectorSpec,
    *,
    started_at: str,
    ended_at: str,
) -> Report:
    """A report on an input that could not be analysed: never a verdict, always the reason."""
    return Report(
        schema_version=SCHEMA_VERSION,
        tool=tool(),
        input=unread,
        started_at=started_at,
        ended_at=ended_at,
        coverage=Coverage(
            frames_in_file=None,
            frames_seen=0,
            frames_with_faces=0,
            faces_found=0,
            faces_scored=0,
            tracks=0,
        ),
        verdict=Verdict(
            label=Label.NOT_ANALYZED,
            statement="The file could not be analysed.",
            reasons=[Reason(code=error.code, message=error.message)],
        ),
        faces=[],
        detectors=[
            DetectorResult(id=method.detector, status="not_applicable", reason=error.message)
        ],
        method=method,
        limitations=limitations(spec),
        errors=[Problem(code=error.code, message=error.message, hint=error.hint)],
    )


def _best_crop(best: Best, *, crops: bool) -> BestCrop:
    face = best.crop if crops else None
    tinted = None
    if face is not None and best.map is not None:
        tinted = encode_png(overlay(face, best.map))
    return BestCrop(
        frame_index=best.frame_index,
        pts_s=round(best.pts_s, 6),
        bbox_xyxy=rounded_box(best.bbox_xyxy),
        image_png=encode_png(face) if face is not None else None,
        map_png=tinted,
        map_peak=round(best.map_peak, 4),
    )
