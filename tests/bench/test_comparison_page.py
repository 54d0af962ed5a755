from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from unmask.bench.comparison.entries import entries
from unmask.bench.comparison.findings import Comparison, Failure, Published
from unmask.bench.comparison.measures import Measure
from unmask.bench.comparison.page import as_html, as_markdown
from unmask.bench.comparison.scores import concatenate, from_columns
from unmask.bench.comparison.stress import Stressed, stress_points
from unmask.bench.comparison.svg import drawing
from unmask.bench.comparison.tables import make_tables
from unmask.bench.comparison.texts import Text, TextTable, markdown_table, signed_text


def tree(text):
    return ET.fromstring(text)  # noqa: S314 - our own page


def table(detector, shift):
    rng = np.random.default_rng(len(detector))
    y_true = np.tile([0, 1], 60)
    return from_columns({
        "detector": [detector] * 120, "data_set": ["set/val"] * 120,
        "video_id": [f"v{i}" for i in range(120)], "source_id": [f"s{i // 2}" for i in range(120)],
        "y_true": y_true, "logit": rng.normal(size=120) + shift * y_true,
        "yaw_deg": rng.uniform(-60, 60, 120),
    })  # fmt: skip


@pytest.fixture(scope="module")
def found():
    scores = concatenate([table(f"network {i}<b>", 0.2 * i) for i in range(8)])
    stressed = [
        Stressed("jpeg", "JPEG", "quality", strength,
                 scores.take(np.isin(scores.detector, ["network 7<b>"])))
        for strength in (90.0, 10.0)
    ]  # fmt: skip
    return Comparison(
        title="Eight & more", about="Which?", facts=(("Budget", "6 steps"),),
        tables=make_tables(scores, resamples=10), entries=list(entries(scores)),
        robustness=stress_points(scores, stressed, resamples=10),
        published=(Published("Theirs", "set/val", 0.6, "their paper, table 2"),),
        failures=(Failure("i3d", "training", "out of memory"),),
    )  # fmt: skip


def test_the_page_escapes_what_strangers_wrote(found):
    page = as_html(found)
    assert "network 7<b>" not in page
    assert "network 7&lt;b&gt;" in page
    assert "Eight &amp; more" in page


def test_the_page_is_well_formed_and_names_are_unique(found):
    page = as_html(found)
    body = page[page.index("<body>") : page.index("</body>") + len("</body>")]
    root = tree(body)
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    targets = {one.get("href") for one in root.iter() if (one.get("href") or "").startswith("#")}
    assert {target[1:] for target in targets} <= set(ids)
    assert all(one.get("aria-label") for one in root.iter() if one.tag.endswith("svg"))


def test_the_style_sheet_is_the_only_style_allowed(found):
    page = as_html(found)
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page.replace("&#39;", "'")
    assert "style=" not in page
    assert page.count("<style") == 1


def test_the_best_comes_first_and_the_published_stand_beside(found):
    text = as_markdown(found, html="page.html")
    first = next(line for line in text.splitlines() if line.startswith("| network"))
    assert first.startswith("| network 7<b> | **")
    assert "| Theirs (published) (" in text
    assert "their paper, table 2" in text
    assert "| i3d | training | out of memory |" in text
    assert "[the page](page.html)" in text


def test_the_summary_says_who_lies_within_the_interval(found):
    best = found.ranked("set/val")[0]
    page = as_markdown(found)
    auc = best.cell["auc"]
    assert f"Best on set/val, image level: {best.detector}, AUC {auc.value:.3f}" in page


def test_the_same_comparison_gives_the_same_page(found):
    assert as_html(found) == as_html(found)


def test_stress_without_change_lies_on_the_clean_point(found):
    clean, *others = found.robustness
    assert clean.strength is None
    assert [one.value.value for one in others] == [clean.value.value] * 2


def test_drawings_carry_no_style_and_follow_the_page():
    def draw(figure):
        figure.subplots().plot([0, 1], [0, 1])

    svg = str(drawing(draw, name="a", said="a line", size_in=(2, 2)))
    assert "style" not in svg
    assert "currentColor" in svg
    assert 'role="img"' in svg
    assert 'aria-label="a line"' in svg
    other = str(drawing(draw, name="b", said="a line", size_in=(2, 2)))
    ids = {one.get("id") for one in tree(svg).iter()} - {None}
    assert not ids & {one.get("id") for one in tree(other).iter()}


def test_notes_are_numbered_once_and_bars_escaped():
    rows = ((Text("a|b"), Text("1", note="why")), (Text("c"), Text("2", "1 to 3", "why")))
    text = markdown_table(TextTable("What", ("x", "y"), rows))
    assert "a\\|b" in text
    assert "| c | 2 [1, 3] (1) |" in text
    assert text.endswith("1. why")


def test_differences_carry_their_sign():
    assert signed_text(Measure(-0.05, -0.1, 0.02)).main == "\N{MINUS SIGN}0.050"
    assert signed_text(Measure(None, note="too few")).note == "too few"
