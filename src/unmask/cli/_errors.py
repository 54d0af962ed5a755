"""How a failed call ends: one or two plain lines on stderr and an exit code.

Exit codes: 0 done; 1 a finding at ``--fail-on``; 2 usage; 3 something was not analysed;
4 environment; 70 a fault in Unmask itself; 130 interrupted; 141 the reader of our output
went away.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
import unicodedata

import click

from unmask import settings
from unmask.errors import EnvironmentProblem, MissingExtra, OutputRefused, UnmaskError

EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
# Packages that only an extra brings, by the name they are imported under.
EXTRA_OF = {
    "albumentations": "train",
    "art": "adversarial",
    "c2pa": "provenance",
    "cryptography": "provenance",
    "captum": "train",
    "kornia": "train",
    "lightning": "train",
    "lir": "train",
    "matplotlib": "demo",
    "mlflow": "train",
    "onnx": "train",
    "onnxruntime": "onnxruntime",
    "onnxscript": "train",
    "psutil": "dev",
    "pyarrow": "train",
    "safetensors": "train",
    "scipy": "train",
    "skimage": "demo",
    "sklearn": "train",
    "tensorboard": "train",
    "timm": "train",
    "torch": "train",
    "weasyprint": "pdf",
}


def printable(text: str) -> str:
    r"""Return ``text`` with everything that could steer a terminal written as an escape.

    File names and tags come from strangers: control characters, direction marks and
    undecodable bytes become ``\x1b``, ``\u202e`` and the like; letters of any script stay.
    """
    return "".join(
        char if char == " " or unicodedata.category(char)[0] not in "CZ" else _escape(char)
        for char in text
    )


def end_with(error: BaseException) -> int:
    """Tell the user how the call ended and return its exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        silence_stdout()
        return EXIT_BROKEN_PIPE
    if settings.debug():
        _say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _say("Interrupted. What was finished before is kept.")
        return EXIT_INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        # 1 would read as a finding.
        return error.exit_code if error.exit_code != 1 else EnvironmentProblem.exit_code
    known = _as_known(error)
    if known is None:
        return _internal(error)
    _say(f"error[{known.code}]: {printable(known.message)}")
    if known.hint:
        _say(f"  hint: {printable(known.hint)}")
    return known.exit_code


def silence_stdout() -> None:
    """Send what is still buffered for stdout nowhere, so that leaving raises no second error."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):
        return  # no real stdout: nothing can be flushed into it either


def _as_known(error: BaseException) -> UnmaskError | None:
    """Read foreign exceptions whose cause is plain as the error a user can act on."""
    if isinstance(error, UnmaskError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name:
        root = error.name.partition(".")[0]
        if root in EXTRA_OF:
            return MissingExtra.named(EXTRA_OF[root], f"This command (it uses {root})")
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        silence_stdout()
        return OutputRefused(
            f"The result could not be written: {os.strerror(error.errno)}.",
            hint="Free some space or write elsewhere, then run the same call again.",
        )
    if isinstance(error, MemoryError):
        return EnvironmentProblem(
            "The machine ran out of memory.",
            hint="Give fewer --frames, a lower --max-pixels, or fewer files at once.",
        )
    return None


def _internal(error: BaseException) -> int:
    _say(f"internal error: {type(error).__name__}: {printable(str(error))}")
    _say("  This is a fault in Unmask, not in your file; no verdict was reached.")
    if not settings.debug():
        _say("  hint: run it again with UNMASK_DEBUG=1 to see where, and report it as")
        _say("  CONTRIBUTING.md describes (without the file, if it is not yours to share).")
    return EXIT_INTERNAL


def _say(line: str) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        return  # stderr is gone; the exit code still speaks


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
