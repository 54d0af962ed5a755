from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.report import label_words, verbal_scale
from unmask.report.text import clock, number, percent, shorten, signed, size_words, visible_text
from unmask.report.words import label_sentence, label_symbol, times_words
from unmask.types import Label

ANY_TEXT = st.text(st.characters(categories=None), max_size=80)


@pytest.mark.parametrize(
    ("log10_lr", "words"),
    [
        (0.0, "no support for either side"),
        (-0.3, "no support for either side"),
        (0.31, "weak support for manipulation"),
        (1.0, "moderate support for manipulation"),
        (2.5, "moderately strong support for manipulation"),
        (3.0, "strong support for manipulation"),
        (9.0, "very strong support for manipulation"),
        (math.inf, "very strong support for manipulation"),
        (-0.5, "weak support for no manipulation of a kind this detector can see"),
        (-4.0, "very strong support for no manipulation of a kind this detector can see"),
    ],
)
def test_verbal_scale(log10_lr, words):
    assert verbal_scale(log10_lr) == words


@given(st.floats(allow_nan=False))
def test_the_scale_is_symmetrical(value):
    assert verbal_scale(value).split(" for ")[0] == verbal_scale(-value).split(" for ")[0]


def test_nan_has_no_words():
    with pytest.raises(ValueError, match="NaN"):
        verbal_scale(math.nan)


@pytest.mark.parametrize(
    ("log10_lr", "factor"),
    [
        (0.5, "about 3.2 times"),
        (1.0, "about 10 times"),
        (1.62, "about 42 times"),
        (2.0, "about 100 times"),
        (2.41, "about 260 times"),
        (4.0, "about 10,000 times"),
        (7.0, "more than a million times"),
        (math.inf, "more than a million times"),
    ],
)
def test_times_words_both_ways(log10_lr, factor):
    assert f"{factor} more probable if the face was manipulated than" in times_words(log10_lr)
    assert f"{factor} more probable if the face was not manipulated" in times_words(-log10_lr)


def test_labels_differ_in_words_and_shape():
    assert len({label_words(label) for label in Label}) == len(Label)
    assert len({label_sentence(label) for label in Label}) == len(Label)
    for ascii_only in (False, True):
        assert len({label_symbol(label, ascii_only=ascii_only) for label in Label}) == len(Label)
    assert all(label_symbol(label, ascii_only=True).isascii() for label in Label)


@given(ANY_TEXT)
def test_visible_text_leaves_nothing_hidden(text):
    shown = visible_text(text)
    shown.encode("utf-8")
    for char in shown:
        assert char in "\u200c\u200d" or unicodedata.category(char) not in {
            "Cc",
            "Cf",
            "Cs",
            "Zl",
            "Zp",
        }


def test_visible_text_spells_out_and_keeps_letters():
    assert visible_text("a\tb\u202egpj\x1b[0m\udcff") == "a\\tb\\u202egpj\\x1b[0m\\udcff"
    assert visible_text("𝔊ß 漢字 עברית 👩‍👧") == "𝔊ß 漢字 עברית 👩‍👧"


@given(ANY_TEXT, st.integers(min_value=4, max_value=90))
def test_shorten_keeps_both_ends(text, width):
    cut = shorten(text, width)
    assert len(cut) <= width
    if len(text) > width:
        assert "…" in cut
        assert cut[-1] == text[-1]
    else:
        assert cut == text


def test_numbers_as_people_read_them():
    assert (signed(2.414), signed(-0.52), signed(-0.001), signed(None)) == (
        "+2.41",
        "−0.52",  # noqa: RUF001
        "0.00",
        "–",  # noqa: RUF001
    )
    assert signed(math.nan) == number(math.inf) == clock(math.nan) == "–"  # noqa: RUF001
    assert number(12345.678, 1) == "12,345.7"
    assert (percent(0.01), percent(0.125), percent(0.0123), percent(0.001)) == (
        "1 %",
        "12 %",
        "1.2 %",
        "0.10 %",
    )
    assert (clock(0), clock(59.999), clock(3661.5), clock(75, 0)) == (
        "0:00.00",
        "1:00.00",
        "1:01:01.50",
        "1:15",
    )
    assert (size_words(0), size_words(999), size_words(12_345_678)) == (
        "0 bytes",
        "999 bytes",
        "12.3 MB",
    )
