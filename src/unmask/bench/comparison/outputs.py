"""What a comparison leaves behind: score table, CSV tables, Markdown and one page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.bench import machine
from unmask.bench.comparison.page import as_html, as_markdown
from unmask.bench.comparison.score_files import as_csv, write_scores
from unmask.bench.comparison.stress import flat_points
from unmask.bench.comparison.study_runs import write_text
from unmask.bench.comparison.tables import Difference, flat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmask.bench.comparison.findings import Comparison
    from unmask.bench.comparison.scores import ScoreTable
    from unmask.bench.comparison.study import Plan

PAGE, MARKDOWN, SCORES, TABLES = "comparison.html", "comparison.md", "scores.parquet", "tables"


def write_comparison(found: Comparison, table: ScoreTable, folder: Path) -> None:
    """Write everything; each file appears only when it is whole.

    Args:
        found: What was measured.
        table: The scores that it follows from.
        folder: Where to: ``comparison.html``, ``comparison.md``, ``scores.parquet``, ``tables/``.

    Raises:
        OutputRefused: It cannot be written.
    """
    tables = found.tables
    for name, columns in (
        ("overall", flat(tables.overall)),
        ("cross", flat(tables.crossed)),
        ("left_out", flat([*tables.left_out, *tables.seen])),
        ("slices", flat(tables.slices)),
        ("slice_differences", _differences(tables.differences)),
        ("robustness", flat_points(found.robustness)),
        ("adversarial", flat_points(found.adversarial)),
        ("costs", _costs(found)),
        ("features", _features(found)),
        ("failures", _columns([dataclasses.asdict(one) for one in found.failures])),
    ):
        path = folder / TABLES / f"{name}.csv"
        if columns:
            write_text(path, as_csv(columns))
        else:  # an earlier study of another shape may have left one
            path.unlink(missing_ok=True)
    write_scores(folder / SCORES, table)
    write_text(folder / MARKDOWN, as_markdown(found, html=PAGE))
    write_text(folder / PAGE, as_html(found))


def study_facts(plan: Plan, command: str) -> tuple[tuple[str, str], ...]:
    """Terms and texts for the head of the page: the budget, the data, the machine."""
    study = plan.study
    facts = list(_training_facts(plan))
    if study.scores:
        facts.append(("Foreign scores", ", ".join(Path(path).name for path in study.scores)))
    here = machine.stamp(command=command, detector="", weights_sha256="", calibration="")
    commit = f", commit {here.commit}" if here.commit else ""
    facts += [
        ("Recipe", f"{plan.name}.toml; {command}"),
        ("Measured", f"{here.date}, Unmask {here.version}{commit}"),
        ("Machine", f"{here.cpu}, {here.cores} cores, {here.memory_gib:.0f} GiB; {here.python}"),
    ]
    return tuple(facts)


def _training_facts(plan: Plan) -> list[tuple[str, str]]:
    study = plan.study
    if not study.networks:
        return []
    recipe = plan.recipe(study.networks[0], study.seeds[0])
    length = f"{recipe.steps:,} steps" if recipe.steps else f"{recipe.epochs:g} epochs"
    seen = f", {recipe.steps * recipe.batch:,} faces seen" if recipe.steps else ""
    optimiser = recipe.optimiser
    changed = sorted(title for title, table in plan.overrides.items() if table)
    facts = [
        ("Budget", f"{length} of {recipe.batch}{seen}; {optimiser.kind}, rate {optimiser.rate:g}, "
                   f"{optimiser.schedule}; {recipe.compute.precision}"),
        ("Faces", "; ".join(_store_words(one) for one in recipe.data.stores)),
        ("Start", recipe.init or ("ImageNet weights" if recipe.pretrained else "random weights")),
        ("Seeds", ", ".join(str(seed) for seed in study.seeds)),
    ]  # fmt: skip
    if changed:
        facts.append(("Trained otherwise", "; ".join(changed) + " (see the recipe)"))
    return facts


def _store_words(store: Any) -> str:
    held = store.validation_split or "a share of the sources"
    return f"{store.name} ({store.split or 'all splits'}; held out: {held})"


def _differences(found: Iterable[Difference]) -> dict[str, list[Any]]:
    return _columns([
        {"detector": one.detector, "data_set": one.data_set, "by": one.by, "from": one.low,
         "to": one.high, "auc_difference": one.auc.value, "low": one.auc.low,
         "high": one.auc.high, "note": one.auc.note}
        for one in found
    ])  # fmt: skip


def _costs(found: Comparison) -> dict[str, list[Any]]:
    return _columns([{"detector": n, **dataclasses.asdict(c)} for n, c in found.costs.items()])


def _features(found: Comparison) -> dict[str, list[Any]]:
    return _columns([
        {"network": one.title, "x": x, "y": y, "domain": domain, "y_true": label,
         "mixing": one.mixing}
        for one in found.embeddings
        for (x, y), domain, label in zip(
            one.xy.tolist(), one.domain.tolist(), one.y_true.tolist(), strict=True
        )
    ])  # fmt: skip


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}
