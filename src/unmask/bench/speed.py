"""Start-up, films, memory and throughput, measured from outside the ``unmask`` executable."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unmask.bench import film
from unmask.bench.processes import Run, decode_alone, run
from unmask.bench.results import Row
from unmask.errors import EnvironmentProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

LENGTHS_S = (10, 60, 240)
PICTURES = 100
CALLS_MEASURED = 10
_MB = 1e6


class _Coverage(msgspec.Struct):
    frames_seen: int
    frames_with_faces: int


class _Line(msgspec.Struct):
    """The part of a report that shows that the work was done."""

    coverage: _Coverage


def speed_rows(program: Sequence[str], folder: Path, say: Say) -> list[Row]:
    """Measure everything that is about time and memory.

    Args:
        program: The ``unmask`` executable, as the start of a command.
        folder: Place for films and pictures, about 300 MB.
        say: Told what is being done.

    Raises:
        EnvironmentProblem: A call failed, or looked at no face, and so measured nothing.
    """
    say("help")
    rows = [_help_row(program)]
    say("making films")
    films = make_films(folder)
    say("60 s film")
    rows += _film_rows(program, films[60], say)
    say("memory")
    rows += memory_rows(program, films)
    say("pictures")
    return rows + picture_rows(program, film.write_pictures(folder, PICTURES))


def make_films(folder: Path) -> dict[int, Path]:
    """Write one film for each of ``LENGTHS_S`` and return them by length in seconds."""
    segment = folder / "segment.mp4"
    film.write_segment(segment)
    films = {}
    for length_s in LENGTHS_S:
        films[length_s] = folder / f"film{length_s}.mp4"
        film.repeat_segment(segment, films[length_s], times=length_s // film.SEGMENT_S)
    return films


def memory_rows(program: Sequence[str], films: dict[int, Path]) -> list[Row]:
    """Peak memory for each length, at the default number of frames and with all of them."""
    rows, growths = [], []
    for name, frames in (("32 frames", "32"), ("all frames", "all")):
        peaks = {
            length_s: scan(program, [path], "--frames", frames).peak_bytes / _MB
            for length_s, path in films.items()
        }
        shortest, longest = min(peaks), max(peaks)
        growths.append(peaks[longest] / peaks[shortest])
        rows += [
            Row(key=f"peak_{frames}_{length_s}s", text=f"Peak memory, {length_s} s film, {name}",
                value=peak, unit="MB")
            for length_s, peak in peaks.items()
        ]  # fmt: skip
    highest = max(row.value or 0.0 for row in rows)
    note = f"{max(films)} s film over {min(films)} s film, the larger of both settings"
    return [
        *rows,
        Row(key="peak", text="Peak memory, highest", value=highest, unit="MB"),
        Row(key="peak_growth", text="Growth of peak memory with length", value=max(growths),
            unit="ratio", note=note),
    ]  # fmt: skip


def picture_rows(program: Sequence[str], pictures: Sequence[Path]) -> list[Row]:
    """Many pictures in one call against a call for each."""
    together = scan(program, pictures)
    alone = [scan(program, [path]).wall_s for path in pictures[:CALLS_MEASURED]]
    apart_s = statistics.fmean(alone) * len(pictures)
    return [
        Row(key="one_call", text=f"{len(pictures)} pictures of 720p in one call",
            value=together.wall_s, unit="s", note="start-up included"),
        Row(key="many_calls", text=f"{len(pictures)} pictures in {len(pictures)} calls",
            value=apart_s, unit="s", note=f"{len(alone)} calls measured, scaled up"),
        Row(key="calls_ratio", text="One call is faster by", value=apart_s / together.wall_s,
            unit="ratio"),
    ]  # fmt: skip


def scan(program: Sequence[str], paths: Sequence[Path], *options: str) -> Run:
    """One call of ``unmask scan``, checked to have looked at a face in every file.

    Raises:
        EnvironmentProblem: The call failed, or a file was not really analysed.
    """
    command = [*program, "scan", *map(str, paths), "--format", "ndjson", "-q", *options]
    done = run(command)
    try:
        lines = [msgspec.json.decode(line, type=_Line) for line in done.stdout.splitlines()]
    except msgspec.DecodeError as error:
        raise EnvironmentProblem(
            f"unmask scan printed something else than reports: {error}.",
            hint="Run 'unmask scan FILE --format ndjson' by hand.",
        ) from error
    looked = [line for line in lines if line.coverage.frames_with_faces > 0]
    if len(looked) != len(paths):
        raise EnvironmentProblem(
            f"unmask scan saw a face in {len(looked)} of {len(paths)} files made for the bench.",
            hint="A time without the work is no measurement; find out why no face was found.",
        )
    return done


def _help_row(program: Sequence[str]) -> Row:
    run([*program, "--help"])  # once unmeasured: the first call writes bytecode
    times = [run([*program, "--help"]).wall_s for _ in range(5)]
    return Row(
        key="help", text="`unmask --help`", value=statistics.median(times), unit="s",
        note=f"median of 5; slowest {max(times):.2f} s",
    )  # fmt: skip


def _film_rows(program: Sequence[str], path: Path, say: Say) -> list[Row]:
    scan(program, [path])  # once unmeasured: model and page caches
    few = [scan(program, [path]).wall_s for _ in range(3)]
    decodings, scans = [], []
    for turn in range(3):  # by turns, so that a slow minute of the machine meets both
        say(f"60 s film, all frames, {turn + 1} of 3")
        decodings.append(decode_alone(path))
        scans.append(scan(program, [path], "--frames", "all").wall_s)
    decode_s = statistics.median(one.wall_s for one in decodings)
    all_s = statistics.median(scans)
    return [
        Row(key="film_default", text="60 s 720p30 film, default 32 frames", unit="s",
            value=statistics.median(few), note="median of 3, start-up included"),
        Row(key="decode_alone", text="The same film, PyAV decoding to RGB alone", value=decode_s,
            unit="s", note=f"median of 3; {decodings[0].frames} frames; the loop, no start-up"),
        Row(key="film_all", text="The same film, `--frames all`", value=all_s, unit="s",
            note="median of 3, start-up included"),
        Row(key="all_over_decode", text="`--frames all` over decoding alone",
            value=all_s / decode_s, unit="ratio"),
    ]  # fmt: skip
