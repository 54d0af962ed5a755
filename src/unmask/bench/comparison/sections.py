"""What a comparison tells, section by section: sentences, tables and drawings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from unmask.bench.comparison import plots
from unmask.bench.comparison.embedded_picture import as_image
from unmask.bench.comparison.findings import Comparison, Failure
from unmask.bench.comparison.measures import METRICS
from unmask.bench.comparison.page_parts import BY_KEY, Drawing, PageSection
from unmask.bench.comparison.set_section import set_section
from unmask.bench.comparison.texts import (
    NOTHING,
    Text,
    TextTable,
    bytes_text,
    count_text,
    joined,
    label,
    number_text,
    rate_text,
    signed_text,
)

if TYPE_CHECKING:
    from unmask.bench.comparison.costs import Costs
    from unmask.bench.comparison.embedding import Embedding
    from unmask.bench.comparison.stress import StressPoint
    from unmask.bench.comparison.tables import Difference, Record


def page_sections(found: Comparison) -> list[PageSection]:
    """Sections in the order in which they are read; empty ones are left out."""
    every = [
        *(set_section(found, name, place) for place, name in enumerate(found.data_sets())),
        _crossed(found), _left_out(found), _slices(found), _robustness(found),
        _adversarial(found), _costs(found), _embeddings(found), _heat_maps(found), _failures(found),
    ]  # fmt: skip
    return [one for one in every if one.drawings or one.tables]


def summary(found: Comparison) -> str:
    """What the first table shows, in two sentences that follow from it."""
    data_set = found.data_sets()[0]
    told = [r for r in found.ranked(data_set) if r.cell["auc"].value is not None]
    if not told:
        return f"No detector has an AUC on {data_set}: see the reasons in the table."
    best = told[0].cell["auc"]
    near = [r for r in told[1:] if best.low is not None and (r.cell["auc"].value or 0) >= best.low]
    text = f"Best on {data_set}, image level: {told[0].detector}, AUC {best.value:.3f}"
    if best.low is not None:
        text += f" ({best.low:.3f} to {best.high:.3f})"
    if len(told) > 1:
        text += f", of {len(told)} detectors. "
        names = joined([r.detector for r in near[:4]]) + (" and others" if len(near) > 4 else "")
        verb = "lies" if len(near) == 1 else "lie"
        text += f"{names} {verb} within its interval" if near else "None other lies in its interval"
    return text + "."


def _crossed(found: Comparison) -> PageSection:
    records = found.tables.crossed
    pairs = list(dict.fromkeys(r.data_set for r in records))
    table = _by_detector(found, records, pairs, [r.data_set for r in records],
                         "AUC; reals of the first set, fakes of the second.")  # fmt: skip
    return PageSection(
        "cross", "Reals of one set against fakes of another",
        ("A detector that tells sets apart instead of forgeries is found out here: it does well "
         "within a set and badly, or far too well, across.",),
        (), (table,) if records else (),
    )  # fmt: skip


def _left_out(found: Comparison) -> PageSection:
    without, seen = found.tables.left_out, found.tables.seen
    known = {(r.detector, r.data_set, r.name): r for r in seen}
    rows = []
    for record in without:
        other = known.get((record.detector, record.data_set, record.name))
        rows.append((
            label(f"{record.detector}, {record.name}"),
            number_text(record.cell["auc"], BY_KEY["auc"]),
            number_text(other.cell["auc"], BY_KEY["auc"]) if other else NOTHING,
        ))  # fmt: skip
    head = ("Detector, method", "never seen in training", "seen")
    caption = "AUC on fakes of that method against all reals of the set."
    table = TextTable(caption, head, tuple(rows))
    return PageSection("left-out", "Leaving one method out", (), (), (table,) if rows else ())


def _slices(found: Comparison) -> PageSection:
    tables: list[TextTable] = []
    points: list[str] = []
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in found.tables.slices:
        groups.setdefault((record.data_set, record.by), []).append(record)
    for (data_set, by), mine in groups.items():
        names = list(dict.fromkeys(r.name for r in mine))
        ends = [d for d in found.tables.differences if (d.data_set, d.by) == (data_set, by)]
        caption = f"{data_set} by {by}: AUC, image level."
        tables.append(_by_detector(found, mine, names, [r.name for r in mine], caption, ends))
        points += _difference_sentences(data_set, by, ends)
    return PageSection(
        "slices", "Where they differ: pose, size, sharpness and more",
        ("A dash stands where a class has under 20 samples, or there are under ten sources.",),
        (), tuple(tables), tuple(points),
    )  # fmt: skip


def _difference_sentences(
    data_set: str, by: str, differences: Sequence[Difference]
) -> Iterator[str]:
    told = [d for d in differences if d.auc.low is not None and d.auc.high is not None]
    if not told:
        return
    up = sum(1 for d in told if (d.auc.low or 0) > 0)
    down = sum(1 for d in told if (d.auc.high or 0) < 0)
    yield (
        f"{data_set}, {by}: “{told[0].high}” is easier than “{told[0].low}” for {up} of "
        f"{len(told)} detectors, harder for {down}, and for {len(told) - up - down} the interval "
        f"of the difference holds 0."
    )


def _by_detector(
    found: Comparison,
    records: Sequence[Record],
    columns: Sequence[str],
    places: Sequence[str],
    caption: str,
    differences: Sequence[Difference] = (),
) -> TextTable:
    """One row a detector, one column for each of ``columns``."""
    cells = {(r.detector, place): r for r, place in zip(records, places, strict=True)}
    ends = {d.detector: d for d in differences}
    rows = []
    for detector in found.order():
        row = [label(detector)]
        for column in columns:
            record = cells.get((detector, column))
            row.append(number_text(record.cell["auc"], BY_KEY["auc"]) if record else NOTHING)
        if ends:
            row.append(signed_text(ends[detector].auc) if detector in ends else NOTHING)
        rows.append(tuple(row))
    last = ("last minus first",) if ends else ()
    return TextTable(caption, ("Detector", *columns, *last), tuple(rows))


def _robustness(found: Comparison) -> PageSection:
    points = found.robustness
    if not points:
        return PageSection("robustness", "")
    svg = plots.stress_plot(points, found.order(), name="robustness")
    return PageSection(
        "robustness", "When pictures are degraded",
        ("Each face is degraded before it is cropped; fakes and reals alike. Thresholds stay "
         "those of clean faces. With several seeds, of the first.",),
        (Drawing(svg, "AUC against strength, from mild to harsh; bands are 95 % intervals."),),
        tuple(_stress_tables(found, points)),
    )  # fmt: skip


def _adversarial(found: Comparison) -> PageSection:
    points = found.adversarial
    if not points:
        return PageSection("adversarial", "")
    svg = plots.stress_plot(points, found.order(), name="adversarial")
    return PageSection(
        "adversarial", "When pictures are changed to mislead",
        ("Every value of the crop may move by so many steps of 255; reals are pushed to look "
         "fake and fakes to look real. White box: the attacker has the weights. Black box: only "
         "the scores. No changed picture was kept.",),
        (Drawing(svg, "Accuracy against the largest change; dotted: a coin. Bands: 95 %."),),
        tuple(_stress_tables(found, points)),
    )  # fmt: skip


def _stress_tables(found: Comparison, points: Sequence[StressPoint]) -> Iterator[TextTable]:
    kinds = dict.fromkeys((p.kind, p.title, p.unit) for p in points if p.kind)
    metric = next(m for m in METRICS if m.title == points[0].metric)
    for kind, title, unit in kinds:
        strengths = list(dict.fromkeys(p.strength for p in points if p.kind in ("", kind)))
        cells = {(p.detector, p.strength): p for p in points if p.kind in ("", kind)}
        rows = [
            (label(detector), *(_point(cells.get((detector, s)), metric.key) for s in strengths))
            for detector in found.order() if any(d == detector for d, _ in cells)
        ]  # fmt: skip
        heads = ("clean" if s is None else f"{s:g}" for s in strengths)
        yield TextTable(f"{title}: {metric.title} by {unit}.", ("Detector", *heads), tuple(rows))


def _point(point: StressPoint | None, key: str) -> Text:
    return NOTHING if point is None else number_text(point.value, BY_KEY[key])


def _costs(found: Comparison) -> PageSection:
    if not found.costs:
        return PageSection("costs", "")
    data_set = found.data_sets()[0]
    auc = {r.detector: r.cell["auc"].value for r in found.ranked(data_set)}
    known = {name: found.costs[name] for name in found.order() if name in found.costs}
    known |= found.costs
    pairs = [(n, v, known[n]) for n, v in auc.items() if v is not None and n in known]
    rows = tuple(_cost_row(name, one) for name, one in known.items())
    threads = next(iter(known.values())).threads
    table = TextTable(
        "A sample is a crop, or a clip where the network takes clips. PyTorch, float32, CPU.",
        ("Detector", "Crop, px", "Parameters", "FLOPs a sample", "On disk, MB",
         "Samples/s, batch 1, 1 thread",
         f"Samples/s, batch 32, {threads} thread{'s' * (threads > 1)}",
         "Memory when built, MB", "Peak, batch 1, MB", "Peak, batch 32, MB"),
        rows,
    )  # fmt: skip
    drawings: tuple[Drawing, ...] = ()
    if pairs:
        caption = f"AUC on {data_set} against speed; a dot's area is the size on disk."
        drawings = (Drawing(plots.cost_plot(pairs, name="costs"), caption),)
    return PageSection(
        "costs", "What they cost",
        ("Memory is that of a whole process: with the network built and nothing run, and at its "
         "peak. Speed is the median of several runs.",),
        drawings, (table,),
    )  # fmt: skip


def _cost_row(name: str, one: Costs) -> tuple[Text, ...]:
    return (
        label(name), Text(str(one.input_px)), count_text(one.parameters), count_text(one.flops),
        bytes_text(one.disk_bytes), rate_text(one.images_per_s_1), rate_text(one.images_per_s_32),
        bytes_text(one.base_bytes), bytes_text(one.peak_bytes_1), bytes_text(one.peak_bytes_32),
    )  # fmt: skip


def _embeddings(found: Comparison) -> PageSection:
    if not found.embeddings:
        return PageSection("features", "")
    svg = plots.embedding_plot(found.embeddings, name="features")
    rows = tuple((label(one.title), _mixing(one)) for one in found.embeddings)
    table = TextTable(
        "Nearest neighbours from another set, over the share that chance would give: 0 where sets "
        "lie apart, about 1 where they are mixed.",
        ("Features", "Mixing of sets"), rows,
    )  # fmt: skip
    return PageSection(
        "features", "How features lie: domains and labels",
        ("Distances between far groups mean nothing in a t-SNE picture; the table below is "
         "measured in the feature space itself.",),
        (Drawing(svg, "Colour and shape: the set. Filled: fake. Open: real."),), (table,),
    )  # fmt: skip


def _mixing(one: Embedding) -> Text:
    if math.isnan(one.mixing):
        return replace(NOTHING, note="one set only")
    return Text(f"{one.mixing:.2f}")


def _heat_maps(found: Comparison) -> PageSection:
    drawings = tuple(
        Drawing(as_image(one.picture, f"{one.detector}: {one.caption}"),
                f"{one.detector}: {one.caption}")
        for one in found.heat_maps
    )  # fmt: skip
    return PageSection(
        "heat-maps", "Where they looked",
        ("Faces below belong to the data sets: their terms decide whether this page may be handed "
         "on. A heat map says which places moved the score; it proves no manipulation.",),
        drawings,
    )  # fmt: skip


def _failures(found: Comparison) -> PageSection:
    rows = _failure_rows(found.failures)
    table = TextTable("What could not be measured.", ("Detector", "at", "why"), tuple(rows))
    return PageSection("failed", "What came to nothing", (), (), (table,) if rows else ())


def _failure_rows(failures: Iterable[Failure]) -> list[tuple[Text, ...]]:
    return [(label(f.detector), label(f.stage), label(f.message)) for f in failures]
