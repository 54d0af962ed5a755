"""``unmask demo``: make originals and forgeries, scan them, show the page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Scan ready-made pictures and films, some of them forged.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("demo"),
              show_default=True, metavar="DIR", help="Where pictures and reports go.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Never use the network.")
def command(output: Path, *, offline: bool) -> int:
    """Make two portraits, swap their faces, film all four, scan the eight files.

    The portraits are in the public domain; the forgeries are marked as such.
    """
    from unmask import demo, report
    from unmask.cli._outputs import ToFolder
    from unmask.cli.scan import download_bar
    from unmask.errors import OutputRefused
    from unmask.scanning.scanner import Scanner

    with download_bar(quiet=False) as progress:
        scanner = Scanner(offline=True if offline else None, progress=progress)
    try:
        files = demo.make(output / "media", lambda path: click.echo(f"made {path}", err=True))
    except OSError as error:
        raise OutputRefused(
            f"{output} cannot be written: {error.strerror}.", hint="Choose another folder with -o."
        ) from error
    sink = ToFolder(output, ("html", "json", "ndjson", "csv"), resume=False)
    reports = []
    try:
        for path in files:
            reports.append(scanner.scan_or_explain(path))
            sink.add(reports[-1])
    finally:  # also when interrupted: what is done is listed
        sink.close()
    from rich.console import Console

    report.render_table(reports, Console())
    click.echo(f"Open {output / 'index.html'} in a browser.")
    return 0
