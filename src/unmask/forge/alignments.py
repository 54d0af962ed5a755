"""The alignments file: where every face was found, to be inspected and mended by hand.

``alignments.json`` lies beside the faces of one extraction, one face a line. A face is left out
when its line says ``"use": false`` or its picture was deleted; a face moved to another folder by
mistake is missed, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from unmask.errors import CorruptMedia, NotFound
from unmask.report import write_atomically

if TYPE_CHECKING:
    from unmask.types import Face, Floats

VERSION = 1
FILE = "alignments.json"
FACES = "faces"
AUDIO = "audio"
_POINTS = 468

Point = tuple[float, float]
Row = tuple[float, float, float]
Count = Annotated[int, Meta(ge=0)]


class SourceRecord(Struct, frozen=True, kw_only=True):
    """A film or picture in which faces were looked for.

    Attributes:
        name: Unique in the file; the file's own name, or its path below the folder given.
        sha256: Of its bytes.
        kind: ``film`` or ``picture``.
        frame_rate: Frames a second; 0 for a picture.
        width_px: Of its frames.
        height_px: Of its frames.
        audio: Where its sound lies below the folder; empty where there is none.
        person: Whose face, where the folder that it lay in says so.
    """

    name: str
    sha256: str
    kind: str
    frame_rate: Annotated[float, Meta(ge=0)] = 0.0
    width_px: Count = 0
    height_px: Count = 0
    audio: str = ""
    person: str = ""


class SeenFace(Struct, frozen=True, kw_only=True):
    """A face as it was found in a frame; landmarks in pixels of the frame, to a tenth.

    Attributes:
        track: Number of the person followed through the film, from 0 in order of appearance.
        score: Of the detector, 0..1.
        face_px, sharpness, yaw_deg, pitch_deg, roll_deg, landmark_score, visible_fraction:
            As in :class:`unmask.types.Quality`.
        landmarks: 468 points.
    """

    track: Count
    score: float
    face_px: float
    sharpness: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    landmark_score: float
    visible_fraction: float
    landmarks: Annotated[list[Point], Meta(min_length=_POINTS, max_length=_POINTS)]

    def points(self) -> Floats:
        """The landmarks as (468, 2) float32."""
        return np.asarray(self.landmarks, np.float32)


class FaceRecord(SeenFace, frozen=True, kw_only=True):
    """One face that was cut out.

    Attributes:
        file: Its picture, below the folder.
        source: Name of the film or picture.
        frame: Number of the frame in the film, from 0.
        pts_s: Its time.
        face: Which face of its frame, from 0, the largest first.
        shot: Number of the shot that the frame belongs to, from 0.
        matrix: Rows of the affine map from pixels of the frame to pixels of the picture.
        use: Whether it is to be trained on or swapped.
    """

    file: str
    source: str
    frame: Count
    pts_s: Annotated[float, Meta(ge=0)]
    face: Count
    shot: Count
    matrix: tuple[Row, Row]
    use: bool = True

    def affine(self) -> Floats:
        """The matrix as (2, 3) float32."""
        return np.asarray(self.matrix, np.float32)

    def local(self) -> Floats:
        """(468, 2) float32 landmarks in pixels of the picture that was cut out."""
        matrix = self.affine()
        return np.asarray(self.points() @ matrix[:, :2].T + matrix[:, 2], np.float32)


class Alignments(Struct, frozen=True, kw_only=True):
    """All that one extraction found.

    Attributes:
        version: Of this format.
        size_px: Side of the pictures.
        margin: Side of the pictures over the longer side of the face hull.
        one_region: Whether each shot was cut with one region that does not move with the head.
        digest: Of sources and settings: whether another extraction would give the same.
        sources: Films and pictures.
        faces: In order of source and time.
    """

    version: int
    size_px: Annotated[int, Meta(ge=16, le=4096)]
    margin: Annotated[float, Meta(ge=1, le=8)]
    one_region: bool
    digest: str
    sources: list[SourceRecord]
    faces: list[FaceRecord]


def seen_face(face: Face, track: int) -> SeenFace:
    """Keep of a face what the file holds."""
    quality = face.quality
    return SeenFace(
        track=track,
        score=round(face.score, 3),
        face_px=round(quality.face_px, 1),
        sharpness=round(quality.sharpness, 1),
        yaw_deg=round(quality.yaw_deg, 1),
        pitch_deg=round(quality.pitch_deg, 1),
        roll_deg=round(quality.roll_deg, 1),
        landmark_score=round(quality.landmark_score, 3),
        visible_fraction=round(quality.visible_fraction, 3),
        landmarks=rounded_points(face.landmarks),
    )


def rounded_points(landmarks: Floats) -> list[Point]:
    """Landmarks to a tenth of a pixel: half of what the mesh's own noise is."""
    return [(round(float(x), 1), round(float(y), 1)) for x, y in landmarks]


def rounded_matrix(matrix: Floats) -> tuple[Row, Row]:
    """A matrix to as many digits as move no pixel by a hundredth."""
    first, second = ([round(float(v), 6) for v in row] for row in matrix)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def write_alignments(folder: Path, alignments: Alignments) -> None:
    """Write ``alignments.json``, a face a line; the old file stays until the new one is whole.

    Raises:
        OutputRefused: It cannot be written.
    """
    head = {name: getattr(alignments, name) for name in _HEAD}
    lines = [f'"{name}": {_json(value)},' for name, value in head.items()]
    lines += ['"sources": [', *_rows(alignments.sources), "],"]
    lines += ['"faces": [', *_rows(map(_editable, alignments.faces)), "]"]
    text = "{\n" + "\n".join(lines) + "\n}\n"
    write_atomically(folder / FILE, text.encode())


def read_alignments(folder: Path) -> Alignments:
    """Read ``alignments.json`` in ``folder``.

    Raises:
        NotFound: There is none.
        CorruptMedia: It is no JSON, lacks something, or points out of its folder; the message
            names the line.
    """
    path = folder / FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise NotFound(
            f"There is no {FILE} in {folder}.",
            hint="Give a folder that 'unmask forge extract' wrote.",
        ) from error
    try:
        found = msgspec.json.decode(text, type=Alignments)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _corrupt(path, _line_of(text, str(error)), _plain(str(error))) from error
    if found.version != VERSION:
        raise CorruptMedia(
            f"{path} is of version {found.version}; version {VERSION} was expected.",
            hint="Extract again with this version of Unmask.",
        )
    _check(path, text, found)
    return found


def inside(name: str) -> bool:
    """Whether a file that is named in a folder lies in it."""
    place = PurePosixPath(name)
    return not place.is_absolute() and ".." not in place.parts


def usable(folder: Path, alignments: Alignments) -> list[FaceRecord]:
    """The faces that are to be used: marked so, and with their picture still there."""
    return [one for one in alignments.faces if one.use and (folder / one.file).is_file()]


_HEAD = ("version", "size_px", "margin", "one_region", "digest")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _editable(face: FaceRecord) -> dict[str, object]:
    """A face with what is mended by hand in front, and the long list of points at the end."""
    first = ("file", "use", "source", "frame", "pts_s")
    names = [*first, *(name for name in face.__struct_fields__ if name not in first)]
    names.sort(key=lambda name: name in {"matrix", "landmarks"})
    return {name: getattr(face, name) for name in names}


def _rows(records: Iterable[object]) -> list[str]:
    lines = [_json(record) for record in records]
    return [line + "," for line in lines[:-1]] + lines[-1:]


def _check(path: Path, text: bytes, found: Alignments) -> None:
    names = {source.name for source in found.sources}
    for source in found.sources:
        if not inside(source.audio):
            raise _corrupt(path, _line_of(text, "$.sources"),
                           f"the sound {source.audio!r} lies outside the folder")  # fmt: skip
    for number, face in enumerate(found.faces):
        problem = ""
        if face.source not in names:
            problem = f"the source {face.source!r} is not among the sources"
        elif not inside(face.file):
            problem = f"the picture {face.file!r} lies outside the folder"
        elif not np.isfinite(face.affine()).all() or not np.isfinite(face.points()).all():
            problem = "a number is not finite"
        elif abs(np.linalg.det(face.affine()[:, :2])) < 1e-9:
            problem = "the matrix cannot be inverted"
        if problem:
            raise _corrupt(path, _line_of_face(text, number), problem)


def _corrupt(path: Path, line: int, problem: str) -> CorruptMedia:
    return CorruptMedia(
        f"{path}, line {line}: {problem}.",
        hint="Mend that line, or extract again with --fresh.",
    )


def _plain(message: str) -> str:
    return message.strip().rstrip(".")


def _line_of(text: bytes, message: str) -> int:
    if at_byte := re.search(r"\(byte (\d+)\)", message):
        return text.count(b"\n", 0, int(at_byte[1])) + 1
    if at_face := re.search(r"\$\.faces\[(\d+)\]", message):
        return _line_of_face(text, int(at_face[1]))
    if at_key := re.search(r"\$\.(\w+)", message):
        return text.count(b"\n", 0, max(0, text.find(b'"' + at_key[1].encode() + b'"'))) + 1
    return text.count(b"\n") + (not text.endswith(b"\n"))  # cut short: the last line


def _line_of_face(text: bytes, number: int) -> int:
    """Line of the ``number``-th face; exact as long as a face stays on one line."""
    start = max(0, text.find(b'"faces"'))
    line = text.count(b"\n", 0, start) + 1
    records = re.finditer(rb'"landmarks"\s*:', text[start:])
    for index, match in enumerate(records):
        if index == number:
            return line + text.count(b"\n", start, start + match.start())
    return line + number + 1
