"""Measure the invisible watermark and write the page of what it outlives.

    python -m unmask.bench.watermark --data DIR --page docs/training/watermark-measured.md

``DIR`` holds ``dfdc_faces/train/real``, ``portraits/man_unsplash`` and ``clips/real``, of which
nothing was trained on. Beside the page goes a table of every number (``.csv``).
"""

from __future__ import annotations

import argparse
import csv
import io
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.bench import watermark_rivals
from unmask.bench.watermark_measure import (
    ATTACKS,
    FILM_CRF,
    MARGIN_ATTACKS,
    FilmOutlived,
    Outlived,
    embedding_time_s,
    film_outlived,
    margins,
    outlived,
    read_picture,
    unmarked_bounds,
)
from unmask.errors import InputError, NotFound
from unmask.media import Sampling, open_media
from unmask.provenance import watermark
from unmask.report.write import write_atomically
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.types import Image

_SEED = 20
_PICTURES, _RIVAL_PICTURES, _FILM_FRAMES = 100, 20, 8
_MARGIN_PICTURES = 8
_UNMARKED, _VERSIONS, _CHUNK = 10_000, 2, 125
SMALL_FACES, FACES = "faces, 128 px", "faces, 224 px"
PORTRAITS, FRAMES = "portraits, 256 to 320 px", "film frames, 256 to 1280 px"
GROUPS = (SMALL_FACES, FACES, PORTRAITS, FRAMES)
_GOALS = {
    "nothing": 0.99,
    "JPEG 50": 0.95,
    "x0.5": 0.95,
    "x0.5 and back": 0.95,
    "20 % cut away": 0.95,
    "x264 CRF 28": 0.95,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything on the page."""

    pictures: list[Outlived]
    margins: dict[str, list[float]]
    films: list[FilmOutlived]
    unmarked: list[float]
    embed_s: dict[str, float]


def measure(data: Path, *, pictures: int, unmarked: int, films: int | None, jobs: int) -> Measured:
    """Measure all of it.

    Args:
        data: The study data.
        pictures: How many of each group.
        unmarked: Readings of pictures without a mark.
        films: How many films; None for all.
        jobs: Processes that share the work.

    Raises:
        NotFound: Some of the data are absent.
    """
    sources = Sources(data)
    paths = sources.unmarked()[: -(-unmarked // _VERSIONS)]
    parts = [paths[at : at + _CHUNK] for at in range(0, len(paths), _CHUNK)]
    results: list[Outlived] = []
    bounds: list[float] = []
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        groups = pool.map(_group_results, GROUPS, repeat(data), repeat(pictures))
        margin = pool.submit(_margin_results, data)
        film_results = pool.map(_film_result, sources.films[:films], count())
        unmarked_bounds_ = pool.map(_bounds_of, parts, count())
        for group in groups:
            results += group
        whole_films = list(film_results)
        for part in unmarked_bounds_:
            bounds += part
            print(f"{len(bounds)} unmarked, least {min(bounds):.2f}", flush=True)
    sizes = {"1280x720": (1280, 720), "1920x1080": (1920, 1080), "3840x2160": (3840, 2160)}
    times = {name: embedding_time_s(size) for name, size in sizes.items()}
    return Measured(results, margin.result(), whole_films, bounds[:unmarked], times)


def _group_results(name: str, data: Path, pictures: int) -> list[Outlived]:
    """Ours on all pictures of a group, the others on some of them."""
    cv2.setNumThreads(1)
    images = list(Sources(data).group(name, pictures))
    results = [outlived(watermark_rivals.ours(), name, images, _SEED)]
    _say(results[-1])
    few = images[:: max(len(images) // _RIVAL_PICTURES, 1)][:_RIVAL_PICTURES]
    for rival in (watermark_rivals.untrained(), *watermark_rivals.published()):
        results.append(outlived(rival, name, few, _SEED))
        _say(results[-1])
    return results


def _margin_results(data: Path) -> dict[str, list[float]]:
    cv2.setNumThreads(1)
    images = [one for name in GROUPS for one in Sources(data).group(name, _MARGIN_PICTURES)]
    schemes = (watermark_rivals.ours(), watermark_rivals.untrained())
    return margins(schemes, images, _SEED)


def _film_result(path: Path, seed: int) -> FilmOutlived:
    cv2.setNumThreads(1)
    frames = list(islice(film_frames(path, None), _FILM_FRAMES))
    result = film_outlived(path.name, frames, np.random.default_rng(seed).bytes(4))
    print(result, flush=True)
    return result


def _bounds_of(paths: Sequence[Path], seed: int) -> list[float]:
    cv2.setNumThreads(1)
    return list(unmarked_bounds(paths, _VERSIONS, seed))


class Sources:
    """The pictures and films that are measured on.

    Raises:
        NotFound: A folder of them is absent.
    """

    def __init__(self, data: Path) -> None:
        self.faces = _files(data / "dfdc_faces" / "train" / "real")
        self.portraits = _files(data / "portraits" / "man_unsplash")
        self.others = _files(data / "portraits" / "celeba")
        self.films = _files(data / "clips" / "real")

    def group(self, name: str, wanted: int) -> Iterator[Image]:
        """Pictures of one of ``GROUPS``."""
        step = max(len(self.faces) // (2 * wanted), 1)
        if name == SMALL_FACES:
            return (_square(read_picture(path), 128) for path in self.faces[::step][0::2][:wanted])
        if name == FACES:
            return (read_picture(path) for path in self.faces[::step][1::2][:wanted])
        if name == PORTRAITS:
            portraits = (read_picture(path) for path in self.portraits)
            return islice((one for one in portraits if min(one.shape[:2]) >= 256), wanted)
        each = -(-wanted // len(self.films))
        return islice((one for path in self.films for one in film_frames(path, each)), wanted)

    def unmarked(self) -> list[Path]:
        """Picture files that carry no mark, in an order of chance."""
        paths = [*self.faces, *self.portraits, *self.others]
        return [paths[place] for place in np.random.default_rng(_SEED).permutation(len(paths))]


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*") if path.is_file())
    if not found:
        raise NotFound(
            f"There are no files in {folder}.", hint="Give the folder of the study data."
        )
    return found


def _square(image: Image, side: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def film_frames(path: Path, count: int | None) -> Iterator[Image]:
    """Frames of a film: ``count`` spread over it, or all in turn."""
    try:
        with open_media(path, limits=Limits(), sampling=Sampling(count)) as media:
            for frame in media.frames():
                yield frame.image
    except InputError as error:
        print(f"{path.name}: {error.message}", flush=True)


def _say(result: Outlived) -> None:
    shares = ", ".join(f"{name} {np.mean(r):.3f}" for name, r in result.right.items() if r)
    print(f"{result.scheme}, {result.group}: {shares}", flush=True)


def rows(measured: Measured) -> list[dict[str, str]]:
    """Every number, long form."""
    table: list[tuple[str, str, str, int | str, int]] = []
    for result in measured.pictures:
        for name, right in result.right.items():
            table.append((result.scheme, result.group, name, sum(right), len(right)))
    for film in measured.films:
        for name, value in (
            ("single frames", film.frames),
            ("film", float(film.film)),
            ("film, halved", float(film.halved)),
            ("psnr_db", film.psnr_db),
            ("unmarked, log10", film.unmarked),
        ):
            table.append(("ours", film.name, name, f"{value:.3f}", 1))
    keys = ("scheme", "on", "after", "right_or_value", "of")
    return [dict(zip(keys, map(str, row), strict=True)) for row in table]


def page(measured: Measured) -> str:
    """The page as Markdown."""
    parts = [
        "# The invisible watermark, measured\n",
        "Written by `python -m unmask.bench.watermark`; do not edit, measure again. No picture "
        "here was trained on. A payload counts as recovered when all of its 32 bits are right.\n",
        *_goal_lines(measured),
        "\n## Pictures\n",
    ]
    groups = list(dict.fromkeys(result.group for result in measured.pictures))
    for group in groups:
        parts += _group_lines([r for r in measured.pictures if r.group == group])
    parts += _margin_lines(measured.margins)
    parts += _film_lines(measured.films)
    parts += _unmarked_lines(measured.unmarked)
    parts += ["\n## Speed\n", "| frame | processor time for embedding |", "|---|---|"]
    parts += [f"| {size} | {1000 * s:.0f} ms |" for size, s in measured.embed_s.items()]
    return "\n".join(parts) + "\n"


def _goal_lines(measured: Measured) -> list[str]:
    ours = [r for r in measured.pictures if r.scheme == "ours"]
    lines = ["| goal | measured | reached |", "|---|---|---|"]
    for name, goal in _GOALS.items():
        right = [one for result in ours for one in result.right[name]]
        label = "clean" if name == "nothing" else f"after {name}"
        lines.append(
            f"| at least {goal:.0%} of payloads, {label} | {_share(right)} "
            f"| {_yes(np.mean(right) >= goal)} |"
        )
    psnr = [value for result in ours for value in result.psnr_db]
    found = sum(bound <= watermark.LOG10_FALSE_ALARM for bound in measured.unmarked)
    unmarked, least = len(measured.unmarked), min(measured.unmarked, default=0.0)
    frame_s = measured.embed_s["1280x720"]
    lines += [
        f"| PSNR at least 38 dB | {min(psnr):.1f} to {max(psnr):.1f} dB, mean {np.mean(psnr):.1f} "
        f"| {_yes(min(psnr) >= 38)} |",
        f"| no false detection in 10,000 unmarked pictures | {found} in {unmarked:,}, "
        f"lowest bound 10^{least:.1f} | {_yes(found == 0 and unmarked >= 10_000)} |",
        f"| a 720p frame in less than 50 ms | {1000 * frame_s:.0f} ms of processor time "
        f"| {_yes(frame_s < 0.05)} |",
    ]
    return lines


def _group_lines(results: Sequence[Outlived]) -> list[str]:
    lines = [f"\n### {results[0].group[0].upper()}{results[0].group[1:]}\n"]
    lines.append("| after | " + " | ".join(r.scheme for r in results) + " |")
    lines.append("|---" * (len(results) + 1) + "|")
    lines += [
        f"| {name} | " + " | ".join(_share(r.right[name]) for r in results) + " |"
        for name in ATTACKS
    ]
    psnr = (f"{np.mean(r.psnr_db):.1f} dB" if r.psnr_db else "-" for r in results)
    times = (_time(r) for r in results)
    lines.append("| mean PSNR | " + " | ".join(psnr) + " |")
    lines.append("| embedding, median processor time | " + " | ".join(times) + " |")
    wrong = sum(r.wrong for r in results if r.scheme == "ours")
    lines.append(f"\nWrong payloads given out by ours: {wrong}.")
    return lines


def _margin_lines(medians: dict[str, list[float]]) -> list[str]:
    return [
        "\n### How far from the threshold\n",
        f"Median of the false-alarm bound as a power of ten, over {_MARGIN_PICTURES} pictures of "
        f"each group; found is {watermark.LOG10_FALSE_ALARM:.0f} and below.\n",
        "| after | " + " | ".join(medians) + " |",
        "|---" * (len(medians) + 1) + "|",
        *(
            f"| {name} | " + " | ".join(f"{values[at]:.0f}" for values in medians.values()) + " |"
            for at, name in enumerate(MARGIN_ATTACKS)
        ),
    ]


def _film_lines(films: Sequence[FilmOutlived]) -> list[str]:
    if not films:
        return []
    singly = np.mean([film.frames for film in films])
    least = min(film.unmarked for film in films)
    return [
        f"\n## Films\n\nThe first {_FILM_FRAMES} frames of each of {len(films)} films, marked, "
        f"then through x264 at CRF {FILM_CRF} (preset medium, with prediction between frames).\n",
        "| | |",
        "|---|---|",
        f"| Payload from a single frame, mean over films | {singly:.1%} |",
        f"| Payload from all frames together | {_share([f.film for f in films])} |",
        f"| The same, halved in size before coding | {_share([f.halved for f in films])} |",
        f"| Mean PSNR before coding | {np.mean([f.psnr_db for f in films]):.1f} dB |",
        f"| Lowest false-alarm bound of the unmarked films | 10^{least:.1f} |",
    ]


def _unmarked_lines(bounds: Sequence[float]) -> list[str]:
    lines = [
        "\n## Where nothing is\n",
        f"{len(bounds):,} readings of pictures without a mark, half of them as they are, half "
        "cut, resized, mirrored or not, and coded at random. The bound may not promise less than "
        "what happens: a share of at most 10^-k may come to 10^-k.\n",
        "| bound | promised: at most | observed |",
        "|---|---|---|",
    ]
    for power in (1, 2, 3, 7):
        seen = sum(bound <= -power for bound in bounds)
        lines.append(f"| 10^-{power} | {len(bounds) * 10.0**-power:g} | {seen} |")
    return lines


def _time(result: Outlived) -> str:
    # The untrained one asks ours how strong it may be, so its time says nothing.
    if not result.embed_s or result.scheme == watermark_rivals.UNTRAINED:
        return "-"
    return f"{1000 * np.median(result.embed_s):.0f} ms"


def _share(right: Sequence[bool]) -> str:
    return f"{np.mean(right):.1%} of {len(right)}" if right else "-"


def _yes(reached: bool | np.bool_) -> str:
    return "yes" if reached else "**no**"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure from the command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m unmask.bench.watermark")
    parser.add_argument("--data", type=Path, required=True, help="folder of the study data")
    parser.add_argument("--page", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--pictures", type=int, default=_PICTURES, help="of each group")
    parser.add_argument("--unmarked", type=int, default=_UNMARKED, help="readings without a mark")
    parser.add_argument("--jobs", type=int, default=4, help="processes")
    parser.add_argument("--films", type=int, default=None, help="how many; default all")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    measured = measure(
        given.data,
        pictures=given.pictures,
        unmarked=given.unmarked,
        films=given.films,
        jobs=given.jobs,
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, rows(measured)[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(measured))
    write_atomically(given.page, page(measured).encode())
    write_atomically(given.page.with_suffix(".csv"), text.getvalue().encode())


if __name__ == "__main__":
    main()
