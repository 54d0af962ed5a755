"""What the method may speak about: every limit is a rule with a code and a sentence.

Out of scope means: no score is turned into a verdict. It is how the program says "I do not know"
for a reason that can be checked, instead of inventing a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.types import Reason

if TYPE_CHECKING:
    from unmask.types import Quality

MIN_FACE_PX = 50.0
MIN_SHARPNESS = 8.0
MAX_YAW_DEG = 60.0
MAX_PITCH_DEG = 50.0
MIN_VISIBLE = 0.6
MIN_FILM_FRAMES = 4


def face_reasons(quality: Quality) -> list[Reason]:
    """Why one face in one frame cannot be judged; empty when it can."""
    reasons = []
    if quality.face_px < MIN_FACE_PX:
        reasons.append(
            Reason(
                code="face_too_small",
                message=f"The face is {quality.face_px:.0f} px large; at least "
                f"{MIN_FACE_PX:.0f} px are needed.",
            )
        )
    if quality.sharpness < MIN_SHARPNESS:
        reasons.append(
            Reason(
                code="face_too_blurred",
                message=f"The face is blurred (sharpness {quality.sharpness:.1f}; at least "
                f"{MIN_SHARPNESS:.0f} is needed).",
            )
        )
    if abs(quality.yaw_deg) > MAX_YAW_DEG or abs(quality.pitch_deg) > MAX_PITCH_DEG:
        reasons.append(
            Reason(
                code="face_turned_away",
                message=f"The face is turned away (yaw {quality.yaw_deg:.0f} degrees, pitch "
                f"{quality.pitch_deg:.0f} degrees).",
            )
        )
    if quality.visible_fraction < MIN_VISIBLE:
        reasons.append(
            Reason(
                code="face_cut_off",
                message=f"Only {quality.visible_fraction:.0%} of the face lies inside the picture.",
            )
        )
    return reasons


def no_face() -> Reason:
    """The reason when there is nothing to judge."""
    return Reason(
        code="no_face",
        message="No face was found. That says nothing about whether the picture was changed.",
    )


def too_few_frames(seen: int, needed: int) -> Reason:
    """The reason when a face of a film was seen too seldom."""
    return Reason(
        code="too_few_frames",
        message=f"The face can be judged in {seen} of the frames looked at; a film needs "
        f"{needed}. Where the film has more, --frames looks at more.",
    )


def too_many_faces(kept: int) -> Reason:
    """The reason when a crowd was cut down to its largest faces."""
    return Reason(
        code="too_many_faces",
        message=f"{kept} faces or more are in one picture; only the {kept} largest were looked at.",
    )


def not_calibrated() -> Reason:
    """The reason when scores cannot be turned into a likelihood ratio."""
    return Reason(
        code="not_calibrated",
        message="No calibration belongs to these weights, so nobody knows what their scores mean. "
        "They are given without a verdict; --calibration takes one made by 'unmask calibrate'.",
    )


def unjudged_faces(count: int) -> Reason:
    """The note that beside the judged faces others could not be judged."""
    noun = "face was" if count == 1 else "faces were"
    return Reason(
        code="faces_not_judged", message=f"{count} other {noun} found but could not be judged."
    )


def main_face_not_judged(why: Reason) -> Reason:
    """The note that a face as prominent as those judged could not be judged.

    Args:
        why: What kept that face from being judged.
    """
    return Reason(
        code="main_face_not_judged",
        message=f"A face that is seen about as long and large as those judged could not be "
        f"judged. {why.message}",
    )


def most_not_judged() -> Reason:
    """The note that the faces judged are the smaller part of those found."""
    return Reason(
        code="most_faces_not_judged",
        message="Most of the faces that were found could not be judged.",
    )


def input_changed() -> Reason:
    """The note that the verdict belongs to no fixed set of bytes."""
    return Reason(
        code="input_changed",
        message="The file's bytes changed while it was being analysed.",
    )
