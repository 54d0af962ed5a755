"""The command line: ``unmask COMMAND``.

Each command is a module of this package with the attribute ``command``; this module only
lists them, runs them, and turns every way of failing into a message and an exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from unmask import __version__
from unmask.cli._errors import end_with
from unmask.cli._lazy import LazyGroup

COMMANDS = {
    "scan": "Look for face manipulation in pictures and films.",
    "demo": "Scan ready-made pictures and films, some of them forged.",
    "models": "List, fetch and locate the models.",
    "data": "List, check and prepare data sets; make compressed copies.",
    "train": "Train a detector from a recipe.",
    "forge": "Make labelled face forgeries.",
    "provenance": "Show, check and write where files say they come from.",
    "export": "Turn a trained checkpoint into the ONNX file that scan runs.",
    "calibrate": "Fit scores to likelihood ratios on held-out faces.",
    "bench": "Measure accuracy, speed and memory; compare detectors.",
}

# Shell completion asks through this variable (click's convention).
COMPLETION = "_UNMASK_COMPLETE"

app = LazyGroup(
    name="unmask",
    package="unmask.cli",
    table=COMMANDS,
    help="Find face manipulation in pictures and films, with evidence you can defend.",
    epilog="Exit codes: 0 done; 1 a finding at --fail-on; 2 usage; 3 something was not "
    "analysed; 4 environment; 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
click.version_option(__version__, prog_name="unmask", message="%(prog)s %(version)s")(app)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no exception leaves it.

    Args:
        args: Words after the program's name; by default those of the process.
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        if COMPLETION in os.environ:
            return _complete(os.environ[COMPLETION])
        code = _run(words)
        # Buffered output may meet a closed pipe or a full disk only now.
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        return end_with(error)
    return code


def _run(words: list[str]) -> int:
    """Run one command.

    click's own ``main`` is not used: it answers a closed pipe with exit code 1, which here
    means a finding.
    """
    try:
        with app.make_context("unmask", words) as ctx:
            outcome = app.invoke(ctx)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return outcome if isinstance(outcome, int) else 0


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(app, {}, "unmask", COMPLETION, instruction)
