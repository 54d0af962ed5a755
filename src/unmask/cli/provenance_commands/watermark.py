"""``unmask provenance watermark``: look for the mark, or label a synthetic file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unmask.cli.provenance_commands._options import FILE, echo_json, echo_rows, json_option
from unmask.errors import NotFound, UsageError

if TYPE_CHECKING:
    from unmask.provenance import ForgeryLabel
    from unmask.provenance.watermark import WatermarkReading

# Never the file's name: it may tell of people and cases, and would be signed.
_TITLE, _BEFORE = "A synthetic picture or film", "The file before it was labelled"


@click.command(short_help="Look for the invisible watermark, or label a synthetic file.")
@click.argument("file", type=FILE)
@click.option("--embed", is_flag=True,
              help="Write a copy with all labels of a synthetic file: visible mark, watermark, "
              "source type, content credentials. Needs -o and --method.")  # fmt: skip
@click.option("-o", "--output", type=FILE, metavar="FILE", help="With --embed: .jpg, .png, .mp4.")
@click.option("--method", metavar="NAME", help="With --embed: how it was made.")
@click.option("--whole", is_flag=True,
              help="With --embed: everything in it was generated.")  # fmt: skip
@click.option("--consent", metavar="TEXT",
              help="With --embed: who agreed to what; required unless --whole.")  # fmt: skip
@json_option
def command(file: Path, *, embed: bool, output: Path | None, method: str | None, whole: bool,
            consent: str | None, as_json: bool) -> None:  # fmt: skip
    """Look for the invisible watermark of Unmask in FILE.

    Where it is found, entries of the provenance log that name it are shown. That none is found is
    evidence of nothing.
    """
    if embed:
        if output is None or not method:
            raise UsageError(
                "--embed writes a labelled copy.", hint="Give -o FILE and --method NAME."
            )
        _label(file, output, method, whole=whole, consent=consent)
        click.echo(f"labelled {output}", err=True)
        return
    if output is not None or method or whole or consent:
        raise UsageError(
            "-o, --method, --whole and --consent go with --embed.", hint="Add --embed."
        )
    from unmask.provenance.marked_file import watermark_in

    reading = watermark_in(file)
    logged = _logged(reading)
    if as_json:
        echo_json({"found": reading.found, "bit_agreement": round(reading.bit_agreement, 4),
                   "payload": reading.payload.hex() if reading.payload else None,
                   "log10_false_alarm": math.ceil(100 * reading.log10_false_alarm) / 100,
                   "log": logged})  # fmt: skip
        return
    echo_rows(_rows(reading, logged))


def _rows(reading: WatermarkReading, logged: list[dict[str, Any]]) -> list[tuple[str, str]]:
    if not reading.found or reading.payload is None:
        return [("Watermark", "not found; that is evidence of nothing")]
    odds = f"10^{math.ceil(reading.log10_false_alarm)}"  # a bound is rounded upwards
    return [
        ("Watermark", "found: this file was made by Unmask, or from something that was"),
        ("Payload", reading.payload.hex()),
        ("Chance", f"at most {odds} that an unmarked picture looks like this"),
        *(("Log", f"{one['time']} {one['kind']} {one['sha256']} {one['note']}") for one in logged),
    ]


def _logged(reading: WatermarkReading) -> list[dict[str, Any]]:
    from unmask.provenance.log import Log

    if reading.payload is None:
        return []
    try:
        named = Log().find_watermark(reading.payload)
    except NotFound:
        return []
    return [one.entry._asdict() for one in named]


def _label(file: Path, output: Path, method: str, *, whole: bool, consent: str | None) -> None:
    from unmask.media import Sampling, open_media
    from unmask.provenance import check_label, write_labelled_film, write_labelled_picture
    from unmask.types import Limits

    label = _label_of(file, method, whole=whole, consent=consent)
    check_label(output, label)
    with open_media(file, limits=Limits(), sampling=Sampling(frames=None)) as media:
        if media.info.kind == "image":
            write_labelled_picture(output, next(iter(media.frames())).image, label)
            return
        rate = media.info.frame_rate
        if rate is None:
            raise UsageError(f"{file.name} does not say how fast it runs.", hint="Convert it.")
        frames = (frame.image for frame in media.frames())
        sound = file if media.info.has_audio else None
        write_labelled_film(output, frames, rate, label, audio_from=sound)


def _label_of(file: Path, method: str, *, whole: bool, consent: str | None) -> ForgeryLabel:
    from unmask.provenance import ForgeryLabel, Ingredient, iptc

    if not method.isascii() or not method.isprintable() or len(method) > 60:
        raise UsageError(
            "The method's name was to be up to 60 plain letters.", hint="Shorten --method."
        )
    return ForgeryLabel(
        title=_TITLE,
        method=method,
        digital_source_type=iptc.TRAINED if whole else iptc.COMPOSITE_WITH_TRAINED,
        ingredients=(Ingredient(file, "parentOf", _BEFORE),),
        consent=consent,
    )
