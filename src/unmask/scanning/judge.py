"""From evidence to verdicts: per face, then for the whole input.

The rule over faces is not tuned: if exactly one of N judged faces is manipulated and nothing says
which, the likelihood ratio of "one of them is" against "none is" is the mean of the faces' ratios.
A crowd therefore needs a stronger single finding than a portrait does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from unmask.scanning.gate import (
    MIN_FILM_FRAMES,
    no_face,
    not_calibrated,
    too_few_frames,
    unjudged_faces,
)
from unmask.types import Label, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.calibration import Calibration
    from unmask.scanning.evidence import TrackEvidence

_FACE_WORDS = {
    Label.MANIPULATION_SUPPORTED: "The findings support that this face was manipulated.",
    Label.INCONCLUSIVE: "The findings on this face speak clearly for neither side.",
    Label.NO_MANIPULATION_FOUND: "No sign of manipulation was found on this face.",
}
_FACE_NOT_JUDGED = "This face could not be judged."
_FACE_SCORED = "This face was scored; what the score says is not known."

_INPUT_WORDS = {
    Label.MANIPULATION_SUPPORTED: "The findings support that a face was manipulated.",
    Label.INCONCLUSIVE: "The findings speak clearly for neither side.",
    Label.NO_MANIPULATION_FOUND: "No sign of face manipulation was found in what was looked at.",
}
_SCORED = "Faces were scored; what the scores say is not known."
_NONE_JUDGED = "A face was found, but none could be judged."
_NO_FACE = "Nothing could be judged: no face was found."


def judge_face(track: TrackEvidence, calibration: Calibration | None, *, film: bool) -> Verdict:
    """The verdict on one followed face.

    Args:
        track: What was gathered about it.
        calibration: The detector's calibration; None: a face in scope keeps its score, and there
            is no likelihood ratio.
        film: Whether the input is a film (which needs several frames) or one picture.
    """
    needed = MIN_FILM_FRAMES if film else 1
    if track.score is None or track.judged < needed:
        reason = track.main_reason() if track.judged == 0 else None
        reason = reason or too_few_frames(track.judged, needed)
        return Verdict(
            label=Label.INCONCLUSIVE,
            statement=_FACE_NOT_JUDGED,
            reasons=[reason],
            calibration_id=_id(calibration),
        )
    if calibration is None:
        return Verdict(
            label=Label.INCONCLUSIVE,
            statement=_FACE_SCORED,
            in_scope=True,
            reasons=[not_calibrated()],
        )
    curve = calibration.curve(film=film)
    log10_lr = curve.log10_lr(track.score)
    label = curve.label(log10_lr)
    return Verdict(
        label=label,
        statement=_FACE_WORDS[label],
        log10_lr=round(log10_lr, 3),
        in_scope=True,
        calibration_id=calibration.id,
    )


def judge_input(
    faces: Sequence[Verdict],
    calibration: Calibration | None,
    *,
    film: bool,
    notes: Sequence[Reason] = (),
) -> Verdict:
    """The verdict on the whole input.

    Args:
        faces: Verdicts on the faces found.
        calibration: The detector's calibration, or None.
        film: Whether the input is a film.
        notes: Further reasons that limit the verdict (a crowd cut down, an early end). With any
            of them, "nothing found" becomes "inconclusive".
    """
    left_out = sum(not verdict.in_scope for verdict in faces)
    more = [unjudged_faces(left_out)] if left_out else []
    if calibration is None and left_out < len(faces):
        return Verdict(
            label=Label.INCONCLUSIVE,
            statement=_SCORED,
            in_scope=True,
            reasons=[not_calibrated(), *notes, *more],
        )
    judged = [v.log10_lr for v in faces if v.in_scope and v.log10_lr is not None]
    if calibration is None or not judged:
        why = [no_face()] if not faces else _distinct(faces)
        return Verdict(
            label=Label.INCONCLUSIVE if faces else Label.NOT_ANALYZED,
            statement=_NONE_JUDGED if faces else _NO_FACE,
            reasons=[*why, *notes],
            calibration_id=_id(calibration),
        )
    curve = calibration.curve(film=film)
    log10_lr = pooled_log10_lr(judged)
    label = curve.label(log10_lr)
    if notes and label is Label.NO_MANIPULATION_FOUND:
        label = Label.INCONCLUSIVE
    return Verdict(
        label=label,
        statement=_INPUT_WORDS[label],
        log10_lr=round(log10_lr, 3),
        in_scope=True,
        reasons=[*notes, *more],
        calibration_id=calibration.id,
    )


def _id(calibration: Calibration | None) -> str | None:
    return calibration.id if calibration is not None else None


def pooled_log10_lr(log10_lrs: Sequence[float]) -> float:
    """log10 of the mean of likelihood ratios, computed without overflow."""
    top = max(log10_lrs)
    return top + math.log10(sum(10 ** (value - top) for value in log10_lrs) / len(log10_lrs))


def _distinct(faces: Sequence[Verdict]) -> list[Reason]:
    return list({reason.code: reason for face in faces for reason in face.reasons}.values())
