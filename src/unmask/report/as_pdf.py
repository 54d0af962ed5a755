"""The page as a PDF, made by WeasyPrint without any access to the network or the disk."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from unmask.errors import MissingExtra
from unmask.report.as_html import to_html
from unmask.report.as_json import to_json
from unmask.types import Report


def to_pdf(report: Report) -> bytes:
    """Return the page of one report as an A4 PDF with bookmarks and tags.

    The dates and the identifier inside come from the report, so the same report gives the
    same PDF with the same version of WeasyPrint and the same fonts.

    Raises:
        MissingExtra: WeasyPrint (the extra ``pdf``) or a library that it needs is absent.
    """
    try:
        from weasyprint import HTML, Attachment
    except ImportError as problem:
        raise MissingExtra.named("pdf", "A PDF report") from problem
    except OSError as problem:
        raise MissingExtra(
            "A PDF report needs the library Pango, which is not installed.",
            hint="Install it (Debian: apt install libpangoft2-1.0-0; macOS: brew install pango).",
        ) from problem

    numbers = to_json(report, crops=False)
    instant = _instant(report.ended_at)
    # The numbers travel with the page; without dates of its own WeasyPrint takes today's.
    attached = Attachment(
        string=numbers,
        name="report.json",
        description="The same report as JSON, without pictures",
        created=instant,
        modified=instant,
    )
    identifier = hashlib.sha256(numbers).digest()[:16]
    with _quiet("weasyprint", "fontTools"):
        document: Any = HTML(string=to_html(report), url_fetcher=data_only_fetcher())
        pdf = document.write_pdf(pdf_identifier=identifier, pdf_tags=True, attachments=[attached])
    return bytes(pdf)


def data_only_fetcher() -> Any:
    """Return WeasyPrint's fetcher for what stands in the page itself: no host, file, redirect."""
    from weasyprint.urls import URLFetcher

    return URLFetcher(allowed_protocols=("data",), allow_redirects=False)


def _instant(written: str) -> datetime:
    """Return the report's instant, or the epoch where it states none that can be read."""
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return datetime.fromtimestamp(0, tz=UTC)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep layout remarks (unknown CSS for screens) away from the user's terminal."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
