"""The page of measurements as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from unmask.bench.goals import GOALS, measured
from unmask.detectors.choice import DEFAULT_DETECTOR

if TYPE_CHECKING:
    from unmask.bench.results import Row, Section, Stamp, Unit

ORDER = ("dfdc_val", "clips_real", "ghost_swap", "portraits", "unseen_dev", "speed")
_HEAD = """\
# Measured{of_whom}

Written by {call}; every number goes through the whole of scan. Do not edit
this page: measure again. In brackets: 95 % intervals, percentile bootstrap over source videos (1000
resamples; exact binomial where all files agree). Image level and video level are named apart.
Nothing is trained, fitted or chosen here. "Called" means the label `manipulation_supported`; scores
are the detector's logit of the most suspicious face (a film's: the mean over its frames).
"""
_FORMATS: dict[Unit, str] = {
    "share": "{:.1%}",
    "score": "{:.3f}",
    "bits": "{:.3f} bits",
    "nats": "{:.3f} nats",
    "count": "{:.0f}",
    "s": "{:.2f} s",
    "ms": "{:.1f} ms",
    "MB": "{:.0f} MB",
    "ratio": "{:.2f} x",
    "img/s": "{:.1f} img/s",
}


def render_page(
    sections: Mapping[str, Section], *, folder: str = "benchmarks", figure: str | None = None
) -> str:
    """Write the page.

    Args:
        sections: What was measured, by key; in any order.
        folder: Address of the folder of tables relative to the page.
        figure: Address of the figure relative to the page, or None.
    """
    other = _other_detector(sections)
    head = _HEAD.format(
        of_whom=f": {other}" if other else "",
        call=f"`unmask bench --detector {other}`" if other else "`make bench` (`unmask bench`)",
    )
    goals = "\n".join(_goal_rows(sections, every=not other))
    parts = [head, "## Goal and reached\n", goals, ""]
    if figure is not None:
        parts += [
            f"![ROC curve, distribution of the scores and reliability on dfdc_faces/val]({figure})",
            "",
        ]
    for key in ORDER:
        if key in sections:
            parts += _section(sections[key], folder)
    return "\n".join(parts).rstrip() + "\n"


def printed(row: Row) -> str:
    """The value of a row as people read it, with its interval where it has one."""
    if row.value is None:
        return "not measured"
    form = _FORMATS[row.unit]
    text = form.format(row.value)
    if row.low is not None and row.high is not None:
        text += f" [{form.format(row.low)}, {form.format(row.high)}]"
    return text.replace("%", " %")


def _other_detector(sections: Mapping[str, Section]) -> str:
    """Id of the detector where it is not the one that the goals were set for; or empty."""
    found = {section.stamp.detector for section in sections.values()} - {DEFAULT_DETECTOR, ""}
    return ", ".join(sorted(found))


def _goal_rows(sections: Mapping[str, Section], *, every: bool) -> Iterator[str]:
    yield "| goal | measured | reached |"
    yield "|---|---|---|"
    for goal in GOALS:
        row = measured(goal, sections)
        if row is None and not every:
            continue
        if row is None:
            yield f"| {goal.text} | not measured | - |"
            continue
        word = {True: "yes", False: "**no**", None: "-"}[goal.reached(row)]
        yield f"| {goal.text} | {printed(row)} | {word} |"


def _section(section: Section, folder: str) -> list[str]:
    table = ["| measure | value | |", "|---|---|---|"]
    table += [f"| {_cell(row.text)} | {printed(row)} | {_cell(row.note)} |" for row in section.rows]
    notes = [f"- {_cell(note)}" for note in section.notes]
    if section.table:
        notes.append(f"- The score of every file: [{section.table}]({folder}/{section.table})")
    return [
        f"## {section.title}\n",
        f"{section.about}\n",
        *table,
        "",
        *notes,
        *([""] if notes else []),
        _stamp(section.stamp),
        "",
    ]


def _stamp(stamp: Stamp) -> str:
    commit = f"commit {stamp.commit}" if stamp.commit else "no commit"
    return (
        f"*{stamp.date}, Unmask {stamp.version}, {commit}; {stamp.detector} with weights "
        f"{stamp.weights_sha256[:12]}, calibration {stamp.calibration}. {stamp.cpu}, "
        f"{stamp.cores} cores, {stamp.memory_gib:.0f} GiB; {stamp.python}, {stamp.runtime}. "
        f"`{stamp.command}`*"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
