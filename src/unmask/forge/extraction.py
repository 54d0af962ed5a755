"""Films and pictures to sorted, aligned faces beside an alignments file.

A folder of an extraction holds ``faces/`` (crops, lossless, sorted by name as by time; further
people of a film in folders of their own), ``alignments.json``, ``audio/`` (mono, 16 kHz) and
``contact_sheet.jpg``. They are unaltered crops of what was given, so they carry no label.
"""

from __future__ import annotations

import hashlib
import json
import wave
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import InputError, NotFound, OutputRefused, UsageError
from unmask.forge.alignments import (
    AUDIO,
    FACES,
    FILE,
    VERSION,
    Alignments,
    FaceRecord,
    SourceRecord,
    inside,
    read_alignments,
    write_alignments,
)
from unmask.forge.cutting import (
    CutSettings,
    Placed,
    cut_faces,
    face_record,
    placed_faces,
    seen_frames,
)
from unmask.forge.following import Choice, people_at_once, shared_finder
from unmask.forge.journal import Finished, Journal, planned_files
from unmask.forge.sources import FaceSource, face_sources
from unmask.media import hash_file, open_media, write_picture
from unmask.media.audio import SPEECH_HZ, has_sound, read_audio
from unmask.media.encode import replacing
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.faces.finder import FaceFinder
    from unmask.media import Media
    from unmask.types import Floats, Image

JOURNAL = ".extraction.ndjson"
SHEET = "contact_sheet.jpg"
_SHEET_FACES, _SHEET_COLUMNS, _SHEET_PX = 60, 10, 96
_TURNED_DEG = 45.0

OnProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction left.

    Attributes:
        folder: Where.
        alignments: What was found.
        frames: Frames and pictures that were looked at.
        faceless: Of these, how many show no face.
        people: The largest number of faces seen at once.
        problems: One sentence for each file of a folder that could not be read.
        was_there: Whether the same extraction had been finished before.
    """

    folder: Path
    alignments: Alignments
    frames: int = 0
    faceless: int = 0
    people: int = 0
    problems: tuple[str, ...] = ()
    was_there: bool = False

    def notes(self) -> list[str]:
        """What a person should know before training on it."""
        faces = self.alignments.faces
        found = list(self.problems)
        if self.faceless:
            found.append(f"{self.faceless} of {self.frames} frames and pictures show no face.")
        if self.people > 1:
            found.append(
                f"Up to {self.people} people are seen at once: look whether {FACES}/ holds the "
                "right one, or choose with --face 1, 2, ..."
            )
        turned = sum(abs(face.yaw_deg) > _TURNED_DEG for face in faces)
        if turned:
            found.append(
                f"{turned} of {len(faces)} faces are turned by more than {_TURNED_DEG:.0f} degrees;"
                ' generators learn them badly. Leave them out with "use": false.'
            )
        if len(faces) < 50:
            found.append(f"{len(faces)} faces are few to train on; some hundreds are usual.")
        return found


def extract(
    paths: list[Path],
    folder: Path,
    *,
    settings: CutSettings | None = None,
    choice: Choice | None = None,
    fresh: bool = False,
    on_progress: OnProgress | None = None,
) -> Extraction:
    """Extract the faces of films and pictures into a folder; go on where a stop left off.

    Args:
        paths: Films, pictures, or folders of them.
        folder: Made if need be.
        settings: How faces are chosen and cut.
        choice: Which frames of films.
        fresh: Throw away what an earlier extraction left in the folder.
        on_progress: Called with the source's name, frames done and, where known, all frames.

    Raises:
        InputError: A named file cannot be read, or there is no face in anything.
        UsageError: The folder holds another extraction, and ``fresh`` was not asked for.
        OutputRefused: Something cannot be written; what was found is kept.
    """
    settings, choice = settings or CutSettings(), choice or Choice()
    sources = face_sources(paths)
    digest = _digest(sources, settings, choice)
    if fresh:
        _clear(folder)
    elif (folder / FILE).is_file():
        return _was_there(folder, digest)
    else:
        _remove(folder, planned_files(folder / JOURNAL, but_of=digest))
    try:
        (folder / FACES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputRefused(
            f"{folder} cannot be written: {error.strerror or error}.",
            hint="Choose another folder with -o.",
        ) from error
    with Journal(folder / JOURNAL, digest) as journal:
        if len(journal.finished) < len(sources):
            work = _Work(folder, settings, choice, shared_finder(), journal, on_progress)
            for number, source in enumerate(sources):
                if number not in journal.finished:
                    work.go_through(number, source)
        finished = [journal.finished[number] for number in range(len(sources))]
    return _conclude(folder, settings, digest, finished)


@dataclass(frozen=True, slots=True)
class _Work:
    folder: Path
    settings: CutSettings
    choice: Choice
    finder: FaceFinder
    journal: Journal
    on_progress: OnProgress | None

    def go_through(self, number: int, source: FaceSource) -> None:
        try:
            with open_media(source.path, limits=Limits(), sampling=self.choice.sampling) as media:
                finished = self._extract(number, source, media)
        except InputError as error:
            if source.named:
                raise
            problem = f"{source.name} was left out: {error.message}"
            finished = Finished(source=number, problem=problem)
        self.journal.add_finished(finished)

    def _extract(self, number: int, source: FaceSource, media: Media) -> Finished:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if self.on_progress is not None:
                self.on_progress(source.name, done, self.choice.count(media.info))

        frames = seen_frames(
            media,
            self.choice,
            self.finder,
            known=self.journal.seen.get(number),
            on_frame=advance,
            on_seen=lambda frame: self.journal.add_seen(number, frame),
        )
        faces = self._cut(source, media, placed_faces(frames, self.settings))
        return Finished(
            source=number,
            record=self._record(source, media),
            faces=faces,
            frames=len(frames),
            faceless=sum(not frame.faces for frame in frames),
            people=people_at_once(frames),
        )

    def _cut(
        self, source: FaceSource, media: Media, placed: dict[int, list[Placed]]
    ) -> list[FaceRecord]:
        if not placed:
            return []
        folders = self._folders(placed)
        is_film = media.info.kind != "image"

        def place_of(face: Placed) -> str:
            number = f"_{face.frame.number:06d}" if is_film else ""
            return f"{folders[face.track]}/{source.stem}{number}.png"

        self.journal.add_planned([place_of(face) for faces in placed.values() for face in faces])
        found = []
        for _, face, crop in cut_faces(media, self.choice, placed, self.settings.size_px):
            place = place_of(face)
            write_picture(self.folder / place, crop.image)
            found.append(face_record(place, source.name, face, crop.matrix))
        return found

    def _folders(self, placed: dict[int, list[Placed]]) -> dict[int, str]:
        """Folder of each track: the person seen most is at the top."""
        counts: dict[int, int] = {}
        for faces in placed.values():
            for face in faces:
                counts[face.track] = counts.get(face.track, 0) + 1
        folders = {}
        for rank, track in enumerate(sorted(counts, key=lambda one: (-counts[one], one)), 1):
            folders[track] = FACES if rank == 1 else f"{FACES}/person_{rank}"
            (self.folder / folders[track]).mkdir(exist_ok=True)
        return folders

    def _record(self, source: FaceSource, media: Media) -> SourceRecord:
        info = media.info
        is_film = info.kind != "image"
        audio = ""
        if is_film and info.has_audio and has_sound(source.path):
            audio = f"{AUDIO}/{source.stem}.wav"
            self.journal.add_planned([audio])
            (self.folder / AUDIO).mkdir(exist_ok=True)
            _write_wave(self.folder / audio, read_audio(source.path))
        return SourceRecord(
            name=source.name,
            sha256=info.sha256,
            kind="film" if is_film else "picture",
            frame_rate=(info.frame_rate or 0.0) if is_film else 0.0,
            width_px=info.width_px,
            height_px=info.height_px,
            audio=audio,
            person=source.person,
        )


def _digest(sources: list[FaceSource], settings: CutSettings, choice: Choice) -> str:
    inputs = [(source.name, source.person, hash_file(source.path)) for source in sources]
    facts = [VERSION, inputs, asdict(settings), asdict(choice)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _was_there(folder: Path, digest: str) -> Extraction:
    alignments = read_alignments(folder)
    if alignments.digest != digest:
        raise UsageError(
            f"{folder} holds an extraction of other films or with other settings.",
            hint="Choose another folder with -o, or throw that one away with --fresh.",
        )
    return Extraction(folder, alignments, was_there=True)


def _clear(folder: Path) -> None:
    """Take away what an extraction wrote, finished or not, and nothing that it did not."""
    written = planned_files(folder / JOURNAL)
    try:
        there = read_alignments(folder)
        written += [face.file for face in there.faces]
        written += [source.audio for source in there.sources if source.audio]
    except InputError:  # absent or damaged: what it named stays
        pass
    _remove(folder, [*written, FILE, JOURNAL, SHEET])


def _remove(folder: Path, names: list[str]) -> None:
    """Remove files of the folder, and the folders in it that this leaves empty."""
    emptied = {PurePosixPath(name).parent for name in names if inside(name)}
    try:
        for name in filter(inside, names):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputRefused(
            f"{folder} cannot be cleared: {error.strerror or error}.",
            hint="Choose another folder with -o.",
        ) from error
    for below in sorted(emptied - {PurePosixPath()}, reverse=True):
        with suppress(OSError):  # something else lies in it
            (folder / below).rmdir()


def _conclude(
    folder: Path, settings: CutSettings, digest: str, finished: list[Finished]
) -> Extraction:
    faces = [face for one in finished for face in one.faces]
    problems = tuple(one.problem for one in finished if one.problem)
    frames = sum(one.frames for one in finished)
    if not faces:
        (folder / JOURNAL).unlink(missing_ok=True)
        why = f" {problems[0]}" if problems else ""
        raise InputError(
            f"No face was found in {frames} frames and pictures.{why}",
            hint="Faces of at least 16 pixels that are not turned to full profile are found.",
        )
    alignments = Alignments(
        version=VERSION,
        size_px=settings.size_px,
        margin=settings.margin,
        one_region=settings.one_region,
        digest=digest,
        sources=[one.record for one in finished if one.record is not None],
        faces=faces,
    )
    _write_sheet(folder, faces)
    write_alignments(folder, alignments)
    (folder / JOURNAL).unlink(missing_ok=True)
    return Extraction(
        folder,
        alignments,
        frames=frames,
        faceless=sum(one.faceless for one in finished),
        people=max(one.people for one in finished),
        problems=problems,
    )


def _write_sheet(folder: Path, faces: list[FaceRecord]) -> None:
    """Faces spread over the whole extraction on one picture, to see at a glance what is wrong."""
    count = min(_SHEET_FACES, len(faces))
    chosen = [faces[int(at)] for at in np.linspace(0, len(faces) - 1, count).round()]
    columns = min(_SHEET_COLUMNS, count)
    rows = -(-count // columns)
    sheet = np.full((rows * _SHEET_PX, columns * _SHEET_PX, 3), 40, np.uint8)
    for number, face in enumerate(chosen):
        top, left = (side * _SHEET_PX for side in divmod(number, columns))
        sheet[top : top + _SHEET_PX, left : left + _SHEET_PX] = _small(folder / face.file)
    write_picture(folder / SHEET, sheet)


def _small(path: Path) -> Image:
    try:
        with open_media(path, limits=Limits()) as media:
            image = next(media.frames()).image
    except NotFound:  # taken away while an interrupted extraction lay still
        return np.full((_SHEET_PX, _SHEET_PX, 3), 40, np.uint8)
    side = (_SHEET_PX, _SHEET_PX)
    return np.asarray(cv2.resize(image, side, interpolation=cv2.INTER_AREA), np.uint8)


def _write_wave(path: Path, samples: Floats) -> None:
    with replacing(path) as beside, wave.open(str(beside), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SPEECH_HZ)
        sound.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
