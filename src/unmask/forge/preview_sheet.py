"""One frame, every way of blending it, side by side: what to choose before converting a film."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import InputError
from unmask.faces.alignment import align_region
from unmask.faces.masks import MASK_KINDS
from unmask.faces.mesh import Region
from unmask.forge.conversion_settings import ConvertSettings
from unmask.forge.cutting import CutSettings, placed_faces, seen_frames
from unmask.forge.following import Choice, shared_finder
from unmask.forge.labels import write_labelled_sheet
from unmask.forge.merging import BLENDS, COLOURS, LEARNED, MergeSettings, merge_face
from unmask.forge.paint_plan import PaintRequest, checked_plan
from unmask.forge.painters import studio_of
from unmask.generators.material import FaceTrack
from unmask.media import open_media
from unmask.provenance.labelled import PICTURES
from unmask.types import Frame, Limits

if TYPE_CHECKING:
    from unmask.forge.cutting import Placed
    from unmask.media import Media
    from unmask.types import Floats, Image

_CELL_PX = 176
_LETTER_PX = 13
_STRIP_PX = 20
_GROUND = 24
_ROOM = 1.15
# Smoothing looks at neighbours; a second on either side is more than it reaches.
_AROUND_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """One face of one frame, painted."""

    frame: Image
    face: Placed
    crop: Image
    painted: Image
    learned: Floats | None


def write_preview(
    path: Path,
    out: Path,
    request: PaintRequest,
    settings: ConvertSettings | None = None,
    *,
    frame: int = 0,
) -> None:
    """Write the sheet of one frame, with all labels.

    Rows are masks, columns are ways of matching colour times ways of blending. Edge widths and
    sharpening are those of ``settings.merge``. The first column shows the original, the crop that
    the generator saw, and what it painted.

    Args:
        path: Film or picture.
        out: ``.jpg`` or ``.png``.
        request: What paints.
        settings: How; consent is needed as for converting.
        frame: Number of the frame, from 0.

    Raises:
        ConsentMissing, UsageError, InputError, OutputRefused, LabelFailed: As for
            :func:`unmask.forge.converting.convert`.
    """
    settings = settings or ConvertSettings()
    plan, label = checked_plan(path, out, request, settings.consent, suffixes=PICTURES)
    studio = studio_of(plan)
    cut = CutSettings(studio.painter.size_px, studio.painter.margin, which=settings.which,
                      sigma_s=settings.sigma_s)  # fmt: skip
    with open_media(path, limits=Limits(), sampling=Choice().sampling) as media:
        image, face, pts_s = _wanted(media, path.name, cut, frame)
    crop = align_region(image, face.region, cut.size_px)
    track = FaceTrack(
        name=path.name,
        images=crop.image[None],
        landmarks=crop.points(face.landmarks)[None],
        pts_s=np.array([pts_s]),
    )
    made = studio.painter.paint(track)
    learned = None if made.masks is None else made.masks[0]
    sample = _Sample(image, face, crop.image, made.images[0], learned)
    sheet = _sheet(sample, settings.merge, cut.size_px)
    write_labelled_sheet(out, sheet, label, ground=_GROUND)


def _wanted(media: Media, name: str, cut: CutSettings, number: int) -> tuple[Image, Placed, float]:
    """The frame asked for and the face in it, smoothed as converting would."""
    # Counted, not reckoned from a rate: films from telephones change theirs.
    kept: Frame | None = next((frame for at, frame in Choice().of(media) if at == number), None)
    if kept is None:
        count = media.info.frame_count
        raise InputError(
            f"{name} has no frame {number}" + (f"; it has {count}." if count else "."),
            hint="Frames are counted from 0.",
        )
    around = Choice(start_s=max(0.0, kept.pts_s - _AROUND_S), end_s=kept.pts_s + _AROUND_S)
    seen = seen_frames(media, around, shared_finder())
    faces = placed_faces(seen, cut).get(number)
    if not faces:
        raise InputError(
            f"No such face was found in frame {number} of {name}.", hint="Give another --frame."
        )
    return kept.image, faces[0], kept.pts_s


def _sheet(sample: _Sample, merge: MergeSettings, crop_px: int) -> Image:
    masks = (*([LEARNED] if sample.learned is not None else []), *MASK_KINDS)
    ways = [(colour, blend) for colour in COLOURS for blend in BLENDS]
    beside = [("original", _close(sample.frame, sample.face.region)), ("crop", sample.crop),
              ("painted", sample.painted)]  # fmt: skip
    rows = []
    for number, mask in enumerate(masks):
        cells = [_cell(*beside[number]) if number < len(beside) else _cell("", None)]
        for colour, blend in ways:
            settings = replace(merge, mask=mask, colour=colour, blend=blend)
            patch = merge_face(
                sample.frame,
                sample.painted,
                sample.face.region,
                sample.face.landmarks,
                settings,
                crop_px=crop_px,
                learned=sample.learned,
            )
            whole = sample.frame if patch is None else patch.laid_on(sample.frame)
            cells.append(_cell(f"{mask} / {colour} / {blend}", _close(whole, sample.face.region)))
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def _close(frame: Image, region: Region) -> Image:
    wider = Region(region.centre, region.side_px * _ROOM, region.roll_rad)
    return align_region(frame, wider, _CELL_PX).image


def _cell(title: str, image: Image | None) -> Image:
    """A picture with its name above it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    canvas = Pillow.new("RGB", (_CELL_PX, _CELL_PX + _STRIP_PX), (_GROUND,) * 3)
    if image is not None:
        side = (_CELL_PX, _CELL_PX)
        quality = cv2.INTER_AREA if image.shape[0] > _CELL_PX else cv2.INTER_CUBIC
        fitted = np.asarray(cv2.resize(image, side, interpolation=quality), np.uint8)
        canvas.paste(Pillow.fromarray(fitted), (0, _STRIP_PX))
    font = ImageFont.load_default(_LETTER_PX)
    shown = title.replace("_", " ")
    while shown and font.getlength(shown) > _CELL_PX - 6:
        font = ImageFont.load_default(font.size - 1)  # type: ignore[union-attr]
    ImageDraw.Draw(canvas).text((3, _STRIP_PX / 2), shown, fill=(230, 230, 230), font=font,
                                anchor="lm")  # fmt: skip
    return np.asarray(canvas, np.uint8)
