from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unmask.report import FileRow, to_html, to_index_html
from unmask.report.as_html import local_link
from unmask.report.as_json import without_crops
from unmask.report.palette import DARK, LIGHT, TONES
from unmask.report.words import label_words
from unmask.types import Label

GOLDEN = Path(__file__).parent / "golden"
ANY_TEXT = st.text(st.characters(categories=None), max_size=60)
ALLOWED = """
html head meta title style body div span b main h1 h2 h3 h4 p table caption thead tbody tr th td
a bdi article header ul li section figure figcaption img dl dt dd code br strong footer
svg g path circle rect text
"""
TAGS = frozenset(re.findall(r"\w+", ALLOWED))
VOID = frozenset({"meta", "img", "br"})


class Page(HTMLParser):
    """Collects what a browser would build, and refuses what is not well formed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def assert_harmless(html: str) -> Page:
    """Assert that the page asks for nothing, runs nothing and names one style sheet."""
    page = Page(html)
    assert {name for name, _ in page.tags} <= TAGS
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            if name == "src":
                assert re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", value)
            if name == "href":
                assert value.startswith(("#", "./"))
    policy = next(
        item["content"]
        for item in page.of("meta")
        if item.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert html.count("<style>") == 1
    assert "url(" not in style
    assert "@import" not in style
    assert {"name": "referrer", "content": "no-referrer"} in page.of("meta")
    assert page.of("html") == [{"lang": "en"}]
    return page


@pytest.mark.parametrize("name", ["video", "without_faces", "declared"])
def test_golden(make, name):
    produced = to_html(getattr(make, name)())
    # The picture encoder may change between OpenCV versions; the pictures are no part of it.
    produced = re.sub(r"base64,[A-Za-z0-9+/=]+", "base64,PNG", produced)
    path = GOLDEN / f"{name}.html"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(produced, encoding="utf-8")
    assert produced == path.read_text(encoding="utf-8")


def test_every_page_is_harmless(every_report):
    for report in every_report:
        assert_harmless(to_html(report))


def test_one_page_of_all_is_harmless_with_unique_ids(every_report):
    page = assert_harmless(to_html(every_report))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    linked = {item["href"].removeprefix("#") for item in page.of("a")}
    assert linked <= set(ids)
    assert len(linked) == len(every_report)


@given(text=ANY_TEXT)
@settings(max_examples=40, deadline=None)
def test_any_text_is_harmless(make, text):
    html = to_html(make.hostile(text))
    html.encode("utf-8")
    assert_harmless(html)


def test_hostile_text_is_shown_not_run(make):
    page = Page(to_html(make.hostile("<script>alert(1)</script>\u202e\x1b")))
    assert "<script>alert(1)</script>\\u202e\\x1b" in page.words
    assert not {"\u202e", "\x1b"} & set(page.words)


def test_a_picture_that_is_no_png_is_left_out(make):
    report = make.still()
    crop = msgspec.structs.replace(
        report.faces[0].best_crop, image_png=b"<svg onload=alert(1)>", map_png=b"GIF89a"
    )
    face = msgspec.structs.replace(report.faces[0], best_crop=crop)
    page = assert_harmless(to_html(msgspec.structs.replace(report, faces=[face])))
    assert page.of("img") == []
    assert "Picture not kept in this report" in page.words


def test_the_parts_come_in_order(make):
    report = msgspec.structs.replace(make.video(), errors=make.without_faces().errors)
    heads = re.findall(r"<h([1-6])[^>]*>(.*?)</h\1>", to_html(report))
    titles = [(int(level), re.sub("<[^>]+>", "", words)) for level, words in heads]
    assert titles == [
        (1, "Manipulation supported"),
        (2, "What the number means"),
        (2, "Faces"),
        (3, "Face 1"),
        (3, "Face 2"),
        (3, "Where in the film the score was highest"),
        (2, "What the file says of itself"),
        (2, "How much was looked at"),
        (2, "Method"),
        (3, "What each part said"),
        (2, "Limits"),
        (2, "Hashes and versions"),
        (3, "Tags written in the file"),
        (2, "Errors"),
    ]


def test_headings_never_skip_a_level(every_report):
    for html in (*map(to_html, every_report), to_html(every_report)):
        levels = [int(level) for level in re.findall(r"<h([1-6])", html)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_says_what_a_reader_must_know(make):
    words = Page(to_html(make.video())).words
    for said in (
        "This is not a probability that the file is fake.",
        "about 260 times more probable if the face was manipulated",
        "moderately strong support for manipulation",
        "1 % of unmanipulated faces in the calibration data lie above it",
        "1,768 of the 1,800 frames were not looked at",
        "ab" * 32,
        "5" * 64,
        "0f3c2a1",
        "unmask-base.2025-1",
        "wholly generated picture may hold none",
        "400, 96 to 621, 352 px",
    ):
        assert said in words, said


def test_without_a_number_no_number_is_explained(make):
    words = Page(to_html(make.without_faces())).words
    assert "The absence of a score says nothing for either side." in words
    assert "probability" not in words


def test_a_file_that_could_not_be_read(make):
    words = Page(to_html(make.unread())).words
    assert "SHA-256 not known: the file could not be read" in words
    assert "not stated frames in the file" in words or "frames in the file not stated" in words


def test_a_changed_file_is_said_beside_the_verdict(make):
    report = make.still()
    report = msgspec.structs.replace(
        report, input=msgspec.structs.replace(report.input, unchanged=False)
    )
    words = Page(to_html(report)).words
    assert words.index("The file changed while it was read.") < words.index("What the number means")


def test_every_picture_has_words(make):
    page = Page(to_html(make.video()))
    assert len(page.of("img")) == 4
    assert all(item["alt"] for item in page.of("img"))
    for svg in page.of("svg"):
        assert svg.get("aria-hidden") == "true" or (svg["role"] == "img" and svg["aria-label"])


@pytest.mark.parametrize("label", list(Label))
def test_a_verdict_has_a_colour_a_shape_and_words(make, label):
    report = make.still()
    html = to_html(
        msgspec.structs.replace(
            report, verdict=msgspec.structs.replace(report.verdict, label=label)
        )
    )
    head = re.search(r'<header class="verdict ([a-z-]+)">\s*<h1[^>]*>(.*?)</h1>', html)
    assert head[1] == TONES[label]
    assert '<svg class="mark"' in head[2]
    assert label_words(label) in head[2]


def test_weight_without_crops(every_report, make):
    film = make.video(5000)
    crowd = msgspec.structs.replace(film, faces=film.faces * 20)
    for report in [*every_report, film, crowd]:
        assert len(to_html(without_crops(report)).encode()) < 60_000


def test_many_faces_are_bounded(make):
    page = Page(to_html(make.many_faces(230)))
    assert len(page.of("img")) == 12
    assert "230 faces. The 6 with the highest log10 LR are shown in full" in page.words
    assert "184 more are in the JSON report only" in page.words


def test_no_report_is_a_clear_error():
    with pytest.raises(ValueError, match="no report"):
        to_html([])


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_reaches_wcag_aa(palette):
    grounds = ["paper", "sheet", *(f"{tone}-ground" for tone in TONES.values())]
    pairs = [(text, ground) for text in ("ink", "soft") for ground in grounds]
    pairs += [(tone, ground) for tone in TONES.values() for ground in ("paper", f"{tone}-ground")]
    pairs += [("link", "paper")]
    for text, ground in pairs:
        assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    for drawn in ("plot", "supported"):  # graphics: 3 : 1
        assert contrast(palette[drawn], palette["paper"]) >= 3


def test_index_links_to_pages_and_sorts(make):
    rows = [
        FileRow.from_report(make.still(), href="portrait 1.jpg.html"),
        FileRow.from_report(make.video(), href="sub/interview.mp4.html"),
        FileRow(name="<b>x</b>", label=Label.NOT_ANALYZED, note="no permission"),
    ]
    html = to_index_html(rows)
    page = assert_harmless(html)
    assert [item["href"] for item in page.of("a")] == [
        "./sub/interview.mp4.html",
        "./portrait%201.jpg.html",
    ]
    assert "<b>x</b>" in page.words
    assert "3 files" in page.words


def test_index_says_what_it_leaves_out():
    rows = [FileRow(name=f"{at}.jpg", label=Label.INCONCLUSIVE) for at in range(12)]
    words = Page(to_index_html(rows, max_rows=5)).words
    assert "12 files" in words
    assert "7 more files are not on this page" in words
    assert "4.jpg" in words
    assert "5.jpg" not in words


@given(ANY_TEXT)
@example("\ud800")
@example("//evil.example/x")
@example("javascript:alert(1)")
def test_links_stay_in_the_folder(text):
    link = local_link(text)
    assert link.startswith("./")
    assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", link)
    assert not link.startswith(".//")


def test_importing_the_room_is_cheap():
    heavy = "{'jinja2', 'rich', 'weasyprint', 'numpy', 'cv2', 'jsonschema'}"
    code = f"import sys, unmask.report; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_declaration_is_told_apart_from_findings(make):
    page = to_html(make.declared())
    assert re.search(r"<h1[^>]*>.*Declared synthetic</span></h1>", page)
    assert "Without the declaration the label would be: <b>No manipulation found</b>" in page
    assert "The detector alone: <b>log10 LR" in page
    assert "signed by A. Newsroom" in page
    assert "once in 10^32" in page or "once in 10^31" in page
    index = to_index_html([make.declared(), make.video()])
    assert index.count("Declared synthetic") == 1
    plain = to_html(make.video())
    assert "Declared synthetic" not in plain
    assert "What the file says of itself" in plain
