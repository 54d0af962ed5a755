"""``unmask forge dataset``: forged faces for training and testing detectors, in shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli._errors import printable
from unmask.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from unmask.datasets.faces_of import Loss
    from unmask.forge.forged_data_set import Forged, Progress

_SOMETHING_LEFT_OUT = 3
_REASONS = 3


@click.command(short_help="Make a labelled data set of forged faces, in shards.")
@click.argument("methods", nargs=-1, required=True, metavar="METHOD...")
@click.option("--from", "faces", type=click.Path(path_type=Path), required=True, metavar="FACES",
              help="Real faces: shards of data prepare, a folder of forge extract, or films and "
              "pictures.")  # fmt: skip
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), required=True,
              metavar="DIR", help="Folder for the shards and their manifest.")  # fmt: skip
@click.option("--per-face", type=click.IntRange(1), default=1, show_default=True, metavar="N",
              help="Forgeries of each face by each method.")  # fmt: skip
@click.option("--clip-frames", type=click.IntRange(2), default=8, show_default=True, metavar="N",
              help="Frames of the clips that methods of films forge.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True,
              help="The same seed gives the same bytes.")  # fmt: skip
@click.option("--splits", metavar="NAME=SHARE,...",
              help="Splits for sources that have no official one.  "
              "[default: train=0.8,val=0.1,test=0.1]")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N sources.")
@click.option("--consent", metavar="TEXT",
              help="Who agreed to what; kept in the metadata beside the runs' own.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(  # noqa: PLR0913 - one parameter an option
    methods: tuple[str, ...],
    faces: Path,
    folder: Path,
    *,
    per_face: int,
    clip_frames: int,
    seed: int,
    splits: str | None,
    limit: int | None,
    consent: str | None,
    quiet: bool,
) -> int:
    """Forge the real faces of FACES by each METHOD: an id of a forgery, or a generator's run.

    Real and forged faces share source and split; masks and methods are stored beside them. The
    label is in the manifest and not in the pixels, and every shard says that it is synthetic.
    After a stop or a kill the same call goes on. What could not be forged, or gave no face to
    forge, is listed in left_out.csv with its reason and makes the exit code 3.
    """
    try:
        from unmask.forge.face_forgers import forgers_of
        from unmask.forge.forged_data_set import SPLITS, ForgingPlan, forge_data_set
        from unmask.forge.target_faces import open_faces
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", f"Forging (it uses {error.name})") from error
    shares = _shares(splits) if splits else dict(SPLITS)
    plan = ForgingPlan(per_face, seed, shares, limit or 0, (consent or "").strip())
    forgers = forgers_of(methods, clip_frames)
    store = open_faces(faces)
    with _bar(quiet=quiet) as on_progress:
        made = forge_data_set(store, forgers, folder, plan, on_progress=on_progress)
    click.echo(_summary(made), err=True)
    click.echo(str(folder))
    return _SOMETHING_LEFT_OUT if made.losses else 0


def _shares(text: str) -> dict[str, float]:
    """Shares by split.

    Raises:
        UsageError: The text has another form.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = (one.strip() for one in part.partition("="))
        try:
            shares[name] = float(share)
        except ValueError:
            equals = ""
        if not (name and equals):
            raise UsageError(
                f"--splits {text!r} is not of the form NAME=SHARE,NAME=SHARE.",
                hint="For example: --splits train=0.8,val=0.1,test=0.1",
            )
    return shares


def _summary(made: Forged) -> str:
    counts = ", ".join(f"{count:,} {method}" for method, count in made.by_method.items())
    parts = [f"{made.faces:,} faces of {made.sources:,} sources: {counts}."]
    if made.losses:
        parts.append(f"{len(made.losses):,} losses ({_reasons(made.losses)}); see left_out.csv.")
    if not made.shards_made:
        parts.append("Everything was there already.")
    return printable(" ".join(parts))


def _reasons(losses: Sequence[Loss]) -> str:
    """The commonest reasons, each with its number and its first words."""
    first = {loss.code: loss.reason for loss in reversed(losses)}
    counted = Counter(loss.code for loss in losses).most_common()
    told = [f"{count:,} {code}: {first[code].rstrip('.')}" for code, count in counted[:_REASONS]]
    more = len(counted) - _REASONS
    return "; ".join([*told, *([f"{more} other reasons"] if more > 0 else [])])


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    if quiet:
        yield lambda _: None
        return
    from unmask.cli.train import bar_on_stderr

    with bar_on_stderr("forging", 1) as (bar, task):

        def on_progress(now: Progress) -> None:
            note = f"{now.faces:,} faces"
            bar.update(task, completed=now.sources, total=now.total, note=note)

        yield on_progress
