"""What paints the faces of a film: a trained generator of one of four uses, or a photograph.

The pipeline asks every painter the same: which crops it wants, and to paint a track of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import InputError, UsageError
from unmask.faces.alignment import align_face
from unmask.forge.following import Choice, shared_finder
from unmask.forge.material_of import read_material
from unmask.forgeries.base import RealFace
from unmask.forgeries.landmark_swap import LandmarkSwap, bent_face
from unmask.media import hash_file, open_media
from unmask.media.audio import is_silent, read_audio
from unmask.provenance import ForgeryLabel, Ingredient, iptc
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.forge.run_record import RunRecord
    from unmask.generators.base import Generator, GeneratorSpec
    from unmask.generators.material import FaceTrack
    from unmask.generators.uses import (
        FaceAnimator,
        FaceRestorer,
        FaceSwapper,
        LipSyncer,
        PaintedFaces,
    )
    from unmask.types import Floats

LANDMARK_SWAP = LandmarkSwap.spec.id
_LANDMARK_CROP_PX, _LANDMARK_MARGIN = 384, 1.5
_DONOR_ROOM = 2.0
_TURNED_DEG = 30.0


@dataclass(frozen=True, slots=True)
class PaintRequest:
    """What is to be painted with.

    Attributes:
        run: Folder of a trained run; None: the landmark swap, which needs ``identity``.
        to_other: From the first person to the second (True) or back.
        identity: Picture of the person whose face is wanted.
        audio: Film or sound file with the speech wanted.
        restore: Folder of a restorer's run, applied to what was painted.
    """

    run: Path | None
    to_other: bool = True
    identity: Path | None = None
    audio: Path | None = None
    restore: Path | None = None


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
    """A painter with all that its label must say.

    Attributes:
        painter: Paints.
        spec: Of its generator; None for the landmark swap.
        record: Of its run; None for the landmark swap.
        components: Other files that go into the result.
        digest: SHA-256 of weights and files: whether another call would paint the same.
        notes: What the user should know.
    """

    painter: Painter
    spec: GeneratorSpec | None
    record: RunRecord | None
    components: Sequence[Ingredient] = ()
    digest: str = ""
    notes: list[str] = field(default_factory=list)

    def label(
        self, path: Path, consent: str | None, facts: dict[str, Any] | None = None
    ) -> ForgeryLabel:
        """What the film or picture made of ``path`` will declare."""
        ingredients = (Ingredient(path, "parentOf", path.name), *self.components)
        if self.record is not None:
            from unmask.forge.labels import label_of_run

            label = label_of_run(self.record, path.name, ingredients, consent=consent)
            return label._replace(
                consent=consent,  # that of training was for training
                facts={**(label.facts or {}), **(facts or {})},
                family=None if self.spec is None else self.spec.family,
            )
        return ForgeryLabel(
            title=f"{LandmarkSwap.spec.title}: {path.name}",
            method=LANDMARK_SWAP,
            digital_source_type=iptc.COMPOSITE_CAPTURE,
            ingredients=ingredients,
            consent=consent,
            facts=facts,
            family=LandmarkSwap.spec.family,
        )


def studio_of(request: PaintRequest) -> Studio:
    """Load whatever is to paint.

    Raises:
        UsageError: Options do not fit the generator.
        InputError: A run, picture or sound cannot be read, or shows no face.
    """
    if request.run is None:
        return _landmark_studio(request)
    from unmask.forge.training import load_generator
    from unmask.generators.uses import FaceRestorer, FaceSwapper, LipSyncer

    generator, record = load_generator(request.run)
    notes: list[str] = []
    mask = "oval"
    paint: Callable[[FaceTrack], PaintedFaces]
    if isinstance(generator, FaceSwapper):
        identity = _identity(request, generator, record.margin)
        paint = partial(generator.swap, to_other=request.to_other, identity=identity)
    elif isinstance(generator, LipSyncer):
        speech = _speech(request, generator, notes)
        paint, mask = partial(_dubbed, generator, speech), "lower_face"
    elif isinstance(generator, FaceRestorer):
        paint = partial(_restored_only, generator)
    else:
        raise _other_use(generator)
    components = [_component(file) for file in (request.identity, request.audio) if file]
    painter = Painter(generator.spec.id, generator.config.size_px, record.margin, mask, paint)
    if request.restore is not None:
        painter = _restored(painter, request.restore)
    return Studio(painter, generator.spec, record, components, _digest(request), notes)


def _identity(request: PaintRequest, generator: FaceSwapper, margin: float) -> FaceTrack | None:
    if request.identity is not None:
        return _one_face(request.identity, generator.config.size_px, margin)
    if generator.spec.material == "people":
        raise UsageError(
            f"{generator.spec.title} takes the wanted face from a picture, and none came.",
            hint="Give it with --identity FILE.",
        )
    return None


def _speech(request: PaintRequest, generator: LipSyncer, notes: list[str]) -> Floats:
    if request.audio is None:
        raise UsageError(
            f"{generator.spec.title} moves the mouth to speech, and none came.",
            hint="Give a sound file or film with --audio FILE.",
        )
    speech = read_audio(request.audio)
    if is_silent(speech):
        notes.append(f"{request.audio.name} is silent: the mouth will do what it does in silence.")
    return speech


def _dubbed(generator: LipSyncer, speech: Floats, track: FaceTrack) -> PaintedFaces:
    return generator.dub(track, speech)


def load_animator(run: Path) -> tuple[FaceAnimator, RunRecord]:
    """The generator of a run that animates pictures.

    Raises:
        UsageError: The run is of another use.
    """
    from unmask.forge.training import load_generator
    from unmask.generators.uses import FaceAnimator

    generator, record = load_generator(run)
    if not isinstance(generator, FaceAnimator):
        raise UsageError(
            f"{generator.spec.title} does not animate pictures, so --driving has no use.",
            hint="Give a run of a motion model, or leave --driving out.",
        )
    return generator, record


def _bent(donor: RealFace, track: FaceTrack) -> PaintedFaces:
    """One photograph, bent onto each face: nothing is trained."""
    from unmask.generators.uses import PaintedFaces

    rows = zip(track.images, track.landmarks, strict=True)
    return PaintedFaces(
        np.stack([bent_face(RealFace(image, points), donor) for image, points in rows])
    )


def _restored_only(restorer: FaceRestorer, track: FaceTrack) -> PaintedFaces:
    from unmask.generators.uses import PaintedFaces

    return PaintedFaces(restorer.restore(track))


def _painted_and_restored(first: Painter, restorer: FaceRestorer, track: FaceTrack) -> PaintedFaces:
    from unmask.generators.uses import PaintedFaces

    painted = first.paint(track)
    scale = painted.images.shape[1] / track.images.shape[1]
    landmarks = np.asarray((track.landmarks + 0.5) * scale - 0.5, np.float32)
    soft = replace(track, images=painted.images, landmarks=landmarks)
    return PaintedFaces(restorer.restore(soft), painted.masks)


def _landmark_studio(request: PaintRequest) -> Studio:
    if request.identity is None:
        raise UsageError(
            "The landmark swap takes the wanted face from a picture, and none came.",
            hint="Give it with --identity FILE, or name a trained RUN.",
        )
    if request.audio is not None:
        raise UsageError(
            "The landmark swap has no use for --audio.", hint="Give a run of a lip-sync model."
        )
    donor, yaw_deg = _donor(request.identity)
    notes = []
    if abs(yaw_deg) > _TURNED_DEG:
        notes.append(
            f"The face in {request.identity.name} is turned by {abs(yaw_deg):.0f} degrees; half "
            "of it is missing when it is bent onto faces that look ahead."
        )
    painter = Painter(
        LANDMARK_SWAP, _LANDMARK_CROP_PX, _LANDMARK_MARGIN, "oval", partial(_bent, donor)
    )
    if request.restore is not None:
        painter = _restored(painter, request.restore)
    return Studio(painter, None, None, [_component(request.identity)], _digest(request), notes)


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


def _restored(painter: Painter, run: Path) -> Painter:
    from unmask.forge.training import load_generator
    from unmask.generators.uses import FaceRestorer

    generator, _ = load_generator(run)
    if not isinstance(generator, FaceRestorer):
        raise UsageError(
            f"{generator.spec.title} restores nothing.",
            hint="Give --restore a run of a restoration model.",
        )
    return replace(painter, paint=partial(_painted_and_restored, painter, generator))


def _other_use(generator: Generator) -> UsageError:
    from unmask.generators.uses import FaceAnimator

    title = generator.spec.title
    if isinstance(generator, FaceAnimator):
        return UsageError(
            f"{title} animates a picture by a film, and none came.",
            hint="Give the picture as INPUT and the film with --driving FILE.",
        )
    return UsageError(
        f"{title} makes faces of its own; it converts no film.",
        hint="Give a run of a swap, motion, lip-sync or restoration model.",
    )


def _component(path: Path) -> Ingredient:
    return Ingredient(path, "componentOf", path.name)


def _digest(request: PaintRequest) -> str:
    """Of all that decides what is painted."""
    seen = hashlib.sha256(f"to_other={request.to_other}".encode())
    for folder in (request.run, request.restore):
        for name in ("run.json", "weights.pt"):
            seen.update(b"-" if folder is None else hash_file(folder / name).encode())
    for file in (request.identity, request.audio):
        seen.update(b"-" if file is None else hash_file(file).encode())
    return seen.hexdigest()
