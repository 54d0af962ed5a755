"""Declare the origin of a file of one's own, real or synthetic, and sign it.

A file that is known to be synthetic (by credentials that hold, or by our watermark) is not signed
as anything else: that would be a false label with our own pen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unmask.errors import UsageError
from unmask.media import Sampling, hash_file, open_media
from unmask.provenance import iptc
from unmask.provenance.credential_state import CredentialStatus
from unmask.provenance.credentials import Ingredient, read, sign
from unmask.provenance.log import Log
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.provenance.watermark import WatermarkReading

_FRAMES = 16


def declare_own_file(source: Path, destination: Path, source_type: str, title: str) -> None:
    """Write a copy of a file with signed credentials; its own become part of the history.

    Args:
        source: In a format that can carry credentials.
        destination: Where the signed copy goes; may be ``source``.
        source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        title: What people are shown.

    Raises:
        UsageError: The file is known to be synthetic, and something else was to be declared.
        UnsupportedMedia: The format cannot carry credentials.
        InputError: The file cannot be read.
        LabelFailed: It could not be signed; nothing was written.
        OutputRefused: The destination cannot be written.
        LogUnusable: It was signed, but could not be recorded; nothing was written.
        MissingExtra: The packages for signing are not installed.
    """
    state = read(source)
    if source_type not in iptc.SYNTHETIC:
        _refuse_whitewash(source, declared=state.declares_synthesis)
    again = state.status is not CredentialStatus.ABSENT
    sign(
        source,
        destination,
        title=title,
        action="c2pa.published" if again else "c2pa.created",
        digital_source_type=source_type,
        ingredients=[Ingredient(source, "parentOf", title)] if again else [],
        record=lambda signed: Log().append("signed", hash_file(signed), iptc.term(source_type)),
    )


def watermark_in(path: Path) -> WatermarkReading:
    """Look for our watermark in a picture, or in frames spread over a film.

    Raises:
        InputError: It cannot be read.
        ModelUnavailable: The bundled network is absent or was altered.
    """
    from unmask.provenance import watermark

    reader = watermark.FilmWatermarkReader()
    with open_media(path, limits=Limits(), sampling=Sampling(frames=_FRAMES)) as media:
        for frame in media.frames():
            if media.info.kind == "image":
                return watermark.read(frame.image)
            reader.add(frame.image)
    return reader.reading()


def _refuse_whitewash(source: Path, *, declared: bool) -> None:
    if declared or watermark_in(source).found:
        known = "its content credentials declare it" if declared else "its watermark says so"
        raise UsageError(
            f"{source.name} is synthetic ({known}); it is not signed as anything else.",
            hint="Give the --source-type that is true, such as trainedAlgorithmicMedia.",
        )
