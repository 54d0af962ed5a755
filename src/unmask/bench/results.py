"""What a bench writes down: rows of numbers in sections, each with where and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from unmask.errors import OutputRefused

if TYPE_CHECKING:
    from pathlib import Path

RESULTS_VERSION = 1
Unit = Literal["share", "score", "bits", "nats", "count", "s", "ms", "MB", "ratio", "img/s"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured number.

    Attributes:
        key: Name by which goals find it, unique in its section.
        text: What was measured, for people.
        value: The number; None where it could not be measured (the note says why).
        unit: How the number is to be read and printed.
        low: Lower end of the 95 % interval, or None.
        high: Upper end of the 95 % interval, or None.
        note: Counts and conditions.
    """

    key: str
    text: str
    value: float | None
    unit: Unit
    low: float | None = None
    high: float | None = None
    note: str = ""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """Where, when and with what a section was measured.

    Attributes:
        date: ISO 8601 day, UTC.
        version: Version of Unmask.
        commit: Git commit, with ``+`` where files were changed since; None outside a checkout.
        command: The call, without machine paths.
        cpu: Model name of the processor.
        cores: Cores this process may use.
        memory_gib: Memory of the machine.
        python: Version of the interpreter.
        runtime: Inference engine with its version.
        detector: Id of the detector.
        weights_sha256: Digest of its weights.
        calibration: Id of its calibration.
    """

    date: str
    version: str
    commit: str | None
    command: str
    cpu: str
    cores: int
    memory_gib: float
    python: str
    runtime: str
    detector: str
    weights_sha256: str
    calibration: str


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that belong together: one data set, or speed.

    Attributes:
        key: Name by which goals find it.
        title: Heading.
        about: One paragraph: what was looked at, and at which level (image or video).
        rows: The numbers.
        notes: Lines below the table.
        table: File name of the scores of every file, or "".
        stamp: Where and when.
    """

    key: str
    title: str
    about: str
    rows: list[Row]
    notes: list[str]
    table: str = ""
    stamp: Stamp

    def row(self, key: str) -> Row | None:
        """The row called ``key``, or None."""
        return next((row for row in self.rows if row.key == key), None)


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All sections that are on the page, by key; older ones are kept until measured again."""

    version: int = RESULTS_VERSION
    sections: dict[str, Section] = {}


def read_results(path: Path) -> Results:
    """Read what an earlier bench left; nothing at all where there is no such file.

    Raises:
        OutputRefused: There is one, but it is not a bench's results of this version.
    """
    if not path.exists():
        return Results()
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except (OSError, msgspec.DecodeError) as error:
        raise OutputRefused(
            f"{path.name} is not what a bench of this version wrote: {error}.",
            hint="Move it away, or choose another page with -o.",
        ) from error
    if results.version != RESULTS_VERSION:
        raise OutputRefused(
            f"{path.name} has version {results.version}, expected {RESULTS_VERSION}.",
            hint="Move it away, or choose another page with -o.",
        )
    return results


def encode_results(results: Results) -> bytes:
    """The results as indented JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n"
