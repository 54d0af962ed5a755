from __future__ import annotations

import re
import socket
import sys
import zlib

import pytest

from unmask.errors import MissingExtra
from unmask.report import as_pdf, from_json, to_pdf
from unmask.report.as_json import without_crops


@pytest.fixture
def weasyprint():
    return pytest.importorskip("weasyprint", reason="the extra 'pdf' is not installed")


def streams(pdf: bytes) -> list[bytes]:
    found = []
    for match in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(match[1]))
        except zlib.error:
            found.append(match[1])
    return found


def test_pdf_is_whole_dated_by_the_report_and_the_same_twice(make, weasyprint):
    pdf = to_pdf(make.video())
    assert pdf.startswith(b"%PDF-1.7")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"20251121053002" in pdf
    assert pdf == to_pdf(make.video())
    assert pdf != to_pdf(make.still())


def test_pdf_carries_the_json_report(make, weasyprint):
    report = make.video()
    attached = [
        data for data in streams(to_pdf(report)) if data.startswith(b'{\n  "schema_version"')
    ]
    assert len(attached) == 1
    assert from_json(attached[0]) == without_crops(report)


def test_pdf_of_hostile_reports_touches_neither_network_nor_disk(make, weasyprint, monkeypatch):
    def refused(*_args, **_keywords):
        raise AssertionError("the PDF asked for the network")

    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    for text in ('"><img src=http://evil.example/x>', "</style><link href=file:///etc/passwd>"):
        assert to_pdf(make.hostile(text)).startswith(b"%PDF")


def test_the_fetcher_allows_data_only(weasyprint):
    fetcher = as_pdf.data_only_fetcher()
    assert fetcher.fetch("data:text/plain,ok").read() == b"ok"
    for url in ("http://127.0.0.1:9/x", "https://example.org/", "file:///etc/hostname", "ftp://h/"):
        with pytest.raises(ValueError, match="disallowed protocol"):
            fetcher.fetch(url)


def test_without_the_extra_the_error_says_what_to_install(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(MissingExtra, match=r"unmask\[pdf\]"):
        to_pdf(make.still())
