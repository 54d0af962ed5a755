"""From evidence to verdicts: arithmetic, abstention, no clean verdict for what was missed."""

from __future__ import annotations

import math

import msgspec
import pytest

from unmask.scanning.gate import MIN_FILM_FRAMES, input_changed, too_many_faces
from unmask.scanning.judge import judge_face, judge_input, pooled_log10_lr
from unmask.scanning.scanner import _not_judged
from unmask.types import Label, Reason, Verdict


def face(log10_lr: float | None) -> Verdict:
    return Verdict(
        label=Label.INCONCLUSIVE,
        statement="",
        log10_lr=log10_lr,
        in_scope=log10_lr is not None,
        reasons=[] if log10_lr is not None else [Reason(code="face_too_small", message="Small.")],
    )


# --------------------------------------------------------------------- one face


@pytest.mark.parametrize(
    ("logit", "log10_lr", "label"),
    [
        (-9.0, -2.0, Label.NO_MANIPULATION_FOUND),  # bounded below
        (-0.5, -0.5, Label.NO_MANIPULATION_FOUND),  # at the threshold
        (-0.4, -0.4, Label.INCONCLUSIVE),
        (0.0, 0.0, Label.INCONCLUSIVE),
        (0.99, 0.99, Label.INCONCLUSIVE),
        (1.0, 1.0, Label.MANIPULATION_SUPPORTED),  # at the threshold
        (9.0, 2.0, Label.MANIPULATION_SUPPORTED),  # bounded above
    ],
)
def test_a_followed_face_gets_the_film_curve(logit, log10_lr, label, track, calibration) -> None:
    verdict = judge_face(track([logit] * MIN_FILM_FRAMES), calibration, film=True)
    assert (verdict.label, verdict.log10_lr, verdict.in_scope) == (label, log10_lr, True)
    assert verdict.calibration_id == "plain-1"


def test_a_face_of_a_picture_gets_the_picture_curve(track, calibration) -> None:
    verdict = judge_face(track([3.0]), calibration, film=False)
    assert verdict.log10_lr == 1.25
    assert verdict.label is Label.MANIPULATION_SUPPORTED


def test_the_score_of_a_face_is_the_mean_of_its_frames(track, calibration) -> None:
    verdict = judge_face(track([4.0, -2.0, 1.0, -1.4]), calibration, film=True)
    assert verdict.log10_lr == pytest.approx(0.4)


@pytest.mark.parametrize("seen", range(1, MIN_FILM_FRAMES))
def test_too_few_frames_of_a_film_are_no_verdict(seen, track, calibration, codes) -> None:
    verdict = judge_face(track([-9.0] * seen), calibration, film=True)
    assert verdict.label is Label.INCONCLUSIVE
    assert (verdict.log10_lr, verdict.in_scope) == (None, False)
    assert codes(verdict) == ["too_few_frames"]


def test_a_face_out_of_scope_is_no_verdict_whatever_its_score(track, calibration, codes) -> None:
    for logit in (-9.0, 9.0):
        verdict = judge_face(track([logit] * 30, face_px=20.0), calibration, film=True)
        assert verdict.label is Label.INCONCLUSIVE
        assert (verdict.log10_lr, verdict.in_scope) == (None, False)
        assert codes(verdict) == ["face_too_small"]


# --------------------------------------------------------------- the whole input


@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("logit", [-9.0, -0.6, 0.3, 1.2, 9.0])
def test_with_one_face_the_input_says_what_the_face_says(logit, film, track, calibration) -> None:
    one = judge_face(track([logit] * 5), calibration, film=film)
    whole = judge_input([one], calibration, film=film)
    assert (whole.label, whole.log10_lr, whole.in_scope) == (one.label, one.log10_lr, True)
    assert whole.reasons == []


def test_with_one_face_that_was_not_judged_the_input_says_so_too(track, calibration) -> None:
    one = judge_face(track([9.0] * 9, sharpness=1.0), calibration, film=True)
    whole = judge_input([one], calibration, film=True)
    assert (whole.label, whole.log10_lr, whole.in_scope) == (one.label, None, False)
    assert whole.reasons == one.reasons


@pytest.mark.parametrize(
    "values", [[0.3], [2.0, 2.0, 2.0], [2.0, -2.0], [-1.0, 0.5, 1.5, -2.0], [1.0] + [-2.0] * 49]
)
def test_the_ratio_over_faces_is_the_mean_of_their_ratios(values: list[float]) -> None:
    mean = sum(10**value for value in values) / len(values)
    assert pooled_log10_lr(values) == pytest.approx(math.log10(mean), abs=1e-12)


def test_pooling_does_not_overflow() -> None:
    assert pooled_log10_lr([400.0, 400.0]) == pytest.approx(400.0)
    assert pooled_log10_lr([-400.0, -400.0]) == pytest.approx(-400.0)


def test_a_crowd_needs_a_stronger_single_finding_than_a_portrait(calibration) -> None:
    alone = judge_input([face(1.2)], calibration, film=False)
    among = judge_input([face(1.2), *[face(-2.0)] * 9], calibration, film=False)
    assert alone.label is Label.MANIPULATION_SUPPORTED
    assert among.label is Label.INCONCLUSIVE
    assert among.log10_lr == pytest.approx(1.2 - 1, abs=0.01)


def test_no_face_is_never_a_score(calibration, codes) -> None:
    verdict = judge_input([], calibration, film=False)
    assert verdict.label is Label.NOT_ANALYZED
    assert (verdict.log10_lr, verdict.in_scope) == (None, False)
    assert codes(verdict) == ["no_face"]


def test_reasons_of_faces_out_of_scope_are_given_once_each(calibration, codes) -> None:
    verdict = judge_input([face(None)] * 3, calibration, film=False)
    assert verdict.label is Label.INCONCLUSIVE
    assert (verdict.log10_lr, verdict.in_scope) == (None, False)
    assert codes(verdict) == ["face_too_small"]


def test_faces_left_out_are_counted(calibration) -> None:
    verdict = judge_input([face(-1.0), face(None), face(None)], calibration, film=False)
    assert verdict.log10_lr == -1.0
    assert [reason.code for reason in verdict.reasons] == ["faces_not_judged"]
    assert verdict.reasons[0].message.startswith("2 other faces")


@pytest.mark.parametrize("note", [too_many_faces(50), input_changed()])
def test_with_a_note_nothing_found_becomes_inconclusive(note, calibration, codes) -> None:
    clean = judge_input([face(-2.0)], calibration, film=False)
    assert clean.label is Label.NO_MANIPULATION_FOUND
    noted = judge_input([face(-2.0)], calibration, film=False, notes=[note])
    assert noted.label is Label.INCONCLUSIVE
    assert noted.log10_lr == clean.log10_lr
    assert codes(noted) == [note.code]


def test_a_note_takes_nothing_from_a_finding(calibration, codes) -> None:
    verdict = judge_input([face(1.5)], calibration, film=False, notes=[too_many_faces(50)])
    assert verdict.label is Label.MANIPULATION_SUPPORTED
    assert codes(verdict) == ["too_many_faces"]


def test_no_statement_says_authentic(track, calibration) -> None:
    made = [judge_face(track([x] * 5), calibration, film=True) for x in (-9.0, 0.0, 9.0)]
    made += [judge_input(faces, calibration, film=True) for faces in ([], [face(None)], made)]
    for verdict in made:
        assert verdict.statement.endswith(".")
        assert "authentic" not in msgspec.json.encode(verdict).decode().lower()


# ------------------------------------------------ faces beside those that were judged


@pytest.mark.parametrize(
    ("left_px", "left_frames", "expected"),
    [
        (40.0, 1, []),  # a passer-by
        (110.0, 10, ["main_face_not_judged"]),  # half as prominent as the one judged
        (30.0, 30, ["most_faces_not_judged"]),
        (300.0, 30, ["main_face_not_judged", "most_faces_not_judged"]),
    ],
)
def test_prominent_faces_that_were_not_judged_spoil_a_clean_verdict(
    left_px, left_frames, expected, track, calibration
) -> None:
    judged = track([-9.0] * 10, face_px=200.0)
    left = track([-9.0] * left_frames, track_id=1, face_px=left_px, sharpness=1.0)
    verdicts = [judge_face(one, calibration, film=True) for one in (judged, left)]
    notes = _not_judged([judged, left], verdicts)
    assert [note.code for note in notes] == expected
    whole = judge_input(verdicts, calibration, film=True, notes=notes)
    clean = Label.INCONCLUSIVE if expected else Label.NO_MANIPULATION_FOUND
    assert whole.label is clean


def test_one_face_that_was_not_judged_is_no_note_beside_itself(track, calibration) -> None:
    left = track([-9.0] * 10, sharpness=1.0)
    assert _not_judged([left], [judge_face(left, calibration, film=True)]) == []
    assert _not_judged([], []) == []
