"""Trained generators as makers of training faces.

Each use (:mod:`unmask.generators.uses`) gets its own small adapter: cut the face as the run was
trained, let the generator paint, and blend what it painted back as differently as swapping
programs do, so that no one way of blending becomes the tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import torch

from unmask.errors import UsageError
from unmask.faces.alignment import AlignedFace, align_face, align_region
from unmask.faces.masks import face_mask
from unmask.forge.face_forgers import (
    CLIP_FRAMES,
    FACE_DONOR,
    FILM_DONOR,
    NO_DONOR,
    SPEECH_DONOR,
    FaceForger,
    ForgedFootage,
)
from unmask.forge.small_faces import face_in
from unmask.forgeries.base import RealFace
from unmask.forgeries.reconstruction import blended
from unmask.generators import uses
from unmask.generators.material import FaceTrack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.forge.run_record import RunRecord
    from unmask.generators.base import Generator
    from unmask.train.footage import Footage
    from unmask.types import Floats, Image

_WHOLE = ("oval", "inner_hull")
_REGIONS = ("inner_hull", "lower_face", "eyes_and_nose", "mouth", "components")
_SEEDS = 2**31
WHOLE = "whole"


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A generator with what its run says of it.

    Attributes:
        generator: With its best weights.
        record: Of the run.
        id: Method, with some letters of the weights' digest, so that two runs are told apart.
        facts: For the metadata of a data set.
    """

    generator: Generator
    record: RunRecord
    id: str
    facts: Mapping[str, Any]

    @property
    def size_px(self) -> int:
        """Side of the crops that the generator paints."""
        return int(self.generator.config.size_px)

    def cut(self, image: Image, landmarks: Floats, size_px: int | None = None) -> AlignedFace:
        """A face as the run's material was cut."""
        return align_face(image, landmarks, size=size_px or self.size_px, margin=self.record.margin)

    def pasted(
        self,
        painted: Image,
        crop: AlignedFace,
        target: RealFace,
        rng: np.random.Generator,
        mask: Floats | None = None,
    ) -> ForgedFootage:
        """Blend what was painted back into the picture.

        Args:
            painted: (S, S, 3), the crop painted anew, at any side.
            crop: Where it was cut.
            target: The picture.
            rng: Draws mask, softness, colour transfer and blending.
            mask: (S, S) where to blend; None: drawn from the landmarks.
        """
        height, width = target.image.shape[:2]
        # The painted square may be larger or smaller than the crop that was cut.
        grow = painted.shape[0] / crop.image.shape[0]
        onto = crop.matrix * np.float32(grow)
        onto[:, 2] += np.float32(0.5 * grow - 0.5)
        face = _laid_back(painted, onto, target.image)
        if mask is None:
            kind = str(rng.choice(_WHOLE))
            grown = float(rng.uniform(-0.06, 0.03))
            mask = face_mask(target.landmarks, height, width, kind=kind, grow=grown)
        else:
            back = cv2.warpAffine(mask, onto, (width, height),
                                  flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)  # fmt: skip
            mask = (np.asarray(back) > 0.5).astype(np.float32)
        forged = blended(face, target, mask, rng, self.id)
        return ForgedFootage([forged.image], [forged.mask], target.landmarks[None])


class _RunForger:
    """Base of the adapters: :class:`unmask.forge.face_forgers.FaceForger` of a run."""

    donor = NO_DONOR
    of_clips = False

    def __init__(self, run: TrainedRun, clip_frames: int = CLIP_FRAMES) -> None:
        self.run, self.id, self.facts = run, run.id, run.facts
        self.frames = clip_frames if self.of_clips else 1


class SwapForger(_RunForger):
    """Another identity by a swap generator.

    Generators of two people paint one of these two, drawn for each face; those that take the
    identity from pictures get the donor's.
    """

    def __init__(self, run: TrainedRun, clip_frames: int = CLIP_FRAMES) -> None:
        super().__init__(run, clip_frames)
        self._of_two = run.generator.spec.material == "two_people"
        self.donor = NO_DONOR if self._of_two else FACE_DONOR

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage | None:
        """Swap one face; see :class:`unmask.forge.face_forgers.FaceForger`."""
        generator = cast("uses.FaceSwapper", self.run.generator)
        face = target.clip().face(0)
        crop = self.run.cut(face.image, face.landmarks)
        to_other = bool(rng.random() < 0.5) if self._of_two else True
        identity = None if donor is None else self._identity(donor)
        painted = generator.swap(
            _track([crop], [face.landmarks]), to_other=to_other, identity=identity
        )
        mask = None
        if painted.masks is not None and rng.random() < 0.5:
            mask = np.asarray(painted.masks[0], np.float32)
            mask = None if (mask > 0.5).mean() < 0.05 else mask  # it learned none
        return self.run.pasted(painted.images[0], crop, face, rng, mask)

    def _identity(self, donor: Footage) -> FaceTrack:
        other = donor.clip().face(0)
        return _track([self.run.cut(other.image, other.landmarks)], [other.landmarks])


class RestorationForger(_RunForger):
    """A face made small and restored, as a post-step of many programs does."""

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Restore one face; see :class:`unmask.forge.face_forgers.FaceForger`."""
        del donor
        generator = cast("uses.FaceRestorer", self.run.generator)
        face = target.clip().face(0)
        side = max(32, round(float(np.ptp(face.landmarks, axis=0).max()) * self.run.record.margin))
        share = float(rng.uniform(0.7, 1.3)) / max(1, generator.scale)
        small = 4 * max(8, round(side * share / 4))
        crop = self.run.cut(face.image, face.landmarks, small)
        restored = generator.restore(_track([crop], [face.landmarks]))
        return self.run.pasted(restored[0], crop, face, rng)


class InpaintingForger(_RunForger):
    """A region of a face, painted anew."""

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Inpaint one region; see :class:`unmask.forge.face_forgers.FaceForger`."""
        del donor
        generator = cast("uses.FaceInpainter", self.run.generator)
        face = target.clip().face(0)
        crop = self.run.cut(face.image, face.landmarks)
        side = crop.image.shape[0]
        kind, grow = str(rng.choice(_REGIONS)), float(rng.uniform(0, 0.06))
        local = crop.points(face.landmarks)
        mask = face_mask(local, side, side, kind=kind, grow=grow)
        seed = int(rng.integers(_SEEDS))
        painted = generator.inpaint(crop.image[None], mask[None], seed=seed)
        return self.run.pasted(painted[0], crop, face, rng, mask)


class ReconstructionForger(_RunForger):
    """A face that a whole-face model painted again: its trace without a change of content."""

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Reconstruct one face; see :class:`unmask.forge.face_forgers.FaceForger`."""
        del donor
        face = target.clip().face(0)
        crop = self.run.cut(face.image, face.landmarks)
        generator: Any = self.run.generator
        with torch.no_grad():
            painted = generator.reconstruct(crop.image[None])
        return self.run.pasted(painted[0], crop, face, rng)


class WholeFaceForger(_RunForger):
    """A face of nobody, as the generator made it: the whole picture is foreign."""

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage | None:
        """Sample one face; None where the mesh finds no face in it."""
        del target, donor
        generator = cast("uses.FaceMaker", self.run.generator)
        truncation = float(rng.uniform(0.6, 1.0))
        made = generator.sample(1, seed=int(rng.integers(_SEEDS)), truncation=truncation)
        return _whole(made[0], of_nobody=True)


class AnimationForger(_RunForger):
    """A face moved as another person's film moves; one frame of it."""

    donor = FILM_DONOR

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage | None:
        """Animate one picture; None where the mesh loses the face."""
        from unmask.train.clips import clip_region

        generator = cast("uses.FaceAnimator", self.run.generator)
        if donor is None:
            raise ValueError(f"{self.id} needs a driving film; none was given")
        face, film = target.clip().face(0), donor.clip()
        source = self.run.cut(face.image, face.landmarks)
        region = clip_region(film.landmarks, self.run.record.margin)
        driving = [align_region(image, region, self.run.size_px) for image in film.images]
        relative = bool(rng.random() < 0.7)
        moved = generator.animate(
            _track([source], [face.landmarks]), _track(driving, list(film.landmarks)),
            relative=relative,
        )  # fmt: skip
        # The first frame of a relative animation is the source itself, painted again.
        return _whole(moved[int(rng.integers(min(1, len(moved) - 1), len(moved)))])


class LipSyncForger(_RunForger):
    """A clip whose mouth moves to what another person says."""

    donor, of_clips = SPEECH_DONOR, True

    def forge(
        self, target: Footage, donor: Footage | None, rng: np.random.Generator
    ) -> ForgedFootage:
        """Pictures alone say nothing: see :meth:`dub`."""
        raise NotImplementedError

    def dub(
        self, target: Footage, pts_s: NDArray[np.float64], speech: Floats, rng: np.random.Generator
    ) -> ForgedFootage:
        """Dub a clip; see :class:`unmask.forge.face_forgers.SpeechForger`."""
        generator = cast("uses.LipSyncer", self.run.generator)
        clip = target.clip()
        crops = [self.run.cut(*pair) for pair in zip(clip.images, clip.landmarks, strict=True)]
        track = replace(_track(crops, list(clip.landmarks)), pts_s=pts_s)
        painted = generator.dub(track, speech)
        seed = int(rng.integers(_SEEDS))
        made = []
        for number, crop in enumerate(crops):
            mask = None if painted.masks is None else np.asarray(painted.masks[number], np.float32)
            # One way of blending for the whole clip: a program does not change it at each frame.
            draws = np.random.default_rng(seed)
            made.append(
                self.run.pasted(painted.images[number], crop, clip.face(number), draws, mask)
            )
        return ForgedFootage(
            [one.images[0] for one in made], [one.masks[0] for one in made], clip.landmarks,
            list(clip.images),
        )  # fmt: skip


def load_run(folder: Path, part: str = "") -> TrainedRun:
    """A generator with its facts.

    Args:
        folder: Of the run.
        part: Goes into the id, for generators that are used in several ways.

    Raises:
        NotFound: The folder holds no run, or one without weights.
        CorruptMedia: It is damaged.
    """
    from unmask.forge.run_record import WEIGHTS
    from unmask.forge.training import load_generator

    generator, record = load_generator(folder)
    spec = generator.spec
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    facts = {
        "id": "-".join(filter(None, (spec.id, part, digest[:6]))), "generator": spec.id,
        "title": spec.title,
        "paper": spec.paper, "family": spec.family, "weights_sha256": digest,
        "run_digest": record.digest(), "trained_on": list(record.sources), "seed": record.seed,
        "unmask": record.version,
    }  # fmt: skip
    if record.consent:
        facts["consent"] = record.consent
    return TrainedRun(generator, record, str(facts["id"]), facts)


def forger_of_run(folder: Path, part: str = "", clip_frames: int = CLIP_FRAMES) -> FaceForger:
    """The adapter that fits what a run can do.

    Args:
        folder: Of the run.
        part: ``whole``: let a generator that could also inpaint make whole faces.
        clip_frames: Frames of the clips that one of films forges.

    Raises:
        UsageError: Its kind of generator cannot forge stored faces.
        InputError: The run cannot be read.
    """
    run = load_run(folder, part)
    if part == WHOLE and isinstance(run.generator, uses.FaceMaker):
        return WholeFaceForger(run)
    if part:
        raise UsageError(
            f"{run.generator.spec.title} has no part {part!r}.",
            hint=f"Generators of whole faces have {WHOLE!r}; else leave it out.",
        )
    for fits, adapter in _ADAPTERS:
        if fits(run.generator):
            return adapter(run, clip_frames)
    raise UsageError(
        f"{run.generator.spec.title} paints no faces.",
        hint="Leave it out of the data set.",
    )


_Adapter = Callable[[TrainedRun, int], FaceForger]
_ADAPTERS: tuple[tuple[Callable[[Generator], bool], _Adapter], ...] = (
    (lambda one: isinstance(one, uses.FaceSwapper), SwapForger),
    (lambda one: isinstance(one, uses.FaceRestorer), RestorationForger),
    (lambda one: isinstance(one, uses.FaceInpainter), InpaintingForger),
    (lambda one: isinstance(one, uses.FaceMaker) and hasattr(one, "reconstruct"),
     ReconstructionForger),
    (lambda one: isinstance(one, uses.FaceMaker), WholeFaceForger),
    (lambda one: isinstance(one, uses.FaceAnimator), AnimationForger),
    (lambda one: isinstance(one, uses.LipSyncer), LipSyncForger),
)  # fmt: skip


def _track(crops: list[AlignedFace], landmarks: list[Floats]) -> FaceTrack:
    points = [crop.points(one) for crop, one in zip(crops, landmarks, strict=True)]
    images: NDArray[np.uint8] = np.stack([crop.image for crop in crops])
    return FaceTrack(
        "face", images, np.stack(points).astype(np.float32), np.arange(len(crops)) / 25.0,
        25.0 if len(crops) > 1 else 0.0,
    )  # fmt: skip


def _laid_back(painted: Image, onto: Floats, image: Image) -> Image:
    height, width = image.shape[:2]
    shrink = float(np.hypot(onto[0, 0], onto[1, 0]))
    if shrink > 1.5:  # painted larger than it is shown: average before sampling
        painted = np.asarray(cv2.GaussianBlur(painted, (0, 0), shrink / 2.5), np.uint8)
    back = cv2.warpAffine(painted, onto, (width, height),
                          flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    return np.asarray(back, np.uint8)


def _whole(image: Image, *, of_nobody: bool = False) -> ForgedFootage | None:
    """A picture of which every pixel was made; its landmarks are looked for."""
    face = face_in(image)
    if face is None:
        return None
    mask = np.ones(image.shape[:2], np.float32)
    return ForgedFootage([image], [mask], face.landmarks[None], of_nobody=of_nobody)
