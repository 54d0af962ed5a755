"""Look for our watermark in a whole file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unmask.media import Sampling, open_media
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.provenance.watermark import WatermarkReading

FRAMES = 16
"""Of a film, spread evenly."""


def watermark_in(path: Path, frames: int = FRAMES) -> WatermarkReading:
    """Look for our watermark in a picture, or in frames spread over a film.

    Args:
        path: A picture or film.
        frames: How many of a film.

    Raises:
        InputError: It cannot be read.
        ModelUnavailable: The bundled network is absent or was altered.
    """
    from unmask.provenance import watermark

    reader = watermark.FilmWatermarkReader()
    with open_media(path, limits=Limits(), sampling=Sampling(frames=frames)) as media:
        for frame in media.frames():
            if media.info.kind == "image":
                return watermark.read(frame.image)
            reader.add(frame.image)
    return reader.reading()
