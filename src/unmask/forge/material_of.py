"""Reading what generators are trained on and used with: tracks of aligned faces, in memory.

>>> from pathlib import Path
>>> from unmask.forge.material_of import read_material
>>> tracks = read_material([Path("clip.mp4")], size_px=64, margin=1.5)  # doctest: +SKIP
>>> tracks[0].images.shape, tracks[0].landmarks.shape  # doctest: +SKIP
((75, 64, 64, 3), (75, 468, 2))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import CorruptMedia, InputError, UsageError
from unmask.forge.alignments import FILE, Alignments, FaceRecord, read_alignments, usable
from unmask.forge.cutting import CutSettings, cut_faces, placed_faces, seen_frames
from unmask.forge.following import Choice, shared_finder
from unmask.forge.sources import FaceSource, face_sources
from unmask.generators.material import FaceTrack
from unmask.media import open_media
from unmask.media.audio import has_sound, no_sound, read_audio
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.faces.finder import FaceFinder
    from unmask.types import Floats, Image

OnSource = Callable[[str], None]
OnLeftOut = Callable[[str, str], None]

AUDIBLE = "speaking_films"
"""Kind of material (``GeneratorSpec.material``) that is read with its sound."""
MOVING = "films"
"""Kind that is cut with one region a shot: the motion of the head is what is to be learned."""


def read_material(  # noqa: PLR0913 - how to cut, whom, and whom to tell
    paths: Iterable[Path],
    *,
    size_px: int,
    margin: float,
    one_region: bool = False,
    audio: bool = False,
    choice: Choice | None = None,
    which: str | int = "largest",
    on_source: OnSource | None = None,
    on_left_out: OnLeftOut | None = None,
) -> list[FaceTrack]:
    """Read aligned faces as tracks.

    Args:
        paths: Folders that ``unmask forge extract`` wrote, films, pictures, or folders of these.
            A picture is a track of one frame; its person is the folder it lies in, where that is
            below the folder given. A film of several shots is one track a person, or with
            ``one_region`` one a shot.
        size_px: Side of the crops; kept ones are resized.
        margin: Side of the crops over the longer side of the face hull.
        one_region: One square for all frames of a shot, so that the head moves in it.
        audio: Also read the sound; only tracks of films then make sense.
        choice: Which frames of films; extracted folders hold what they hold.
        which: Which people of films and pictures; see :class:`CutSettings`.
        on_source: Called with the name of each source before it is read.
        on_left_out: Called with the name of each file of a folder that gives nothing, and why;
            one that was named itself is an error instead.

    Returns:
        Tracks in the order of the paths, longer ones of one film first.

    Raises:
        InputError: Something cannot be read, has no face at all, or has no sound where sound is
            needed.
        UsageError: An extracted folder was cut in another way than is asked for.
    """
    tracks: list[FaceTrack] = []
    settings = CutSettings(size_px, margin, one_region, which)
    reader: _MediaReader | None = None
    paths = list(paths)
    for path in paths:
        if path.is_dir() and (path / FILE).is_file():
            if on_source is not None:
                on_source(path.name)
            tracks += _extracted(path, settings, audio=audio)
            continue
        if reader is None:
            reader = _MediaReader(
                shared_finder(), settings, choice or Choice(), audio, on_left_out or _unheard
            )
        for source in face_sources([path]):
            if on_source is not None:
                on_source(source.name)
            tracks += reader.tracks(source)
    if not tracks:
        raise InputError(
            f"No face was found in {_names(paths)}.",
            hint="Faces of at least 16 pixels, not turned to full profile, are found.",
        )
    return tracks


def _unheard(name: str, reason: str) -> None:
    """Nobody asked."""


def _names(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name or str(path) for path in paths[:3])
    return shown + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


@dataclass(frozen=True, slots=True)
class _MediaReader:
    """Reads films and pictures that were not extracted before."""

    finder: FaceFinder
    settings: CutSettings
    choice: Choice
    audio: bool
    on_left_out: OnLeftOut

    def tracks(self, source: FaceSource) -> list[FaceTrack]:
        try:
            made = self._read(source)
        except InputError as error:
            if source.named:
                raise
            # One file of a folder: what is in the others is still worth having.
            self.on_left_out(source.name, error.message)
            return []
        if not made:
            self.on_left_out(source.name, "No face was found.")
        return made

    def _read(self, source: FaceSource) -> list[FaceTrack]:
        sampling = self.choice.sampling
        with open_media(source.path, limits=Limits(), sampling=sampling) as media:
            rate = 0.0 if media.info.kind == "image" else media.info.frame_rate or 0.0
            frames = seen_frames(media, self.choice, self.finder)
            placed = placed_faces(frames, self.settings)
            pieces: dict[tuple[int, int], list[tuple[Image, Floats, float]]] = {}
            cut = cut_faces(media, self.choice, placed, self.settings.size_px)
            for _, face, crop in cut if placed else ():
                shot = face.frame.shot if self.settings.one_region else 0
                piece = crop.image, crop.points(face.landmarks), face.frame.pts_s
                pieces.setdefault((face.track, shot), []).append(piece)
        sound = self._sound(source) if rate and pieces else None
        several = len({track for track, _ in pieces}) > 1 and self.settings.which == "all"
        made = []
        ordered = sorted(pieces.items(), key=lambda item: (-len(item[1]), item[0]))
        for number, ((track, _), crops) in enumerate(ordered, 1):
            person = f"{source.name}#{track}" if several else source.name
            name = source.name if number == 1 else f"{source.name}#{number}"
            made.append(_track(name, crops, rate, sound, source.person or person))
        return made

    def _sound(self, source: FaceSource) -> Floats | None:
        if not self.audio:
            return None
        if not has_sound(source.path):
            raise no_sound(source.name)
        return read_audio(source.path)


def _track(
    name: str,
    pieces: Sequence[tuple[Image, Floats, float]],
    rate: float,
    sound: Floats | None,
    person: str,
) -> FaceTrack:
    images, landmarks, pts_s = zip(*pieces, strict=True)
    return FaceTrack(
        name=name,
        images=np.stack(images),
        landmarks=np.stack(landmarks).astype(np.float32),
        pts_s=np.asarray(pts_s, np.float64),
        frame_rate=rate,
        audio=sound,
        person=person,
    )


def _extracted(folder: Path, settings: CutSettings, *, audio: bool) -> list[FaceTrack]:
    """The tracks of a folder that ``unmask forge extract`` wrote."""
    alignments = read_alignments(folder)
    _check_fits(folder, alignments, settings)
    sources = {source.name: source for source in alignments.sources}
    groups: dict[tuple[str, int, int], list[FaceRecord]] = {}
    for record in usable(folder, alignments):
        shot = record.shot if settings.one_region else 0
        groups.setdefault((record.source, record.track, shot), []).append(record)
    tracks, counts = [], dict.fromkeys(sources, 0)
    for (name, track, _), records in groups.items():
        source = sources[name]
        counts[name] += 1
        pieces = [_kept(folder, alignments, record, settings) for record in records]
        sound = _kept_sound(folder, source.audio, name) if audio and source.frame_rate else None
        tracks.append(
            _track(
                name if counts[name] == 1 else f"{name}#{counts[name]}",
                pieces,
                source.frame_rate,
                sound,
                source.person or (name if track == 0 else f"{name}#{track}"),
            )
        )
    if not tracks:
        raise InputError(
            f"No face of {folder.name} is left to use.",
            hint=f'Put pictures back, or set "use": true in {FILE}.',
        )
    return tracks


def _check_fits(folder: Path, alignments: Alignments, settings: CutSettings) -> None:
    if alignments.one_region != settings.one_region:
        ways = "one region a shot", "a region that follows the head"
        here, wanted = ways if alignments.one_region else ways[::-1]
        flag = "without" if alignments.one_region else "with"
        raise UsageError(
            f"The faces in {folder.name} were cut with {here}; {wanted} is needed.",
            hint=f"Extract again {flag} --one-region into another folder, or give the film itself.",
        )
    if alignments.margin < settings.margin - 1e-3:
        raise UsageError(
            f"The faces in {folder.name} were cut with margin {alignments.margin:g}; "
            f"{settings.margin:g} is needed, and what lies beyond was not kept.",
            hint=f"Extract again with --margin {settings.margin:g}, or give the film itself.",
        )


def _kept(
    folder: Path, alignments: Alignments, record: FaceRecord, settings: CutSettings
) -> tuple[Image, Floats, float]:
    """One kept crop at the size and margin asked for."""
    path = folder / record.file
    with open_media(path, limits=Limits()) as media:
        image = next(media.frames()).image
    if image.shape[:2] != (alignments.size_px, alignments.size_px):
        raise CorruptMedia(
            f"{path} is {image.shape[1]} x {image.shape[0]} pixels; "
            f"{alignments.size_px} x {alignments.size_px} were expected.",
            hint="Put the picture back as it was, or delete it: it is left out then.",
        )
    # A smaller margin is the middle of a larger one, since regions are centred on the face.
    side = alignments.size_px * settings.margin / alignments.margin
    corner = (alignments.size_px - side) / 2
    scale = settings.size_px / side
    local = (record.local() - corner) * scale
    if abs(scale - 1) < 1e-6 and corner < 1e-3:
        return image, np.asarray(local, np.float32), record.pts_s
    return _resized(image, corner, scale, settings.size_px), np.asarray(local), record.pts_s


def _resized(image: Image, corner: float, scale: float, size_px: int) -> Image:
    """The square that begins ``corner`` pixels in, at another scale; points move alike."""
    shift = -corner * scale
    if scale < 1:  # a warp samples points; averaging first keeps it from aliasing
        side = max(1, round(image.shape[0] * scale))
        smaller = side / image.shape[0]
        image = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        # Resizing takes pixels for squares, the maps of regions take them for points.
        shift += 0.5 * scale / smaller - 0.5 * scale
        scale /= smaller
    matrix = np.array([[scale, 0, shift], [0, scale, shift]])
    warped = cv2.warpAffine(
        image, matrix, (size_px, size_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)


def _kept_sound(folder: Path, kept: str, name: str) -> Floats:
    if not kept:
        raise no_sound(name)
    return read_audio(folder / kept)
