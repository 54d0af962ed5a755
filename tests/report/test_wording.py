"""No output of this room calls anything authentic, genuine or real."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import unmask.report
from unmask import report as room
from unmask.report.words import label_sentence, label_words, times_words, verbal_scale
from unmask.types import Label

CLAIMS = re.compile(r"\b(in)?authentic|\bgenuine|\breal\b|\bnot fake\b", re.IGNORECASE)
HERE = Path(unmask.report.__file__).parent


def outputs(make) -> dict[str, str]:
    kinds = [
        make.video(),
        make.still(),
        make.without_faces(),
        make.unread(),
        make.inconclusive(),
        make.many_faces(12),
    ]
    stream = io.StringIO()
    room.render_table(kinds, Console(file=stream, width=200))
    room.write_csv(kinds, stream)
    said = {
        "tables": stream.getvalue() + "\n".join(room.plain_lines(kinds)),
        "index": room.to_index_html(kinds),
        "words": " ".join(
            [label_words(label) + label_sentence(label) for label in Label]
            + [verbal_scale(at / 4) + times_words(at / 4) for at in range(-40, 41)]
        ),
    }
    for position, report in enumerate(kinds):
        said[f"html {position}"] = re.sub(r"base64,[A-Za-z0-9+/=]+", "", room.to_html(report))
        said[f"json {position}"] = room.to_json(report, crops=False).decode()
    return said


def test_no_output_claims_it(make):
    for name, text in outputs(make).items():
        assert not CLAIMS.search(text), (name, CLAIMS.search(text))


def test_the_search_would_find_it():
    assert CLAIMS.search("This file is Authentic.")
    assert CLAIMS.search("a real face")


@pytest.mark.parametrize("path", sorted(HERE.glob("templates/*")), ids=lambda path: path.name)
def test_no_template_claims_it(path):
    assert not CLAIMS.search(path.read_text(encoding="utf-8"))
