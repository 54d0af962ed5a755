"""What hardening rounds leave behind: Markdown, CSV and a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.bench import machine
from unmask.bench.comparison.score_files import as_csv
from unmask.bench.comparison.study_runs import write_text
from unmask.bench.comparison.svg import INK, MARKERS, SERIES, drawing
from unmask.bench.rounds.study import ALIKE, SEARCHED, WEAK

if TYPE_CHECKING:
    from unmask.bench.rounds.measuring import Figure
    from unmask.bench.rounds.recipe import RoundsPlan
    from unmask.bench.rounds.study import FoundRounds, RoundResult

PAGE, TABLE, DRAWING = "rounds.md", "rounds.csv", "rounds.svg"
_METRICS = {"auc": "AUC", "missed": "Share missed at the threshold",
            "false_alarms": "False alarms on real faces"}  # fmt: skip
_ARMS = {SEARCHED: "searched", ALIKE: "drawn alike (control)"}


def write_rounds(found: FoundRounds, plan: RoundsPlan, folder: Path) -> None:
    """Write everything that is known so far; each file appears only when it is whole.

    Raises:
        OutputRefused: It cannot be written.
    """
    if not found.results:
        return
    write_text(folder / TABLE, as_csv(_columns(found)))
    write_text(folder / DRAWING, str(_drawn(found)))
    write_text(folder / PAGE, page(found, plan))


def page(found: FoundRounds, plan: RoundsPlan) -> str:
    """The rounds as Markdown."""
    asked = plan.rounds
    stamp = machine.stamp(command="", detector="", weights_sha256="", calibration="")
    lines = [f"# {asked.title}", ""]
    lines += [asked.about.strip(), ""] if asked.about else []
    lines += [
        f"Network: {asked.network}; {asked.start_steps} steps on settings drawn alike, then "
        f"{asked.steps} a round. The threshold is the logit that {asked.false_alarm_rate:.0%} of "
        f"{asked.threshold_faces.name} reach, set anew in each round. Searched families: "
        f"{', '.join(asked.families)}; everything else below was never trained on. Image level; "
        f"intervals of 95 % over originals ({asked.resamples} resamples). One seed. Recipe: "
        f"{plan.name}.toml, `unmask bench rounds {plan.name}.toml`; {stamp.date}, Unmask "
        f"{stamp.version}.",
        "",
    ]
    for metric, title in _METRICS.items():
        lines += _table(found, metric, title)
    lines += [f"![AUC by round]({DRAWING})", "", *_weakest(found)]
    return "\n".join([*lines, ""])


def summary(found: FoundRounds) -> str:
    """AUC on held-out families before the first round and after the last of each arm."""
    lines = []
    start = found.results[0]
    last = {one.arm: one for one in found.results}
    for key in _keys(start, "auc"):
        parts = [f"{_value(start, key):.3f} before"]
        parts += [f"{_value(one, key):.3f} {_ARMS[arm]}" for arm, one in last.items()]
        lines.append(f"{_name(*key)}: AUC {'; '.join(parts)}")
    return "\n".join(lines)


def _table(found: FoundRounds, metric: str, title: str) -> Iterator[str]:
    keys = _keys(found.results[0], metric)
    yield f"## {title}"
    yield ""
    names = [_name(test, method) for test, method in keys]
    yield "| round | settings | " + " | ".join(names) + " |"
    yield "|---|---|" + "---|" * len(keys)
    for one in found.results:
        figures = _by_key(one, metric)
        cells = [_shown(figures[key], metric) for key in keys]
        arm = "-" if one.number == 0 else _ARMS[one.arm]
        yield f"| {one.number} | {arm} | " + " | ".join(cells) + " |"
    yield ""


def _weakest(found: FoundRounds) -> Iterator[str]:
    """Values of the settings that each search moved to."""
    searched = [one for one in found.results if one.shares]
    if not searched:
        return
    yield "## What was searched"
    yield ""
    yield (
        "The settings that each round's search moved to, with their share where all values alike "
        "would have less; and the share of visible forgeries that were missed, by generation."
    )
    yield ""
    yield "| round | missed by generation | most drawn |"
    yield "|---|---|---|"
    for one in searched:
        missed = ", ".join(f"{share:.0%}" for share in one.generations)
        yield f"| {one.number} | {missed} | {_most_drawn(one.shares)} |"


def _most_drawn(shares: Mapping[str, Mapping[str, float]]) -> str:
    told = []
    for name, table in shares.items():
        value, share = max(table.items(), key=lambda item: item[1])
        if share > 1.4 / len(table):
            told.append(f"{name} {value} ({share:.0%})")
    return "; ".join(told) or "nothing in particular"


def _by_key(one: RoundResult, metric: str) -> dict[tuple[str, str], Figure]:
    """Figures by test and family; real faces of a test are the same for all of its families."""
    return {
        (f.test, f.method): f
        for f in one.figures
        if f.metric == metric and not (metric == "false_alarms" and f.test == WEAK)
    }


def _keys(one: RoundResult, metric: str) -> list[tuple[str, str]]:
    keys = list(_by_key(one, metric))
    # What was trained on comes last.
    return sorted(keys, key=lambda key: key[0] == WEAK)


def _name(test: str, method: str) -> str:
    if test == WEAK:
        return "weakest settings of round 1 (trained on)"
    return test if method == "real" else f"{method}, {test}"


def _value(one: RoundResult, key: tuple[str, str]) -> float:
    value = _by_key(one, "auc")[key].value
    return float("nan") if value is None else value


def _shown(figure: Figure, metric: str) -> str:
    if figure.value is None:
        return "-"
    form = "{:.3f}" if metric == "auc" else "{:.1%}"
    text = form.format(figure.value)
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({form.format(figure.low)} to {form.format(figure.high)})"


def _columns(found: FoundRounds) -> dict[str, list[Any]]:
    rows = [
        {"round": one.number, "arm": one.arm, "threshold_logit": one.threshold, **f.to_json()}
        for one in found.results
        for f in one.figures
    ]
    return {key: [row[key] for row in rows] for key in rows[0]}


def _drawn(found: FoundRounds) -> Any:
    keys = _keys(found.results[0], "auc")[: len(SERIES)]
    start = found.results[0]

    def line(axes: Any, results: Sequence[RoundResult], place: int, dashes: str) -> None:
        points = [(one.number, _value(one, keys[place])) for one in results]
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, dashes, color=SERIES[place], marker=MARKERS[place], ms=4)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for place, (test, method) in enumerate(keys):
            for arm, dashes in ((SEARCHED, "-"), (ALIKE, ":")):
                results = [one for one in found.results if one.arm == arm and one.number]
                if results:
                    line(axes, [start, *results], place, dashes)
            axes.plot([], [], "-", color=SERIES[place], marker=MARKERS[place], ms=4,
                      label=_name(test, method))  # fmt: skip
        axes.set(xlabel="round; dotted: the same steps without the search", ylabel="AUC")
        axes.set_xticks(sorted({one.number for one in found.results}))
        axes.grid(axis="y", color=INK, alpha=0.12, lw=0.5)
        figure.legend(loc="outside lower center", ncols=2)

    said = "AUC by round and held-out family; the numbers stand in the table."
    return drawing(draw, name="rounds", said=said, size_in=(7.2, 4.2 + 0.2 * len(keys)))
