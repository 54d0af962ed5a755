"""What paints the faces of a film: a trained generator of one of four uses, or a photograph.

The pipeline asks every painter the same: which crops it wants, and to paint a track of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from unmask.errors import InputError
from unmask.faces.alignment import align_face
from unmask.forge.following import Choice, shared_finder
from unmask.forge.material_of import read_material
from unmask.forge.paint_plan import LANDMARK_SWAP, PaintPlan, PaintRequest
from unmask.forge.restoring import Restoring
from unmask.forge.run_record import RECORD, WEIGHTS
from unmask.forgeries.base import RealFace
from unmask.forgeries.landmark_swap import bent_face
from unmask.generators.material import scaled_landmarks
from unmask.media import hash_file, open_media
from unmask.media.audio import is_silent, read_audio
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.generators.material import FaceTrack
    from unmask.generators.uses import (
        FaceAnimator,
        FaceRestorer,
        FaceSwapper,
        LipSyncer,
        PaintedFaces,
    )
    from unmask.types import Floats

_LANDMARK_CROP_PX, _LANDMARK_MARGIN = 384, 1.5
_DONOR_ROOM = 2.0
_TURNED_DEG = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Painter:
    """Paints faces into aligned crops.

    Attributes:
        method: Id of what paints, for the label.
        size_px: Side of the crops wanted.
        margin: Their side over the longer side of the face hull.
        mask: What ``auto`` masks mean where none is learned.
        paint: Paints a stretch of one person's crops, in order of time.
    """

    method: str
    size_px: int
    margin: float
    mask: str
    paint: Callable[[FaceTrack], PaintedFaces]


@dataclass(frozen=True, slots=True, eq=False)
class Studio:
    """A painter that is ready.

    Attributes:
        painter: Paints.
        digest: SHA-256 of weights and files: whether another call would paint the same.
        notes: What the user should know.
        restoring: Watches the likeness of what is restored; None where nothing is.
    """

    painter: Painter
    digest: str
    notes: list[str] = field(default_factory=list)
    restoring: Restoring | None = None


def studio_of(plan: PaintPlan) -> Studio:
    """Load whatever is to paint.

    Args:
        plan: As :func:`unmask.forge.paint_plan.plan_of` checked it.

    Raises:
        InputError: A run, picture or sound cannot be read, or shows no face.
    """
    request, notes = plan.request, list[str]()
    restoring = None
    if request.run is None:
        painter = _landmark_painter(request, notes)
    else:
        painter, restoring = _trained_painter(request.run, request, notes)
    if request.restore is not None:
        painter, restoring = _restored(painter, request.restore)
    return Studio(painter, _digest(request), notes, restoring)


def _trained_painter(
    run: Path, request: PaintRequest, notes: list[str]
) -> tuple[Painter, Restoring | None]:
    from unmask.forge.training import load_generator
    from unmask.generators.uses import FaceSwapper, LipSyncer

    generator, record = load_generator(run)
    mask = "oval"
    restoring = None
    paint: Callable[[FaceTrack], PaintedFaces]
    if isinstance(generator, FaceSwapper):
        identity = _identity(request, generator, record.margin)
        paint = partial(generator.swap, to_other=request.to_other, identity=identity)
    elif isinstance(generator, LipSyncer):
        paint = partial(_dubbed, generator, _speech(request, notes))
        mask = "lower_face"
    else:
        restoring = Restoring(cast("FaceRestorer", generator))
        paint = partial(_restored_only, restoring)
    size_px = generator.config.size_px
    return Painter(generator.spec.id, size_px, record.margin, mask, paint), restoring


def _identity(request: PaintRequest, generator: FaceSwapper, margin: float) -> FaceTrack | None:
    if request.identity is None:
        return None
    return _one_face(request.identity, generator.config.size_px, margin)


def _speech(request: PaintRequest, notes: list[str]) -> Floats:
    path = cast("Path", request.audio)  # the plan saw to it
    speech = read_audio(path)
    if is_silent(speech):
        notes.append(f"{path.name} is silent: the mouth will do what it does in silence.")
    return speech


def _dubbed(generator: LipSyncer, speech: Floats, track: FaceTrack) -> PaintedFaces:
    return generator.dub(track, speech)


def load_animator(run: Path) -> FaceAnimator:
    """The generator of a run that animates pictures; see :func:`check_animator`.

    Raises:
        InputError: The run cannot be read.
    """
    from unmask.forge.training import load_generator

    return cast("FaceAnimator", load_generator(run)[0])


def _bent(donor: RealFace, track: FaceTrack) -> PaintedFaces:
    """One photograph, bent onto each face: nothing is trained."""
    from unmask.generators.uses import PaintedFaces

    rows = zip(track.images, track.landmarks, strict=True)
    return PaintedFaces(
        np.stack([bent_face(RealFace(image, points), donor) for image, points in rows])
    )


def _restored_only(restoring: Restoring, track: FaceTrack) -> PaintedFaces:
    from unmask.generators.uses import PaintedFaces

    return PaintedFaces(restoring.restore(track))


def _painted_and_restored(first: Painter, restoring: Restoring, track: FaceTrack) -> PaintedFaces:
    from unmask.generators.uses import PaintedFaces

    painted = first.paint(track)
    scale = painted.images.shape[1] / track.images.shape[1]
    landmarks = scaled_landmarks(track.landmarks, scale)
    soft = replace(track, images=painted.images, landmarks=landmarks)
    return PaintedFaces(restoring.restore(soft), painted.masks)


def _landmark_painter(request: PaintRequest, notes: list[str]) -> Painter:
    path = cast("Path", request.identity)  # the plan saw to it
    donor, yaw_deg = _donor(path)
    if abs(yaw_deg) > _TURNED_DEG:
        notes.append(
            f"The face in {path.name} is turned by {abs(yaw_deg):.0f} degrees; half "
            "of it is missing when it is bent onto faces that look ahead."
        )
    return Painter(
        LANDMARK_SWAP, _LANDMARK_CROP_PX, _LANDMARK_MARGIN, "oval", partial(_bent, donor)
    )


def _donor(path: Path) -> tuple[RealFace, float]:
    """The largest face of a picture, cut out with room, and how far it is turned."""
    with open_media(path, limits=Limits()) as media:
        image = next(media.frames()).image
    faces = shared_finder().find(image)
    if not faces:
        raise InputError(
            f"No face was found in {path.name}.", hint="Give a portrait that looks ahead."
        )
    landmarks = faces[0].landmarks
    side = int(min(1024, max(64.0, faces[0].quality.face_px * _DONOR_ROOM)))
    crop = align_face(image, landmarks, size=side, margin=_DONOR_ROOM)
    return RealFace(crop.image, crop.points(landmarks)), faces[0].quality.yaw_deg


def _one_face(path: Path, size_px: int, margin: float) -> FaceTrack:
    return read_material([path], size_px=size_px, margin=margin, choice=Choice(frames=1))[0]


def _restored(painter: Painter, run: Path) -> tuple[Painter, Restoring]:
    from unmask.forge.training import load_generator

    restoring = Restoring(cast("FaceRestorer", load_generator(run)[0]))  # the plan saw to it
    paint = partial(_painted_and_restored, painter, restoring)
    return replace(painter, paint=paint), restoring


def _digest(request: PaintRequest) -> str:
    """Of all that decides what is painted."""
    seen = hashlib.sha256(f"to_other={request.to_other}".encode())
    for folder in (request.run, request.restore):
        for name in (RECORD, WEIGHTS):
            seen.update(b"-" if folder is None else hash_file(folder / name).encode())
    for file in (request.identity, request.audio):
        seen.update(b"-" if file is None else hash_file(file).encode())
    return seen.hexdigest()
