"""Results for a person at a terminal, and plain lines for a pipe."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from unmask.report.rows import FileRow, ReportOrRow, as_rows
from unmask.report.text import shorten, signed, visible_text
from unmask.report.words import label_symbol, verdict_words
from unmask.types import Label

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NAME_CHARACTERS = 60
_NOTE_CHARACTERS = 120
_STYLES = {
    Label.MANIPULATION_SUPPORTED: "bold red",
    Label.INCONCLUSIVE: "yellow",
    Label.NO_MANIPULATION_FOUND: "cyan",
    Label.NOT_ANALYZED: "bright_black",
}


def render_table(items: Iterable[ReportOrRow], console: Console) -> None:
    """Print one line a file: verdict, log10 LR, faces, frames, note.

    The verdict has a colour, a symbol and words; symbols fall back to ASCII where the
    console's encoding has no other. Control characters in names are shown, never sent.
    """
    from rich import box
    from rich.table import Table

    ascii_only = not _speaks_unicode(console.encoding)
    table = Table(
        box=box.ASCII if ascii_only else box.SIMPLE_HEAD, pad_edge=False, safe_box=ascii_only
    )
    table.add_column("file", overflow="fold", ratio=3, min_width=12)
    table.add_column("verdict", no_wrap=True)
    table.add_column("log10 LR", justify="right", no_wrap=True)
    table.add_column("faces", justify="right", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold", ratio=4, style="dim")
    for row in as_rows(items):
        table.add_row(*_columns(row, console.encoding, ascii_only=ascii_only))
    console.print(table)


def plain_lines(items: Iterable[ReportOrRow]) -> Iterator[str]:
    """Yield ``label<TAB>log10_lr<TAB>name`` for each file, without a line end.

    ``log10_lr`` has four decimals and is empty where there is none. Tabs, line breaks and
    other control characters in names become visible escapes, so a line has three fields.
    """
    for row in as_rows(items):
        value = "" if row.log10_lr is None else f"{row.log10_lr:.4f}"
        yield f"{row.label.value}\t{value}\t{visible_text(row.name)}"


def _columns(row: FileRow, encoding: str, *, ascii_only: bool) -> list[Text]:
    from rich.text import Text

    def cell(text: str, style: str = "") -> Text:
        # Text objects, not strings: "[red]" in a file name is no markup.
        return Text(text.encode(encoding, "backslashreplace").decode(encoding), style)

    symbol = label_symbol(row.label, ascii_only=ascii_only)
    score = signed(row.log10_lr) if row.log10_lr is not None else "-"
    return [
        cell(shorten(visible_text(row.name), _NAME_CHARACTERS)),
        cell(f"{symbol} {verdict_words(row.label, declared=row.declared)}", _STYLES[row.label]),
        cell(score.replace("−", "-")),  # noqa: RUF001 - people copy this into other programs
        cell(str(row.faces)),
        cell(_frames(row)),
        cell(shorten(visible_text(row.note), _NOTE_CHARACTERS)),
    ]


def _frames(row: FileRow) -> str:
    if row.frames_in_file is None:
        return str(row.frames_seen)
    return f"{row.frames_seen}/{row.frames_in_file}"


def _speaks_unicode(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False
