from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from unmask.errors import CorruptMedia
from unmask.report import HEADER, FileRow, plain_lines, render_table, to_csv_rows, write_csv
from unmask.report.as_csv import safe_cell
from unmask.report.rows import by_urgency
from unmask.types import Label

ANY_TEXT = st.text(st.characters(categories=None), max_size=60)
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1", "＝1", "\u200b=1"]  # noqa: RUF001


def table(items, *, width: int = 140, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    render_table(
        items,
        Console(
            file=stream,
            width=width,
            force_terminal=colour,
            color_system="standard" if colour else None,
        ),
    )
    return raw.getvalue().decode(encoding)


def test_csv_has_a_stable_header_and_a_row_a_file(every_report):
    stream = io.StringIO()
    write_csv(every_report, stream)
    rows = list(csv.reader(io.StringIO(stream.getvalue())))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == len(every_report) + 1
    assert {len(row) for row in rows} == {len(HEADER)}
    film = dict(zip(HEADER, rows[1], strict=True))
    assert film["label"] == "manipulation_supported"
    assert float(film["log10_lr"]) == pytest.approx(2.41)
    assert (film["faces"], film["frames_seen"]) == ("2", "32")


def test_the_header_starts_as_published():
    assert HEADER[:5] == ("name", "sha256", "label", "log10_lr", "in_scope")


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_made_text(text):
    assert safe_cell(text).startswith("'") or text == "\u200b=1"
    assert not safe_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(text=ANY_TEXT)
@settings(max_examples=80, deadline=None)
def test_no_text_cell_starts_like_a_formula(make, text):
    row = list(to_csv_rows([make.hostile(text)]))[1]
    for name, cell in zip(HEADER, row, strict=True):
        assert cell.isprintable() or "\u200d" in cell or "\u200c" in cell or not cell.isascii()
        assert "\n" not in cell
        if name != "log10_lr":
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_negative_number_stays_a_number(make):
    row = dict(zip(HEADER, list(to_csv_rows([make.still()]))[1], strict=True))
    assert float(row["log10_lr"]) == pytest.approx(-1.62)


def test_an_input_without_a_report_has_a_row_too():
    row = FileRow.from_error("broken.mp4", CorruptMedia("The file is cut short."))
    assert row.label is Label.NOT_ANALYZED
    cells = dict(zip(HEADER, list(to_csv_rows([row]))[1], strict=True))
    assert (cells["reasons"], cells["note"]) == ("corrupt_media", "The file is cut short.")
    assert (cells["log10_lr"], cells["bytes"]) == ("", "")


def test_what_needs_eyes_comes_first(make):
    rows = [FileRow.from_report(kind()) for kind in (make.still, make.unread, make.inconclusive)]
    weak = FileRow(name="weak", label=Label.MANIPULATION_SUPPORTED, log10_lr=1.4)
    strong = FileRow(name="strong", label=Label.MANIPULATION_SUPPORTED, log10_lr=3.0)
    ordered = by_urgency([*rows, weak, strong])
    assert [row.name for row in ordered] == [
        "strong",
        "weak",
        "interview.mp4",
        "locked.mov",
        "portrait.jpg",
    ]


@given(text=ANY_TEXT)
@settings(max_examples=80, deadline=None)
def test_plain_lines_have_three_fields_and_no_control_characters(make, text):
    (line,) = plain_lines([make.hostile(text)])
    assert len(line.split("\t")) == 3
    assert len(line.splitlines()) == 1
    line.encode("utf-8")
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in line if char != "\t")


def test_plain_line_as_documented(make):
    lines = list(plain_lines([make.video(), make.without_faces()]))
    assert lines == [
        "manipulation_supported\t2.4100\tinterview.mp4",
        "not_analyzed\t\tportrait.jpg",
    ]


def test_table_tells_verdicts_apart_without_colour(make):
    shown = table([make.video(), make.still(), make.inconclusive(), make.without_faces()])
    for words in ("▲ Manipulation supported", "○ No manipulation found", "◆ Inconclusive", "□ Not"):
        assert words in shown
    assert "+2.41" in shown
    assert "-1.62" in shown
    assert "32/1800" in shown


def test_table_has_colours_on_a_terminal(make):
    assert "\x1b[1;31m▲ Manipulation supported" in table([make.video()], colour=True)


def test_table_in_an_encoding_without_symbols(make):
    shown = table([make.video(), make.hostile("𝔊漢.mp4")], encoding="ascii")
    assert "! Manipulation supported" in shown
    assert "\\u6f22" in shown


def test_table_sends_no_control_character_and_reads_no_markup(make):
    for text in make.hostile_texts:
        shown = table([make.hostile(text)], width=400)
        assert not any(char in shown for char in "\x1b\x07\x00\r\t\u202e\u200b\x9b")
    assert "[bold red]markup[/]" in table([make.hostile("[bold red]markup[/]")], width=400)


def test_a_declaration_is_told_apart_from_findings(make):
    declared, found = make.declared(), make.video()
    assert "Declared synthetic" in table([declared])
    assert "Declared synthetic" not in table([found])
    rows = list(to_csv_rows([declared, found]))
    assert [row[HEADER.index("basis")] for row in rows[1:]] == ["declaration", "findings"]
    assert [row[HEADER.index("label")] for row in rows[1:]] == ["manipulation_supported"] * 2
