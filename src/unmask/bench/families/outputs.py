"""What the study of families leaves behind: Markdown, CSV, a drawing and the scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.bench import machine
from unmask.bench.comparison.score_files import as_csv, write_scores
from unmask.bench.comparison.study_runs import write_text
from unmask.bench.comparison.svg import INK, SERIES, drawing

if TYPE_CHECKING:
    from unmask.bench.comparison.measures import Measure
    from unmask.bench.families.recipe import FamiliesPlan
    from unmask.bench.families.study import FamilyRow, Found

PAGE, TABLE, DRAWING, SCORES = "families.md", "families.csv", "families.svg", "scores.parquet"
_KEYS = ("auc", "hits", "false_alarms")


def write_families(found: Found, plan: FamiliesPlan, folder: Path) -> None:
    """Write everything; each file appears only when it is whole.

    Raises:
        OutputRefused: It cannot be written.
    """
    write_text(folder / TABLE, as_csv(_columns(found)))
    write_text(folder / DRAWING, str(_drawn(found)))
    write_scores(folder / SCORES, found.scores)
    write_text(folder / PAGE, page(found, plan))


def page(found: Found, plan: FamiliesPlan) -> str:
    """The study as Markdown."""
    study = plan.study
    stamp = machine.stamp(command="", detector="", weights_sha256="", calibration="")
    lines = [f"# {study.title}", "", study.about.strip(), ""] if study.about else [
        f"# {study.title}", ""]  # fmt: skip
    lines += [
        f"Detector: {study.detector}; share called at its shipped threshold (logit "
        f"{found.threshold:.2f}, single pictures). Image level, undegraded; intervals of 95 % over "
        f"originals ({study.resamples} resamples). Recipe: {plan.name}.toml, "
        f"`unmask bench families {plan.name}.toml`; {stamp.date}, Unmask {stamp.version}.",
        "",
    ]
    small = _small(found)
    for test in dict.fromkeys(row.test for row in found.rows):
        rows = [row for row in found.rows if row.test == test]
        lines += _section(test, rows, small, plan)
    return "\n".join([*lines, f"![AUC by family]({DRAWING})", ""])


def summary(found: Found) -> str:
    """The first test's families in one line each, the least seen first."""
    first = found.rows[0].test
    rows = sorted((row for row in found.rows if row.test == first), key=_auc)
    return "\n".join(
        f"{row.method:24s} AUC {_shown(row.cell['auc'])}, called {_percent(row.cell['hits'])}"
        f"{'' if row.trained_with else '  (unseen)'}"
        for row in rows
    )


def _section(
    test: str, rows: list[FamilyRow], small: Mapping[tuple[str, str], tuple[str, str]],
    plan: FamiliesPlan,
) -> Iterator[str]:  # fmt: skip
    counts, alarms = rows[0].cell.counts, rows[0].cell["false_alarms"]
    yield from (
        f"## {test}", "",
        f"{counts.reals} real faces of {counts.sources} originals; false alarms "
        f"{_percent(alarms)}.", "",
    )  # fmt: skip
    head = ["family", "kind", "in its training", "fakes", "AUC", "called"]
    extra = []
    if small:
        network = plan.study.left_out[0].network
        extra = [f"{network}, with it", f"{network}, without it"]
    yield "| " + " | ".join([*head, *extra]) + " |"
    yield "|" + "---|" * len([*head, *extra])
    for row in sorted(rows, key=_auc):
        cells = [
            f"{row.method} ({row.title})", row.family, "yes" if row.trained_with else "no",
            str(row.cell.counts.fakes), _shown(row.cell["auc"]), _percent(row.cell["hits"]),
        ]  # fmt: skip
        cells += small.get((test, row.method), ("", "")) if small else ()
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _small(found: Found) -> dict[tuple[str, str], tuple[str, str]]:
    """AUC of the small network with and without each family, by test and family."""
    seen = {(one.data_set, one.name): _shown(one.cell["auc"]) for one in found.with_all}
    return {
        (one.data_set, one.name): (seen.get((one.data_set, one.name), "-"),
                                   _shown(one.cell["auc"]))
        for one in found.without
    }  # fmt: skip


def _columns(found: Found) -> dict[str, list[Any]]:
    small = {"with": found.with_all, "without": found.without}
    by_key = {(name, one.data_set, one.name): one.cell["auc"]
              for name, records in small.items() for one in records}  # fmt: skip
    rows = []
    for row in found.rows:
        flat: dict[str, Any] = {
            "test": row.test, "method": row.method, "family": row.family, "title": row.title,
            "in_training": row.trained_with, "reals": row.cell.counts.reals,
            "fakes": row.cell.counts.fakes, "sources": row.cell.counts.sources,
            "threshold_logit": found.threshold,
        }  # fmt: skip
        for key in _KEYS:
            one = row.cell[key]
            flat |= {key: one.value, f"{key}_low": one.low, f"{key}_high": one.high,
                     f"{key}_note": one.note}  # fmt: skip
        for name in small:
            auc = by_key.get((name, row.test, row.method))
            flat |= {f"small_network_auc_{name}": auc.value if auc else None,
                     f"small_network_auc_{name}_low": auc.low if auc else None,
                     f"small_network_auc_{name}_high": auc.high if auc else None}  # fmt: skip
        rows.append(flat)
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


def _drawn(found: Found) -> Any:
    tests = list(dict.fromkeys(row.test for row in found.rows))[: len(SERIES)]
    order = sorted({row.method for row in found.rows},
                   key=lambda name: min(_auc(r) for r in found.rows if r.method == name),
                   reverse=True)  # fmt: skip

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for series, test in enumerate(tests):
            for row in (one for one in found.rows if one.test == test):
                auc = row.cell["auc"]
                if auc.value is None:
                    continue
                place = order.index(row.method) + 0.18 * (series - (len(tests) - 1) / 2)
                if auc.low is not None:
                    axes.plot([auc.low, auc.high], [place, place], color=SERIES[series], lw=2.2,
                              alpha=0.45, solid_capstyle="butt")  # fmt: skip
                face = SERIES[series] if row.trained_with else "none"
                axes.plot(auc.value, place, "o", color=SERIES[series], ms=5, mfc=face)
            axes.plot([], [], "o", color=SERIES[series], ms=5, label=test)
        axes.axvline(0.5, color=INK, lw=0.6, ls=":")
        axes.set_yticks(range(len(order)), order)
        axes.set(xlabel="AUC and 95 % interval; open circles: not in its training; dotted: chance")
        axes.legend(loc="lower left")

    said = "AUC of the detector by family of forgeries; the numbers stand in the table."
    return drawing(draw, name="families", said=said, size_in=(7.2, 1.1 + 0.36 * len(order)))


def _auc(row: FamilyRow) -> float:
    value = row.cell["auc"].value
    return math.inf if value is None else value


def _shown(one: Measure) -> str:
    if one.value is None:
        return f"- ({one.note})"
    if one.low is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _percent(one: Measure) -> str:
    if one.value is None:
        return f"- ({one.note})"
    if one.low is None or one.high is None:
        return f"{one.value:.1%}"
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"
