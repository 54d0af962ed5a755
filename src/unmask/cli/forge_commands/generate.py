"""``unmask forge generate``: whole faces that belong to nobody, labelled as created."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from unmask.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from unmask.generators.uses import FaceMaker
    from unmask.provenance import ForgeryLabel

    Pixels = NDArray[np.uint8]

_MOST = 1024


class Edit(click.ParamType):  # type: ignore[type-arg]
    """``DIRECTION:AMOUNT``."""

    name = "edit"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Read the option: name of a direction, and how far to go along it."""
        if isinstance(value, tuple):
            return value
        name, _, amount = str(value).partition(":")
        try:
            found = float(amount)
        except ValueError:
            found = math.nan
        if not name or not math.isfinite(found):
            self.fail(f"{value!r} is not DIRECTION:AMOUNT, such as smile:2.", param, ctx)
        return name, found


@click.command(short_help="Make faces that belong to nobody, labelled.")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              metavar="OUT.png", help="Sheet of faces; .png or .jpg.")  # fmt: skip
@click.option("--count", type=click.IntRange(1, _MOST), default=16, show_default=True, metavar="N",
              help="How many faces.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True,
              help="The same seed gives the same faces.")  # fmt: skip
@click.option("--truncation", type=click.FloatRange(0, 2), default=0.7, show_default=True,
              help="1: as learned; towards 0: nearer to the average face.")  # fmt: skip
@click.option("--edit", "edits", type=Edit(), multiple=True, metavar="DIRECTION:AMOUNT",
              help="Move all faces along a direction of a style GAN (smile:2, component_1:-1.5), "
              "in standard deviations; may be repeated.")  # fmt: skip
@click.option("--separate", is_flag=True, help="A file a face: OUT-001.png, OUT-002.png, ...")
def command(
    run: Path,
    output: Path,
    *,
    count: int,
    seed: int,
    truncation: float,
    edits: tuple[tuple[str, float], ...],
    separate: bool,
) -> int:
    """Make whole faces with the generator that RUN trained.

    They belong to nobody, and say so: each file carries the visible mark, the watermark, the
    source type and content credentials of a wholly generated picture, or is not written.
    """
    try:
        from unmask.forge.labels import label_of_run
        from unmask.forge.run_record import read_record
        from unmask.forge.training import load_generator
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", f"Generating (it uses {error.name})") from error
    from unmask.forge.conversion_settings import check_names
    from unmask.provenance import check_label

    check_names(output, run)
    record = read_record(run)
    _check_makes_faces(record.method)
    facts = {"truncation": truncation, **{f"edit_{name}": amount for name, amount in edits}}
    label = label_of_run(record, f"{count} faces, seed {seed}")
    label = label._replace(seed=seed, facts={**(label.facts or {}), **facts})
    check_label(output, label)
    maker = cast("FaceMaker", load_generator(run)[0])
    faces = _made(maker, count, seed, truncation, dict(edits))
    for path in _written(output, faces, label, separate=separate):
        click.echo(str(path))
    return 0


def _check_makes_faces(method: str) -> None:
    """Refuse a run of another use.

    Raises:
        UsageError: Its generator does something else.
    """
    from unmask.generators.base import GENERATORS
    from unmask.generators.uses import FaceMaker

    generator = GENERATORS.get(method)
    if issubclass(generator, FaceMaker):
        return
    makers = ", ".join(cls.spec.id for cls in GENERATORS if issubclass(cls, FaceMaker))
    raise UsageError(
        f"The run holds {generator.spec.title}, which makes no whole faces.",
        hint=f"Give a run of {makers}; for films there is: unmask forge convert",
    )


def _made(
    maker: FaceMaker, count: int, seed: int, truncation: float, edits: dict[str, float]
) -> Pixels:
    """Faces, edited where asked for.

    Raises:
        UsageError: Edits are asked of a generator that has no directions.
    """
    from unmask.generators.style_gan import StyleGan

    if not edits:
        return maker.sample(count, seed=seed, truncation=truncation)
    if not isinstance(maker, StyleGan):
        raise UsageError(
            f"{maker.spec.title} has no directions to edit along.",
            hint="Leave --edit out, or give a run of style_gan.",
        )
    from unmask.cli.scan import download_bar
    from unmask.faces import assets

    with download_bar(quiet=False) as progress:  # the face mesh measures what a direction changes
        assets.ensure(progress=progress)
    return maker.edit(count, seed=seed, truncation=truncation, edits=edits)


def _written(output: Path, faces: Pixels, label: ForgeryLabel, *, separate: bool) -> Sequence[Path]:
    from unmask.forge.labels import write_labelled_sheet
    from unmask.generators.preview_rows import in_rows
    from unmask.provenance import write_labelled_picture

    if not separate:
        columns = math.ceil(math.sqrt(len(faces)))  # about as many as rows
        write_labelled_sheet(output, in_rows(faces, columns), label)
        return [output]
    paths = [output.with_stem(f"{output.stem}-{number:03}") for number in range(1, len(faces) + 1)]
    for number, (path, face) in enumerate(zip(paths, faces, strict=True), 1):
        facts = {**(label.facts or {}), "face": number}
        write_labelled_picture(path, face, label._replace(facts=facts))
    return paths
