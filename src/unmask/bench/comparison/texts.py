"""Numbers as people read them, and tables of them, before they become Markdown or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmask.bench.comparison.measures import Measure, Metric


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in one cell.

    Attributes:
        main: The number or word.
        interval: Its interval, or empty.
        note: What must be said of it, or empty.
        is_number: Whether it is set like a number.
        strong: Whether it stands out.
    """

    main: str
    interval: str = ""
    note: str = ""
    is_number: bool = True
    strong: bool = False


NOTHING = Text("–")  # noqa: RUF001 - a dash, for what there is no number of


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts; the first cell of a row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]


def label(text: str) -> Text:
    """A cell of words."""
    return Text(text, is_number=False)


def number_text(one: Measure, metric: Metric, *, strong: bool = False) -> Text:
    """A measure as a cell: value, interval and note; a dash with the reason where there is none."""
    if one.value is None:
        return replace(NOTHING, note=one.note)
    note = one.note
    if one.seed_sd is not None:
        note = "; ".join(
            filter(None, (note, f"deviation over seeds {_plain(one.seed_sd, metric)}"))
        )
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f"{_plain(one.low, metric)} to {_plain(one.high, metric)}"
    return Text(_plain(one.value, metric), interval, note, strong=strong)


def _plain(value: float, metric: Metric) -> str:
    if metric.unit == "share":
        return f"{100 * value:.1f}"
    return f"{value:.3f}"


def signed_text(one: Measure) -> Text:
    """A difference with its sign and interval."""
    if one.value is None:
        return replace(NOTHING, note=one.note)
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f"{_signed(one.low)} to {_signed(one.high)}"
    return Text(_signed(one.value), interval, one.note)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")  # noqa: RUF001 - a minus sign


def bytes_text(count: float) -> Text:
    """Bytes as MB."""
    return Text(f"{count / 1e6:.1f}" if count < 1e8 else f"{count / 1e6:.0f}")


def count_text(count: float) -> Text:
    """A large count in thousands, millions or thousands of millions."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return Text(f"{count / size:.3g} {sign}")
    return Text(f"{count:.0f}")


def rate_text(per_second: float) -> Text:
    """Samples a second."""
    return Text(f"{per_second:.1f}" if per_second < 100 else f"{per_second:.0f}")


def markdown_table(table: TextTable) -> str:
    """A table as Markdown, its notes numbered below it."""
    notes: list[str] = []
    lines = [
        "| " + " | ".join(_cell(text) for text in table.head) + " |",
        "|---|" + "---:|" * (len(table.head) - 1),
    ]
    lines += ["| " + " | ".join(_markdown(t, notes) for t in row) + " |" for row in table.rows]
    numbered = [f"{number}. {_cell(note)}" for number, note in enumerate(notes, start=1)]
    return "\n".join([table.caption, "", *lines, *([""] if notes else []), *numbered])


def _markdown(text: Text, notes: list[str]) -> str:
    main = f"**{_cell(text.main)}**" if text.strong else _cell(text.main)
    if text.interval:
        main += f" [{text.interval.replace(' to ', ', ')}]"
    if text.note:
        if text.note not in notes:
            notes.append(text.note)
        main += f" ({notes.index(text.note) + 1})"
    return main


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]
