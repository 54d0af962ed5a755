"""``unmask forge eval``: what a generator reaches, or what a forged film kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli._errors import printable
from unmask.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unmask.forge.evaluation import Evaluated

_PATH = click.Path(path_type=Path)


@click.command(short_help="Measure a generator, or a forged film against its original.")
@click.argument("run", type=_PATH, required=False, metavar="[RUN]")
@click.option("--faces", type=_PATH, multiple=True, metavar="PATH",
              help="Faces to measure on: films, pictures, or a folder of forge extract; of the "
              "first person where there are two.")  # fmt: skip
@click.option("--other", type=_PATH, multiple=True, metavar="PATH",
              help="Faces of the second person, or the identity to show.")  # fmt: skip
@click.option("--original", type=_PATH, metavar="FILM", help="A film, with --forged.")
@click.option("--forged", type=_PATH, metavar="FILM", help="What was made of it.")
@click.option("--sync", type=_PATH, metavar="RUN",
              help="Run of a sync expert: also measure the forged film's lips.")  # fmt: skip
@click.option("--frames", type=click.IntRange(3), default=50, show_default=True, metavar="N",
              help="At most N frames of a film, from its start.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is sampled.")
@click.option("-o", "--output", "folder", type=_PATH, metavar="DIR",
              help="Write evaluation.json, .csv and .md there.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(  # noqa: PLR0913 - one parameter an option
    run: Path | None,
    faces: tuple[Path, ...],
    other: tuple[Path, ...],
    *,
    original: Path | None,
    forged: Path | None,
    sync: Path | None,
    frames: int,
    seed: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measure the generator of RUN on faces, or the film --forged against --original.

    Measured by what the generator is for: SSIM, PSNR and L1 of what it should give back, landmark
    and pose error, likeness, AKD and AED, sync, Frechet distance on features of the bundled
    detector, and flicker. Each number is named for what it is; intervals are drawn over films,
    pictures, or seconds of one film.
    """
    film = original is not None or forged is not None
    if film and (original is None or forged is None or run is not None):
        raise UsageError(
            "--original and --forged belong together, without a RUN.",
            hint="Give both films, or a run with --faces.",
        )
    if not film and (run is None or not faces):
        raise UsageError(
            "Neither a run with faces nor a pair of films came.",
            hint="Give RUN with --faces, or --original with --forged.",
        )
    try:
        from unmask.forge.evaluation import evaluate_run
        from unmask.forge.film_evaluation import evaluate_film
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", f"Measuring (it uses {error.name})") from error
    if original is not None and forged is not None:
        found = evaluate_film(original, forged, sync_run=sync, most_frames=frames)
    elif run is not None:
        found = evaluate_run(run, faces, other, seed=seed, most_frames=frames)
    _tell(found, folder, as_json=as_json)


def _tell(found: Evaluated, folder: Path | None, *, as_json: bool) -> None:
    from unmask.bench.comparison.score_files import as_csv
    from unmask.forge.measures import as_markdown, flat
    from unmask.report import write_atomically

    text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
    facts = "".join(f"- {name}: {value}\n" for name, value in found.facts.items() if value)
    page = f"# {found.title}\n\n{facts}\n{as_markdown(found.measures)}"
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (("json", text + "\n"), ("csv", as_csv(flat(found.measures))),
                              ("md", page)):  # fmt: skip
            write_atomically(folder / f"evaluation.{name}", content.encode())
    for line in (text if as_json else page).splitlines():
        click.echo(printable(line))
    if folder is not None:
        click.echo(f"Written to {folder}", err=True)
