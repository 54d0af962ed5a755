"""``unmask scan``: from files to verdicts."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._inputs import Wanted, gather, standard_input
from unmask.cli._outputs import FORMATS, ToFolder, ToStdout
from unmask.errors import (
    EmptyInput,
    InputError,
    InternalFault,
    NoFrames,
    NotFound,
    UnsupportedMedia,
    UsageError,
)
from unmask.types import Label, Limits, Report

if TYPE_CHECKING:
    from unmask.scanning.scanner import Scanner

EXIT_FINDING = 1
EXIT_NOT_ANALYZED = 3
_DEFAULT_FILES = ("html", "json")
_DEFAULT_FILES_MANY = ("html", "json", "ndjson", "csv")
_LIMITS = Limits()
# Codes that say: this is another kind of file. In a folder that is no failure.
_NO_MEDIA = {UnsupportedMedia.code, NoFrames.code, EmptyInput.code}


def _frame_count(_ctx: click.Context, _param: click.Parameter, value: str) -> int | None:
    """The number of frames, or None for ``all``."""
    if value.lower() == "all":
        return None
    if re.fullmatch(r"0*[1-9][0-9]{0,17}", value):
        return int(value)
    raise click.BadParameter(f"{value[:40]!r} is neither 'all' nor a whole number from 1.")


@click.command(short_help="Look for face manipulation in pictures and films.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Go through folders.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Write the reports into this folder.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS),
              help="Form of the reports; may be given several times with -o.")  # fmt: skip
@click.option("--fail-on", multiple=True, type=click.Choice([label.value for label in Label]),
              help="Exit with 1 if any input gets this verdict.")  # fmt: skip
@click.option("--frames", callback=_frame_count, default="32", show_default=True, metavar="N|all",
              help="Frames of a film to look at, spread evenly, or 'all'.")  # fmt: skip
@click.option("--detector", metavar="ID",
              help="Which detector; see 'unmask models list'.  [default: what --weights say, or "
              "unmask-base]")  # fmt: skip
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE",
              help="Weights of your own, made by 'unmask export'.")  # fmt: skip
@click.option("--calibration", type=click.Path(path_type=Path), metavar="FILE",
              help="What their scores mean, made by 'unmask calibrate'; without it there are "
              "scores and no verdict.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="With -o: go on with a stopped run, leaving out what is done.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--crops/--no-crops", default=True, show_default=True,
              help="Put pictures of the faces into the reports.")  # fmt: skip
@click.option("--trust-anchors", type=click.Path(path_type=Path), metavar="PEM",
              help="Root certificates; credentials they vouch for are trusted.")  # fmt: skip
@click.option("--log", is_flag=True,
              help="Record digests of inputs and reports in the provenance log.")  # fmt: skip
@click.option("--max-bytes", default=_LIMITS.max_bytes, show_default=True, type=click.IntRange(1),
              help="Largest file.")  # fmt: skip
@click.option("--max-pixels", default=_LIMITS.max_pixels, show_default=True,
              type=click.IntRange(1), help="Largest width x height.")  # fmt: skip
@click.option("--max-duration", default=_LIMITS.max_duration_s, show_default=True,
              type=click.FloatRange(0), help="Longest film, in seconds.")  # fmt: skip
@click.option("--max-frames", default=_LIMITS.max_frames, show_default=True,
              type=click.IntRange(1), help="Most frames decoded from one file.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Nothing but errors on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done with each file.")
def command(paths: tuple[str, ...], **options: Any) -> int:
    """Look for face manipulation in pictures and films.

    PATH is a file, a folder with -r, or - for standard input. Without -o the results are
    printed; with it, each file gets a page to show and a JSON to keep.
    """
    limits = Limits(
        max_bytes=options["max_bytes"],
        max_pixels=options["max_pixels"],
        max_duration_s=options["max_duration"],
        max_frames=options["max_frames"],
    )
    wanted = list(gather(paths, recursive=options["recursive"]))
    sink = _sink(wanted, options)
    scanner = _scanner(options, limits)
    if options["resume"] and isinstance(sink, ToFolder):
        from unmask.scanning.assemble import tool

        sink.go_on(tool(), [scanner.method(film=film) for film in (False, True)])
    outcome = _run(wanted, scanner, sink, limits, options)
    return _exit_code(outcome, options["fail_on"])


@dataclass(slots=True)
class _Outcome:
    """What came of a call's inputs: their labels, the codes of their errors, those left out."""

    labels: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)
    done_before: int = 0
    no_media: int = 0


def _exit_code(outcome: _Outcome, fail_on: Collection[str]) -> int:
    if outcome.labels & set(fail_on):
        return EXIT_FINDING
    if InternalFault.code in outcome.errors:
        return InternalFault.exit_code
    if not outcome.labels and not outcome.done_before:
        raise NotFound(
            "None of the files is a picture or film.", hint="Check the folder; nothing was scanned."
        )
    return EXIT_NOT_ANALYZED if Label.NOT_ANALYZED in outcome.labels else 0


def _sink(wanted: Sequence[Wanted], options: dict[str, Any]) -> ToStdout | ToFolder:
    formats, folder = options["formats"], options["output"]
    if folder is not None:
        single = len(wanted) == 1 and not options["resume"]
        default = _DEFAULT_FILES if single else _DEFAULT_FILES_MANY
        return ToFolder(folder, formats or default, resume=options["resume"])
    if options["resume"]:
        raise UsageError("--resume continues a folder.", hint="Give the folder with -o.")
    if len(formats) > 1:
        raise UsageError(
            f"{len(formats)} formats cannot share standard output.",
            hint="Give one --format, or a folder with -o.",
        )
    one_document = formats and formats[0] in {"json", "html", "pdf"}
    if one_document and len(wanted) > 1:
        raise UsageError(
            f"{len(wanted)} inputs do not fit into one {formats[0]} document.",
            hint="Use --format ndjson or csv, or give a folder with -o.",
        )
    if formats and formats[0] == "pdf" and sys.stdout.isatty():
        raise UsageError(
            "A PDF cannot be shown in a terminal.",
            hint="Send it to a file (> report.pdf), or give a folder with -o.",
        )
    return ToStdout(formats[0] if formats else None)


def _scanner(options: dict[str, Any], limits: Limits) -> Scanner:
    from unmask.cli._inputs import read_pem
    from unmask.scanning.scanner import Scanner

    with download_bar(quiet=options["quiet"]) as progress:
        return Scanner(
            detector=options["detector"],
            weights=options["weights"],
            calibration=options["calibration"],
            frames=options["frames"],
            limits=limits,
            offline=True if options["offline"] else None,
            crops=options["crops"],
            trust_anchors=read_pem(options["trust_anchors"]),
            progress=progress,
        )


def _run(
    wanted: Sequence[Wanted],
    scanner: Scanner,
    sink: ToStdout | ToFolder,
    limits: Limits,
    options: dict[str, Any],
) -> _Outcome:
    outcome = _Outcome()
    done_before = sink.seen if isinstance(sink, ToFolder) else set()
    with _files_bar(len(wanted), quiet=options["quiet"]) as advance:
        try:
            for one in wanted:
                advance(one.name)
                if _is_done(one, done_before):
                    outcome.done_before += 1
                    continue
                report = _one(one, scanner, limits)
                if report is None:
                    outcome.no_media += 1
                    continue
                sink.add(report, _record if options["log"] else None)
                outcome.labels.add(report.verdict.label)
                outcome.errors.update(problem.code for problem in report.errors)
                _tell(report, options)
        finally:  # also when interrupted: what is done is listed
            made = sink.close()
    if not options["quiet"]:
        _tell_end(sink, made, outcome)
    return outcome


def _one(one: Wanted, scanner: Scanner, limits: Limits) -> Report | None:
    """The report on one input, or None where a folder holds something else than media."""
    if one.error is not None:
        return scanner.explain(None, one.error, name=one.name)
    if one.path is None:
        try:
            with standard_input(limits) as path:
                return scanner.scan_or_explain(path, name=one.name)
        except InputError as error:
            return scanner.explain(None, error, name=one.name)
    report = scanner.scan_or_explain(one.path, name=one.name)
    codes = {problem.code for problem in report.errors}
    return None if one.may_be_left_out and codes & _NO_MEDIA else report


def _record(report: Report, made: Collection[Path]) -> None:
    """Put the digests of an input and of its report's files into the provenance log."""
    from unmask.media import hash_file
    from unmask.provenance.log import Log

    log, sha256 = Log(), report.input.sha256
    if sha256 is None:
        return
    log.append("scanned", sha256, f"{report.verdict.label}, by {report.verdict.basis}")
    for path in made:
        log.append("noted", hash_file(path), f"{path.suffix[1:]} report on {sha256}")


def _is_done(one: Wanted, done: Collection[tuple[str, str]]) -> bool:
    if not done or one.path is None or one.error is not None:
        return False
    from unmask.media import hash_file

    # A name that is not UTF-8 is in the lines as they write it.
    name = one.name.encode("utf-8", "backslashreplace").decode()
    try:
        return (name, hash_file(one.path)) in done
    except InputError:
        return False


def _tell(report: Report, options: dict[str, Any]) -> None:
    from unmask.cli._errors import printable

    name = printable(report.input.name)
    for problem in report.errors:
        click.echo(f"{name}: error[{problem.code}]: {printable(problem.message)}", err=True)
        if problem.hint and not options["quiet"]:
            click.echo(f"  hint: {printable(problem.hint)}", err=True)
    if options["verbose"]:
        click.echo(f"{name}: {report.verdict.statement}", err=True)


def _tell_end(sink: ToStdout | ToFolder, made: list[Path] | None, outcome: _Outcome) -> None:
    for count, why in (
        (outcome.no_media, "no picture or film"),
        (outcome.done_before, "done before"),
    ):
        if count:
            click.echo(f"{count} {'file' if count == 1 else 'files'} left out: {why}.", err=True)
    if isinstance(sink, ToFolder):
        shown = (made or []) or sink.last
        page = next((path for path in shown if path.suffix == ".html"), None)
        click.echo(f"Reports are in {sink.folder}." + (f" Open {page}" if page else ""), err=True)


@contextmanager
def download_bar(*, quiet: bool) -> Iterator[Any]:
    """A bar on stderr that appears only if something is fetched."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("fetching {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield progress


@contextmanager
def _files_bar(total: int, *, quiet: bool) -> Iterator[Any]:
    if quiet or total < 2 or not sys.stderr.isatty():
        yield lambda name: None  # noqa: ARG005 - same call as below
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from unmask.cli._errors import printable

    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(name: str) -> None:
            bar.update(task, advance=1, description=printable(name)[:40].replace("[", "\\["))

        yield advance
