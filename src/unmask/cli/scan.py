"""``unmask scan``: from files to verdicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli._inputs import STDIN, Wanted, gather, standard_input
from unmask.cli._outputs import FORMATS, ToFolder, ToStdout
from unmask.errors import InputError, UnsupportedMedia, UsageError
from unmask.types import Label, Limits, Report

if TYPE_CHECKING:
    from unmask.scanning.scanner import Scanner

EXIT_FINDING = 1
EXIT_NOT_ANALYZED = 3
_DEFAULT_FILES = ("html", "json")
_DEFAULT_FILES_MANY = ("html", "json", "ndjson", "csv")
_LIMITS = Limits()


class FrameCount(click.ParamType):
    """``all`` or a whole number from 1."""

    name = "N|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or None for ``all``."""
        if value is None or str(value).lower() == "all":
            return None
        if str(value).isdigit() and int(value) >= 1:
            return int(value)
        self.fail(f"{value!r} is neither 'all' nor a whole number from 1", param, ctx)


@click.command(short_help="Look for face manipulation in pictures and films.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-r", "--recursive", is_flag=True, help="Go through folders.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR",
              help="Write the reports into this folder.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice(FORMATS),
              help="Form of the reports; may be given several times with -o.")  # fmt: skip
@click.option("--fail-on", multiple=True, type=click.Choice([label.value for label in Label]),
              help="Exit with 1 if any input gets this verdict.")  # fmt: skip
@click.option("--frames", type=FrameCount(), default=32, show_default=True,
              help="Frames of a film to look at, spread evenly, or 'all'.")  # fmt: skip
@click.option("--detector", default="unmask-base", show_default=True, metavar="ID",
              help="Which detector; see 'unmask models list'.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="With -o and ndjson: leave out inputs that are in results.ndjson already.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.option("--crops/--no-crops", default=True, show_default=True,
              help="Put pictures of the faces into the reports.")  # fmt: skip
@click.option("--max-bytes", default=_LIMITS.max_bytes, show_default=True, type=click.IntRange(1),
              help="Largest file.")  # fmt: skip
@click.option("--max-pixels", default=_LIMITS.max_pixels, show_default=True,
              type=click.IntRange(1), help="Largest width x height.")  # fmt: skip
@click.option("--max-duration", default=_LIMITS.max_duration_s, show_default=True,
              type=click.FloatRange(0), help="Longest film, in seconds.")  # fmt: skip
@click.option("--max-frames", default=_LIMITS.max_frames, show_default=True,
              type=click.IntRange(1), help="Most frames decoded from one file.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No messages and no progress bars.")
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
    labels = _run(wanted, scanner, sink, limits, options)
    if any(label in options["fail_on"] for label in labels):
        return EXIT_FINDING
    return EXIT_NOT_ANALYZED if Label.NOT_ANALYZED in labels else 0


def _sink(wanted: Sequence[Wanted], options: dict[str, Any]) -> ToStdout | ToFolder:
    formats, folder = options["formats"], options["output"]
    if folder is not None:
        default = _DEFAULT_FILES if len(wanted) == 1 else _DEFAULT_FILES_MANY
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
    return ToStdout(formats[0] if formats else None)


def _scanner(options: dict[str, Any], limits: Limits) -> Scanner:
    from unmask.scanning.scanner import Scanner

    with download_bar(quiet=options["quiet"]) as progress:
        return Scanner(
            detector=options["detector"],
            frames=options["frames"],
            limits=limits,
            offline=True if options["offline"] else None,
            crops=options["crops"],
            progress=progress,
        )


def _run(
    wanted: Sequence[Wanted],
    scanner: Scanner,
    sink: ToStdout | ToFolder,
    limits: Limits,
    options: dict[str, Any],
) -> list[Label]:
    labels = []
    skipped = 0
    done_before = sink.seen if isinstance(sink, ToFolder) else set()
    with _files_bar(len(wanted), quiet=options["quiet"]) as advance:
        try:
            for one in wanted:
                report = _one(one, scanner, limits, done_before)
                advance(one.name)
                if report is None:
                    skipped += 1
                    continue
                labels.append(report.verdict.label)
                sink.add(report)
                _tell(report, options)
        finally:  # also when interrupted: what is done is listed
            made = sink.close()
    if not options["quiet"]:
        _tell_end(sink, made, skipped)
    return labels


def _one(one: Wanted, scanner: Scanner, limits: Limits, done: set[str]) -> Report | None:
    """The report on one input, or None when there is nothing to report."""
    if str(one.path) == STDIN:
        with standard_input(limits) as path:
            return scanner.scan_or_explain(path, name=STDIN)
    if done and _digest(one.path) in done:
        return None
    if one.found:  # in a folder there are other files too, and they are no failure
        try:
            return scanner.scan(one.path, name=one.name)
        except UnsupportedMedia:
            return None
        except InputError:
            pass
    return scanner.scan_or_explain(one.path, name=one.name)


def _digest(path: Path) -> str:
    from unmask.media import hash_file

    try:
        return hash_file(path)
    except InputError:
        return ""


def _tell(report: Report, options: dict[str, Any]) -> None:
    from unmask.cli._errors import printable

    name = printable(report.input.name)
    for problem in report.errors:
        click.echo(f"{name}: error[{problem.code}]: {printable(problem.message)}", err=True)
        if problem.hint and not options["quiet"]:
            click.echo(f"  hint: {printable(problem.hint)}", err=True)
    if options["verbose"]:
        click.echo(f"{name}: {report.verdict.statement}", err=True)


def _tell_end(sink: ToStdout | ToFolder, made: list[Path] | None, skipped: int) -> None:
    if skipped:
        click.echo(f"{skipped} files left out (no picture or film, or done before).", err=True)
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
