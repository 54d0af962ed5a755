"""Reports as one self-contained page that asks for nothing and runs nothing.

The Content-Security-Policy allows no source but ``data:`` pictures and the one inline style
sheet, named by its SHA-256. There is no script and no ``style`` attribute. Every text is
escaped by the template engine after hidden characters were made visible.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from unmask.report import drawing, palette, words
from unmask.report.rows import ReportOrRow, as_rows, by_urgency
from unmask.report.text import clock, number, percent, shorten, signed, size_words, visible_text
from unmask.report.view import build_view
from unmask.types import Label, Report, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_INDEX_ROWS = 5000
_STATUS = {"ok": "ok", "not_applicable": "not applicable", "failed": "failed"}


def to_html(reports: Sequence[Report] | Report) -> str:
    """Return one page for a report, or one page with a table of contents for several.

    Args:
        reports: One report or several; each file becomes a section.

    Raises:
        ValueError: There is no report.
    """
    several = [reports] if isinstance(reports, Report) else list(reports)
    if not several:
        raise ValueError("to_html was given no report; at least one was expected")
    views = [
        build_view(report, f"r{position}-{_anchor(report.input.sha256)}")
        for position, report in enumerate(several, start=1)
    ]
    first = several[0]
    if len(several) == 1:
        name = shorten(visible_text(first.input.name), 80)
        declared = first.verdict.basis == "declaration"
        title = f"{words.verdict_words(first.verdict.label, declared=declared)}: {name}"
    else:
        title = f"{len(several)} files, report on face manipulation"
    tool = shorten(visible_text(f"{first.tool.name} {first.tool.version}"), 80)
    return _render(
        "page.html.j2", title=title, views=views, tool=tool, created=_instant(first.ended_at)
    )


def to_index_html(rows: Iterable[ReportOrRow], *, max_rows: int = MAX_INDEX_ROWS) -> str:
    """Return the page that lists the files of a run, each linked to its own page.

    Args:
        rows: Reports or rows; ``FileRow.href`` is the relative path of the file's page.
        max_rows: Rows shown; the page says how many were left out.
    """
    ordered = by_urgency(as_rows(rows))
    counts = Counter(row.label for row in ordered)
    return _render(
        "index.html.j2",
        title=f"{len(ordered):,} files, reports on face manipulation",
        total=len(ordered),
        counts=[(label, counts[label]) for label in Label],
        rows=ordered[:max_rows],
        more=max(0, len(ordered) - max_rows),
    )


def content_security_policy(style: str) -> str:
    """Return the policy that allows ``data:`` pictures and exactly this style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def local_link(href: str) -> str:
    """Return a path as a link that cannot leave the folder's server or name a scheme."""
    path = href.lstrip("/")
    try:
        name = path.encode("utf-8", "surrogateescape")  # bytes of a name that is not UTF-8
    except UnicodeEncodeError:
        name = path.encode("utf-8", "replace")  # no file can have this name
    return "./" + quote(name, safe="/")


def _render(template: str, **values: object) -> str:
    from markupsafe import Markup

    environment, style = _environment(), _style()
    page = environment.get_template(template).render(
        # Constant text of this package: nothing of a report reaches the style sheet.
        style=Markup(style),  # noqa: S704
        csp=content_security_policy(style),
        **values,
    )
    return page.lstrip() + "\n"


@lru_cache(maxsize=1)
def _style() -> str:
    return str(
        _environment()
        .get_template("style.css.j2")
        .render(light=palette.LIGHT.items(), dark=palette.DARK.items())
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("unmask.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        box=_box,
        clock=clock,
        joined=_joined,
        local=local_link,
        mark=drawing.label_mark,
        num=number,
        pairs=_pairs,
        percent=percent,
        sentence=words.label_sentence,
        signed=signed,
        size=size_words,
        status=_status,
        symbol=words.label_symbol,
        tone=_tone,
        vis=_shown,
        words=words.label_words,
        verdict_words=_verdict_words,
    )
    environment.globals["map_legend"] = drawing.map_legend
    return environment


def _shown(text: str | None, width: int) -> str:
    """Filter: hostile text with its hidden characters in sight and its length bounded."""
    # Cut before as well, so that megabytes are not escaped to show a line of them.
    return "" if text is None else shorten(visible_text(shorten(text, 4 * width)), width)


def _box(bbox_xyxy: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = (number(value) for value in bbox_xyxy)
    return f"{left}, {top} to {right}, {bottom} px"


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(visible_text(part) for part in parts if part)


def _pairs(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(texts.items())[:40]


def _status(status: str) -> str:
    return _STATUS[status]


def _verdict_words(verdict: Verdict) -> str:
    return words.verdict_words(verdict.label, declared=verdict.basis == "declaration")


def _tone(label: Label) -> str:
    return palette.TONES[label]


def _anchor(sha256: str | None) -> str:
    return "".join(char for char in (sha256 or "unread")[:12] if char in "0123456789abcdef")


def _instant(written: str) -> str:
    """Return an ISO 8601 instant as it is, or nothing where it is something else."""
    from datetime import datetime

    try:
        datetime.fromisoformat(written)
    except ValueError:
        return ""
    return written
