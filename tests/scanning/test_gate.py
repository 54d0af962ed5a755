"""The rules of what may be judged, each at its limit."""

from __future__ import annotations

import pytest

from unmask.scanning import gate


def test_a_good_face_has_no_reason(quality) -> None:
    assert gate.face_reasons(quality()) == []


@pytest.mark.parametrize(
    ("field", "at_limit", "beyond", "code"),
    [
        ("face_px", gate.MIN_FACE_PX, gate.MIN_FACE_PX - 0.1, "face_too_small"),
        ("sharpness", gate.MIN_SHARPNESS, gate.MIN_SHARPNESS - 0.1, "face_too_blurred"),
        ("yaw_deg", -gate.MAX_YAW_DEG, -gate.MAX_YAW_DEG - 0.1, "face_turned_away"),
        ("yaw_deg", gate.MAX_YAW_DEG, gate.MAX_YAW_DEG + 0.1, "face_turned_away"),
        ("pitch_deg", gate.MAX_PITCH_DEG, gate.MAX_PITCH_DEG + 0.1, "face_turned_away"),
        ("visible_fraction", gate.MIN_VISIBLE, gate.MIN_VISIBLE - 0.01, "face_cut_off"),
    ],
)
def test_each_rule_holds_from_its_limit_on(
    field: str, at_limit: float, beyond: float, code: str, quality
) -> None:
    assert gate.face_reasons(quality(**{field: at_limit})) == []
    assert [reason.code for reason in gate.face_reasons(quality(**{field: beyond}))] == [code]


def test_all_reasons_are_given(quality) -> None:
    poor = quality(face_px=20.0, sharpness=1.0, yaw_deg=90.0, visible_fraction=0.2)
    codes = {reason.code for reason in gate.face_reasons(poor)}
    assert codes == {"face_too_small", "face_too_blurred", "face_turned_away", "face_cut_off"}


def test_messages_are_sentences_with_the_numbers(quality) -> None:
    poor = quality(face_px=20.4, sharpness=1.25)
    small, blurred = gate.face_reasons(poor)
    assert "20 px" in small.message
    assert f"{gate.MIN_FACE_PX:.0f} px" in small.message
    assert "1.2" in blurred.message
    others = [
        gate.no_face(),
        gate.too_few_frames(2, 4),
        gate.too_many_faces(50),
        gate.unjudged_faces(1),
        gate.unjudged_faces(2),
        gate.main_face_not_judged(small),
        gate.most_not_judged(),
        gate.input_changed(),
    ]
    for reason in others:
        assert reason.message.endswith(".")
        assert "authentic" not in reason.message
    assert "1 other face was" in gate.unjudged_faces(1).message
    assert "2 other faces were" in gate.unjudged_faces(2).message
