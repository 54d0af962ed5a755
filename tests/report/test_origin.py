"""What is said of a file's origin: briefly, and nothing as a fact that is none."""

from __future__ import annotations

import pytest

from unmask.report.origin import origin_rows
from unmask.types_of_origin import Credentials, Provenance, WatermarkFinding

TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"


def rows_of(**facts: object) -> dict[str, str]:
    return dict(origin_rows(Provenance(**facts)))  # type: ignore[arg-type]


def test_claims_of_credentials_that_do_not_hold_are_not_told_as_facts() -> None:
    claims = {"digital_source_types": [TERMS + "digitalCapture"],
              "history_source_types": [TERMS + "print"], "forgery_method": "x"}  # fmt: skip
    broken = rows_of(credentials=Credentials(status="invalid", **claims))  # type: ignore[arg-type]
    for name in ("They declare", "Their history declares", "Forged with"):
        assert name not in broken
        assert f"{name} (not counted)" in broken
    assert "They declare" in rows_of(credentials=Credentials(status="valid", **claims))  # type: ignore[arg-type]


def test_a_long_list_of_terms_is_cut() -> None:
    stated = [f"{TERMS}{'x' * 500}{n}" for n in range(16)]
    row = rows_of(iptc_source_types=stated)["Source type in its tags"]
    assert row.endswith("; and 12 more")
    assert len(row) < 400


@pytest.mark.parametrize(("bound", "words"), [(-31.5, "10^31"), (-7.01, "10^7"), (-8.0, "10^8")])
def test_a_bound_is_rounded_to_the_side_on_which_it_holds(bound: float, words: str) -> None:
    mark = WatermarkFinding(status="found", payload="0badcafe", log10_false_alarm=bound, frames=1)
    said = rows_of(watermark=mark)["Watermark of Unmask"]
    assert said.endswith(f"at most once in {words}")


def test_what_was_not_looked_for_says_why() -> None:
    said = rows_of(
        credentials=Credentials(reason="They cannot be read from video/webm"),
        watermark=WatermarkFinding(reason="It is smaller than 32 px."),
    )
    assert said["Content credentials (C2PA)"] == "not checked. They cannot be read from video/webm"
    assert said["Watermark of Unmask"] == "not looked for. It is smaller than 32 px"
