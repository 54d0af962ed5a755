"""The whole bench: choose, measure, keep what was measured before, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unmask.bench import data_sets, figure, machine, scoring
from unmask.bench.page import render_page
from unmask.bench.results import Results, Section, Stamp, encode_results, read_results
from unmask.errors import OutputRefused, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.bench.data_sets import DataSet
    from unmask.bench.samples import Sample
    from unmask.bench.scoring import FileScore, Scans
    from unmask.calibration import Calibration

    Track = Callable[[str, Sequence[Sample]], Iterable[Sample]]
    Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured and where it goes.

    Attributes:
        data: Folder of the data sets.
        page: Markdown file; tables of scores and ``results.json`` go into the folder of the same
            name beside it, the figure into ``images/``.
        only: ``accuracy``, ``speed`` or None for both.
        unseen: Also look at ``clips/unseen_dev``.
        portraits: List of portraits, or None.
        json: Another place for a copy of the results, or None.
        command: The call as it is written on the page.
    """

    data: Path
    page: Path
    only: str | None = None
    unseen: bool = False
    portraits: Path | None = None
    json: Path | None = None
    command: str = "unmask bench"

    def data_sets(self) -> list[DataSet]:
        """The data sets that are asked for.

        Raises:
            UsageError: Data sets are asked for together with ``--only speed``.
        """
        if self.only == "speed":
            if self.unseen or self.portraits is not None:
                raise UsageError(
                    "--only speed leaves out every data set, but --unseen or --portraits asks "
                    "for one.",
                    hint="Leave out one of the two.",
                )
            return []
        chosen = [data_sets.DFDC_VAL, data_sets.CLIPS_REAL, data_sets.GHOST_SWAP]
        if self.portraits is not None:
            chosen.append(data_sets.portraits_in(self.portraits))
        if self.unseen:
            chosen.append(data_sets.UNSEEN_DEV)
        return chosen


def run_bench(
    options: Options,
    scanner: Scans,
    program: Sequence[str],
    *,
    track: Track,
    say: Say,
) -> Results:
    """Measure what is asked for and write page, tables, figure and results.

    Each section is written as soon as it is measured. Sections that were not asked for stay as an
    earlier run left them, under their own stamp.

    Args:
        options: What and where.
        scanner: Looks at 32 frames of a film, like the command line by default.
        program: The ``unmask`` executable, as the start of a command; for speed only.
        track: Shows progress over the samples of a data set.
        say: Told what is being done.

    Raises:
        InputError: A data set is not there.
        EnvironmentProblem: Speed cannot be measured here.
        OutputRefused: The results cannot be written, or earlier ones cannot be read.
    """
    # Whatever is missing is told before the first minute is spent.
    wanted = [(one, one.read(options.data)) for one in options.data_sets()]
    results = read_results(_folder(options) / "results.json")
    calibration = scanner.calibration
    stamp = machine.stamp(
        command=options.command,
        detector=calibration.detector,
        weights_sha256=calibration.weights_sha256,
        calibration=calibration.id,
    )
    for data_set, samples in wanted:
        scores = scoring.score_files(scanner, track(data_set.title, samples))
        section = data_set.section(scores, stamp, _fitted_on(scanner.calibration))
        results = _keep(options, results, section, scores)
    if options.only != "accuracy":
        results = _keep(options, results, _speed_section(scanner, program, stamp, say), [])
    return results


def _fitted_on(calibration: Calibration) -> str:
    """Which data the likelihood ratios were fitted on: a reader must see any overlap."""
    facts = "; ".join(f"{name}: {value}" for name, value in sorted(calibration.data.items()))
    return f"Calibration {calibration.id} was fitted on: {facts or 'not stated'}"


def _speed_section(scanner: Scans, program: Sequence[str], stamp: Stamp, say: Say) -> Section:
    from unmask.bench import film, speed, stages

    with tempfile.TemporaryDirectory(prefix="unmask-bench-") as name:
        folder = Path(name)
        rows = speed.speed_rows(program, folder, say)
        pictures = film.write_pictures(folder, speed.PICTURES)
        say("stages")
        rows.append(stages.throughput_row(scanner, pictures))
        rows += stages.stage_rows(scanner.detector, pictures[:20])
    return Section(
        key="speed",
        title="Speed and memory",
        about="The `unmask` executable in processes of its own, start-up included, on films and "
        "pictures made for the purpose: scikit-image's astronaut under a moving camera with grain, "
        "1280x720, 30 frames a second, H.264 (x264 veryfast, CRF 23) with a silent AAC track. The "
        "longer films repeat the packets of a 10 s one. Memory is the largest resident set of any "
        "process of the call.",
        rows=rows,
        notes=[],
        stamp=stamp,
    )


def _keep(
    options: Options, results: Results, section: Section, scores: Sequence[FileScore]
) -> Results:
    """Add one section to the results and write everything that depends on it."""
    results = msgspec.structs.replace(results, sections={**results.sections, section.key: section})
    folder, figure_path = _folder(options), _figure_path(options)
    encoded = encode_results(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if scores:
            (folder / f"{section.key}.csv").write_text(scoring.write_csv(scores), encoding="utf-8")
        if section.key == data_sets.DFDC_VAL.key and not figure.draw_figure(figure_path, scores):
            figure_path.unlink(missing_ok=True)
        address = figure_path.relative_to(options.page.parent).as_posix()
        page = render_page(
            results.sections,
            folder=folder.name,
            figure=address if figure_path.exists() else None,
        )
        options.page.write_text(page, encoding="utf-8")
        (folder / "results.json").write_bytes(encoded)
        if options.json is not None:
            options.json.write_bytes(encoded)
    except OSError as error:
        raise OutputRefused(
            f"The measurements cannot be written beside {options.page.name}: {error.strerror}.",
            hint="Choose another page with -o.",
        ) from error
    return results


def _folder(options: Options) -> Path:
    return options.page.with_suffix("")


def _figure_path(options: Options) -> Path:
    return options.page.parent / "images" / f"{options.page.stem}.svg"
