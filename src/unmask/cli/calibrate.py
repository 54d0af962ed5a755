"""``unmask calibrate``: from a detector's scores to statements with a known error rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.train import DEFAULT_CACHE, bar_on_stderr
from unmask.errors import MissingExtra

if TYPE_CHECKING:
    from unmask.calibration import Calibration, Curve


@click.command(short_help="Fit scores to likelihood ratios on held-out faces.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")
@click.option("--weights", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="ONNX file made by 'unmask export'.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="JSON file to write.")  # fmt: skip
@click.option("--id", "name", help="Name of the calibration.  [default: that of the file]")
@click.option("--cache", type=click.Path(path_type=Path), default=DEFAULT_CACHE,
              show_default=True, metavar="DIR", help="Face cache of the recipe.")  # fmt: skip
@click.option("--false-alarms", type=click.FloatRange(0.0001, 0.5), default=0.01,
              show_default=True,
              help="Share of untouched faces of the worst set that may be called "
              "manipulated.")  # fmt: skip
@click.option("--misses", type=click.FloatRange(0.001, 0.5), default=0.10, show_default=True,
              help="Share of forgeries of the worst kind that may pass as "
              "unsuspicious.")  # fmt: skip
def command(
    recipe: Path,
    weights: Path,
    out: Path,
    *,
    name: str | None,
    cache: Path,
    false_alarms: float,
    misses: float,
) -> int:
    """Fit a calibration on the faces that RECIPE holds out of training.

    RECIPE names data sets, as those of the bundled detector do (recipes/base.toml). FILE may
    hold any network; none of the faces may have been in its training.

    Films are simulated from pictures: the file says what that means.
    """
    try:
        from unmask.train import calibrate as fitting
        from unmask.train import calibration_scores as scoring
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", f"Calibrating (it uses {error.name})") from error
    from unmask.detectors.choice import open_detector
    from unmask.detectors.weights_file import read_facts
    from unmask.train.facecache import FaceCache
    from unmask.train.prepare import split_rows
    from unmask.train.recipe import read_recipe

    plan = read_recipe(recipe)
    # Weights that say whose they are need no recipe of their own kind.
    named = None if read_facts(weights) is not None else plan.detector
    detector = open_detector(named, weights)
    faces = FaceCache(cache)
    _, rows = split_rows(faces, plan.data)
    samples = list(scoring.samples_of(faces, rows, plan.seed))
    scored = []
    for title, score in (("pictures", scoring.score_pictures), ("films", scoring.score_films)):
        with bar_on_stderr(f"scoring {title}", len(samples)) as (bar, task):

            def on_progress(done: int, bar: Any = bar, task: Any = task) -> None:
                bar.update(task, completed=done)

            scored.append(score(samples, detector, seed=plan.seed, on_progress=on_progress))
    calibration = fitting.calibrate(
        *scored,
        name=name or out.stem,
        detector=detector.spec.id,
        weights_sha256=detector.weights_sha256,
        rates=fitting.Rates(false_alarms, misses),
    )
    _write(calibration, out)
    _tell(calibration)
    click.echo(str(out))
    return 0


def _write(calibration: Calibration, out: Path) -> None:
    import msgspec

    from unmask.report import write_atomically

    text = msgspec.json.format(msgspec.json.encode(calibration), indent=1) + b"\n"
    write_atomically(out, text, make_folder=True)


def _tell(calibration: Calibration) -> None:
    for name, value in calibration.measured.items():
        click.echo(f"{name} {value}", err=True)
    for kind, curve in (("image", calibration.image), ("film", calibration.film)):
        click.echo(f"{kind}: {_words(curve)}", err=True)


def _words(curve: Curve) -> str:
    return (
        f"log10 LR = {curve.slope:.3f} x score {curve.intercept:+.3f}, within "
        f"[{curve.lower:.2f}, {curve.upper:.2f}]; supported from {curve.threshold_supported:.2f}, "
        f"nothing found up to {curve.threshold_none:.2f}"
    )
