"""``unmask bench``: measure the shipped detector, or compare detectors as a study says."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._errors import printable
from unmask.errors import InputError, MissingExtra, UsageError

if TYPE_CHECKING:
    from unmask.bench.samples import Sample

_DATA = Path("../shared/data")
_PAGE = Path("docs/benchmarks.md")
_STUDY_DATA = Path("../shared")
_ONLY_WITHOUT = ("only", "detector", "unseen", "portraits", "json")
_ONLY_WITH = ("shards", "workers", "threads")
MODES = ("families", "rounds")


class _WithModes(click.Command):
    """The bench, whose first word may be one of its modes instead of a study."""

    @staticmethod
    def mode(name: str) -> click.Command:
        """The command of one of :data:`MODES`."""
        found: click.Command = importlib.import_module(f"unmask.cli.bench_modes.{name}").command
        return found

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Hand over to a mode where the first word is one."""
        if not args or args[0] not in MODES:
            return super().make_context(info_name, args, parent, **extra)
        return self.mode(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)


@click.command(
    cls=_WithModes,
    short_help="Measure accuracy, speed and memory.",
    epilog="Also: 'unmask bench families RECIPE' scores a detector on every family of forgeries; "
    "'unmask bench rounds RECIPE' trains one where it is weakest. Each has its own --help.",
)
@click.argument("study", type=click.Path(path_type=Path), required=False, metavar="[STUDY]")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR",
              help="Folder of the data sets; with STUDY, the folder that 'init' is relative to.  "
              f"[default: {_DATA}; with STUDY {_STUDY_DATA}]")  # fmt: skip
@click.option("--only", type=click.Choice(["accuracy", "speed"]),
              help="Measure one of the two; the other stays on the page as it was.")  # fmt: skip
@click.option("--detector", metavar="ID",
              help="Which bundled detector; goes with --only accuracy, and -o for a page of its "
              "own.  [default: unmask-base]")  # fmt: skip
@click.option("--unseen", is_flag=True,
              help="Also look at clips/unseen_dev (seldom: never tune by it).")  # fmt: skip
@click.option("--portraits", type=click.Path(path_type=Path), metavar="LIST",
              help="Also count false alarms on the portraits that this file lists.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="PATH",
              help="Markdown page; tables and figure go beside it. With STUDY, a folder.  "
              f"[default: {_PAGE}; with STUDY runs/NAME-OF-STUDY]")  # fmt: skip
@click.option("--json", type=click.Path(path_type=Path), metavar="FILE",
              help="Also write all results as JSON.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("-q", "--quiet", is_flag=True, help="No messages and no progress bars.")
@click.option("--shards", type=click.Path(path_type=Path), metavar="DIR",
              help="With STUDY: folder of the face stores.  [default: runs/shards]")  # fmt: skip
@click.option("--workers", type=click.IntRange(0, 64), metavar="N",
              help="With STUDY: processes that make batches.  [default: 1]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), metavar="N",
              help="With STUDY: threads of PyTorch.  [default: all]")  # fmt: skip
def command(**asked: Any) -> int:
    """Measure what is promised, through the whole of scan, and write it down.

    Accuracy needs the study data; speed makes its own films. A full run takes some ten minutes
    on two cores: let nothing else run beside it.

    With the TOML file STUDY, train networks at an equal budget, score them and foreign detectors
    on the sets it names, and write score table, CSV, Markdown and one HTML page. What is finished
    is not done again.
    """
    if asked["study"] is not None:
        return _compare(asked)
    _refuse(asked, _ONLY_WITH, "needs a STUDY", "Give the study's TOML file.")
    if asked["detector"] and (asked["only"] != "accuracy" or asked["output"] is None):
        raise UsageError(
            "--detector measures accuracy only, on a page of its own.",
            hint="Add --only accuracy and -o PAGE.md.",
        )
    asked["data"], asked["output"] = asked["data"] or _DATA, asked["output"] or _PAGE
    _need("matplotlib", "skimage")
    from unmask.bench.processes import unmask_program
    from unmask.bench.run import Options, run_bench
    from unmask.cli.scan import download_bar
    from unmask.scanning.scanner import Scanner

    options = Options(
        data=asked["data"],
        page=asked["output"],
        only=asked["only"],
        unseen=asked["unseen"],
        portraits=asked["portraits"],
        json=asked["json"],
        command=_call(asked),
    )
    options.data_sets()  # a call that contradicts itself is refused before models are loaded
    program = unmask_program() if options.only != "accuracy" else []
    with download_bar(quiet=asked["quiet"]) as progress:
        scanner = Scanner(
            detector=asked["detector"],
            offline=True if asked["offline"] else None,
            progress=progress,
        )
    quiet = asked["quiet"]
    results = run_bench(
        options,
        scanner,
        program,
        track=_silent if quiet or not sys.stderr.isatty() else _bar,
        say=lambda line: None if quiet else click.echo(f"measuring: {line}", err=True),
    )
    if not quiet:
        _tell(results.sections, options.page)
    return 0


def _compare(asked: dict[str, Any]) -> int:
    _refuse(asked, _ONLY_WITHOUT, "does not go with a STUDY", "Leave one of the two out.")
    study: Path = asked["study"]
    try:
        from unmask.bench.comparison.runner import run_study
        from unmask.bench.comparison.sections import summary
        from unmask.bench.comparison.study import read_study
        from unmask.bench.comparison.study_runs import Place, Stores
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Comparing detectors (it uses {error.name})") from error
    out = asked["output"] or Path("runs") / study.stem
    place = Place(
        out=out,
        stores=Stores(asked["shards"] or Path("runs") / "shards"),
        data=asked["data"] or _STUDY_DATA,
        workers=1 if asked["workers"] is None else asked["workers"],
        threads=asked["threads"],
        say=lambda line: None if asked["quiet"] else click.echo(printable(line), err=True),
    )
    plan = read_study(study)
    found = run_study(plan, place, command=f"unmask bench {study.name}")
    if not asked["quiet"]:
        click.echo(printable(summary(found)))
        click.echo(f"Written to {out}", err=True)
    return InputError.exit_code if found.failures else 0


def _refuse(asked: dict[str, Any], names: Sequence[str], why: str, hint: str) -> None:
    for name in names:
        if asked[name]:
            raise UsageError(f"--{name} {why}.", hint=hint)


def _tell(sections: Any, page: Path) -> None:
    from unmask.bench.goals import GOALS, measured
    from unmask.bench.page import printed

    words = {True: "yes", False: "NO", None: "-"}
    for goal in GOALS:
        row = measured(goal, sections)
        if row is not None:
            click.echo(f"{words[goal.reached(row)]:>3}  {goal.text}: {printed(row)}")
    click.echo(f"Written to {page}", err=True)


def _call(asked: dict[str, Any]) -> str:
    """The call as it goes onto the page: folders of this machine are nobody's business."""
    words = ["unmask", "bench"]
    if asked["data"] != _DATA:
        words += ["--data", "DIR"]
    if asked["only"]:
        words += ["--only", asked["only"]]
    if asked["detector"]:
        words += ["--detector", asked["detector"]]
    if asked["unseen"]:
        words.append("--unseen")
    if asked["portraits"] is not None:
        words += ["--portraits", asked["portraits"].name]
    return " ".join(words)


def _need(*modules: str) -> None:
    if any(importlib.util.find_spec(name) is None for name in modules):
        raise MissingExtra.named("demo", "The bench")


def _silent(_: str, samples: Sequence[Sample]) -> Iterable[Sample]:
    return samples


def _bar(title: str, samples: Sequence[Sample]) -> Iterator[Sample]:
    from rich.console import Console
    from rich.progress import track

    yield from track(samples, title.partition(":")[0], console=Console(stderr=True), transient=True)
