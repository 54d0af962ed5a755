"""Measuring a trained generator by what it is for, on faces that are given.

What each number is stands in its name; none is called by the name of a network that is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch

from unmask.errors import UsageError
from unmask.faces.masks import face_mask
from unmask.forge import base_features
from unmask.forge.face_comparison import (
    add_likeness,
    compare_faces,
    compare_flicker,
    compare_pixels,
    resized,
)
from unmask.forge.likeness import likeness_vector
from unmask.forge.material_of import AUDIBLE, MOVING, read_material
from unmask.forge.measures import HIGHER, LOWER, Gathered, Measure
from unmask.forge.small_faces import face_in
from unmask.forge.training import load_generator
from unmask.generators import uses
from unmask.metrics.motion import average_keypoint_distance

if TYPE_CHECKING:
    from unmask.forge.run_record import RunRecord
    from unmask.generators.base import Generator
    from unmask.generators.material import FaceTrack
    from unmask.generators.uses import Pixels
    from unmask.types import Floats, Image

MOST_FRAMES = 50
_SAMPLES = 200


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What a generator was measured to do.

    Attributes:
        method: Id of the generator, or ``film`` for a forged film.
        title: For people.
        measures: The numbers.
        facts: Which run, which faces.
    """

    method: str
    title: str
    measures: Sequence[Measure]
    facts: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A generator, the faces it is measured on, and where the numbers go."""

    generator: Generator
    record: RunRecord
    tracks: Sequence[FaceTrack]
    others: Sequence[FaceTrack]
    found: Gathered
    seed: int


def evaluate_run(
    run: Path,
    faces: Sequence[Path],
    others: Sequence[Path] = (),
    *,
    seed: int = 0,
    most_frames: int = MOST_FRAMES,
) -> Evaluated:
    """Measure a trained generator.

    Args:
        run: Folder of the run.
        faces: Films, pictures or extracted folders; with two people, those of the first. Held-out
            ones: what it was trained on flatters it.
        others: With two people, those of the second; for swaps that take the identity from
            pictures, these pictures.
        seed: Of whatever is sampled.
        most_frames: At most so many frames of each film, from its start.

    Raises:
        UsageError: Its kind of generator cannot be measured on such faces.
        InputError: Faces or run cannot be read.
    """
    generator, record = load_generator(run)
    steady, audible = (generator.spec.material == kind for kind in (MOVING, AUDIBLE))
    side = max(generator.crop_px(generator.config), generator.config.size_px)

    def read(paths: Sequence[Path]) -> list[FaceTrack]:
        if not paths:
            return []
        tracks = read_material(paths, size_px=side, margin=record.margin, one_region=steady,
                               audio=audible)  # fmt: skip
        return [track.part(0, most_frames) for track in tracks]

    task = _Task(generator, record, read(faces), read(others), Gathered(), seed)
    torch.manual_seed(seed)
    measured = False
    with torch.no_grad():
        for kind, measure in _BY_USE:
            if isinstance(generator, kind):
                measure(task)
                measured = True
        if hasattr(generator, "confidence_and_distance"):
            for track in task.tracks:
                add_sync(task.found, "films as they came", generator, track)
            measured = True
    if not measured:
        raise UsageError(
            f"{generator.spec.title} has no use that can be measured.", hint="Give another run."
        )
    facts = {
        "run": run.name, "run_digest": record.digest(), "seed": str(seed),
        "faces": ", ".join(path.name for path in [*faces, *others]),
        "trained on": ", ".join(record.sources),
        "left out": _left_out(task),
    }  # fmt: skip
    return Evaluated(generator.spec.id, generator.spec.title, task.found.measures(), facts)


def _left_out(task: _Task) -> str:
    """What was not measured, for the reader of the page; empty: nothing."""
    by_picture = isinstance(task.generator, uses.FaceSwapper) and (
        task.generator.spec.material != "two_people"
    )
    if not by_picture or task.others:
        return ""
    alone = all(_next_person(task.tracks, number) is None for number in range(len(task.tracks)))
    return "swaps, since no other person came; name one with --other" if alone else ""


def add_sync(found: Gathered, what: str, expert: object, track: FaceTrack) -> None:
    """Sync confidence and distance of a film by an expert of ours."""
    if track.audio is None:
        raise UsageError(
            f"{track.name} has no sound to compare its lips with.", hint="Give a film with sound."
        )
    measure: Callable[[FaceTrack, Floats], object] = getattr(expert, "confidence_and_distance")  # noqa: B009
    reading = measure(track, track.audio)
    note = "By Unmask's own sync expert; not comparable with the published SyncNet's numbers."
    for name, better in (("confidence", HIGHER), ("distance", LOWER)):
        value = float(getattr(reading, name))
        found.add(what, f"sync {name}", value, track.name, better=better, note=note)


def _swaps(task: _Task) -> None:
    generator = cast("uses.FaceSwapper", task.generator)
    of_two = generator.spec.material == "two_people"
    sides = [(task.tracks, task.others, "first", True), (task.others, task.tracks, "second", False)]
    for tracks, others, name, to_other in sides if of_two else sides[:1]:
        identity = _portrait(others) if others else None
        target = _mean_vector(others)
        for number, track in enumerate(tracks):
            own = identity
            if not of_two:
                # A face in its own identity: what the networks lose whoever is asked for.
                painted = generator.swap(track, identity=_portrait([track])).images
                own = own or _next_person(tracks, number)
            else:
                painted = generator.swap(track, to_other=not to_other).images
            _reconstructed(task, f"reconstruction of the {name}", track, painted)
            if own is None and not of_two:
                continue  # nobody else is there: a swap of a face with itself says nothing
            swapped = generator.swap(track, to_other=to_other, identity=own).images
            goal = target if target is not None or own is None else _mean_vector([own])
            _moved(task, f"swap of the {name}", track, swapped, goal)


def _next_person(tracks: Sequence[FaceTrack], number: int) -> FaceTrack | None:
    """A portrait of the next person in a circle, or None where all are one."""
    me = tracks[number].person or tracks[number].name
    for track in [*tracks[number + 1 :], *tracks[:number]]:
        if (track.person or track.name) != me:
            return _portrait([track])
    return None


def _reconstructed(
    task: _Task, what: str, track: FaceTrack, painted: Sequence[Image] | Pixels
) -> None:
    for image, reference, points in zip(painted, track.images, track.landmarks, strict=True):
        scale = image.shape[0] / reference.shape[0]
        mask = face_mask(points * scale, *image.shape[:2])
        compare_pixels(task.found, what, image, reference, track.name, mask)
        vectors = (likeness_vector(image, points * scale), likeness_vector(reference, points))
        add_likeness(task.found, f"{what}, to itself", *vectors, track.name)


def _moved(
    task: _Task,
    what: str,
    track: FaceTrack,
    painted: Sequence[Image] | Pixels,
    target: Floats | None,
) -> None:
    """A swap: does it move as the track does, and whom does it look like?"""
    seconds = [str(int(time)) for time in track.pts_s]
    for image, reference, points, second in zip(
        painted, track.images, track.landmarks, seconds, strict=True
    ):
        group = f"{track.name} {second}"
        side = image.shape[0]
        goal = face_in(resized(reference, side))
        if goal is None:
            continue
        seen = compare_faces(task.found, what, image, goal, group)
        if seen is None:
            continue
        vector = likeness_vector(image, seen.landmarks)
        if target is not None:
            add_likeness(task.found, f"{what}, to whom it should show", vector, target, group)
        source = likeness_vector(reference, points)
        add_likeness(task.found, f"{what}, to whose film it is", vector, source, group,
                     better=LOWER)  # fmt: skip
    _flickers(task, what, track, painted)


def _flickers(task: _Task, what: str, track: FaceTrack, painted: Sequence[Image] | Pixels) -> None:
    if len(track) > 2 and track.frame_rate:
        side = painted[0].shape[0]
        originals = [resized(one, side) for one in track.images]
        points = track.landmarks * (side / track.images.shape[1])
        compare_flicker(task.found, what, list(painted), originals, points, track.name)


def _animations(task: _Task) -> None:
    generator = cast("uses.FaceAnimator", task.generator)
    for track in task.tracks:
        if len(track) < 2:
            continue
        moved = generator.animate(track.part(0, 1), track, relative=False)
        _like_film(task, "its own film, from its first frame", track, moved)
        still = [track.images[0]] * len(track)
        _like_film(task, "repeating the first frame (no method)", track, still)
        _flickers(task, "its own film, from its first frame", track, moved)


def _like_film(task: _Task, what: str, track: FaceTrack, moved: Sequence[Image] | Pixels) -> None:
    """L1, AKD and AED of the frames after the first."""
    for number in range(1, len(track)):
        group = f"{track.name} {int(track.pts_s[number])}"
        side = task.generator.config.size_px
        image, reference = resized(moved[number], side), resized(track.images[number], side)
        compare_pixels(task.found, what, image, reference, group)
        ours, theirs = face_in(image), face_in(reference)
        if ours is None or theirs is None:
            continue
        distance = average_keypoint_distance(ours.landmarks[None], theirs.landmarks[None])[0]
        task.found.add(what, "AKD (468 mesh points)", float(distance), group, unit="px",
                       better=LOWER, note=f"In pixels of a crop of {side} px.")  # fmt: skip
        gap = likeness_vector(image, ours.landmarks) - likeness_vector(reference, theirs.landmarks)
        task.found.add(what, "AED (Unmask's Gabor descriptor)", float(np.linalg.norm(gap)), group,
                       better=LOWER)  # fmt: skip


def _dubs(task: _Task) -> None:
    generator = cast("uses.LipSyncer", task.generator)
    for track in task.tracks:
        if track.audio is None:
            continue
        painted = generator.dub(track, track.audio).images
        what = "dubbed with its own speech"
        _reconstructed(task, what, track, painted)
        _moved(task, what, track, painted, None)


def _samples(task: _Task) -> None:
    generator = cast("uses.FaceMaker", task.generator)
    side = generator.config.size_px
    real = [(resized(image, side), points * (side / image.shape[0]))
            for track in task.tracks
            for image, points in zip(track.images, track.landmarks, strict=True)]  # fmt: skip
    count = min(_SAMPLES, max(2, len(real)))
    made: list[tuple[Image, Floats]] = []
    for image in generator.sample(count, seed=task.seed):
        seen = face_in(image)
        task.found.add("sampled faces", "share of faces that the mesh finds",
                       float(seen is not None), str(len(made)), unit="share",
                       better=HIGHER)  # fmt: skip
        if seen is not None:
            made.append((image, seen.landmarks))
    reconstruct = getattr(generator, "reconstruct", None)
    if reconstruct is not None:
        for track in task.tracks:
            crops = np.stack([resized(image, side) for image in track.images])
            _reconstructed(task, "reconstruction", replace(track, images=crops,
                           landmarks=track.landmarks * (side / track.images.shape[1])),
                           reconstruct(crops))  # fmt: skip
    if min(len(made), len(real)) < 4:
        return
    features = base_features.BaseFeatures()
    distance = base_features.crowd_distance(features.of(made), features.of(real), seed=task.seed)
    note = (f"Not FID. {distance.made} made and {distance.real} real faces at {side} px, on "
            f"{distance.axes} principal axes of the real ones' features.")  # fmt: skip
    for what, value in (("sampled faces", distance.value), ("halves of the real faces (floor)",
                        distance.floor)):  # fmt: skip
        task.found.add(what, base_features.NAME, value, "all", better=LOWER, note=note)


def _inpaints(task: _Task) -> None:
    generator = cast("uses.FaceInpainter", task.generator)
    side = generator.config.size_px
    for track in task.tracks:
        for image, points in zip(track.images, track.landmarks, strict=True):
            crop, local = resized(image, side), points * (side / image.shape[0])
            for kind in ("eyes_and_nose", "mouth", "inner_hull"):
                mask = face_mask(local, side, side, kind=kind, grow=0.02)
                painted = generator.inpaint(crop[None], mask[None], seed=task.seed)[0]
                what = f"inpainted {kind.replace('_', ' ')}"
                compare_pixels(task.found, what, painted, crop, track.name, mask)
                goal = face_in(crop)
                if goal is not None:
                    compare_faces(task.found, what, painted, goal, track.name)
                vectors = likeness_vector(painted, local), likeness_vector(crop, local)
                add_likeness(task.found, f"{what}, to itself", *vectors, track.name)


def _restorations(task: _Task) -> None:
    generator = cast("uses.FaceRestorer", task.generator)
    scale = max(1, generator.scale)
    for track in task.tracks:
        side = track.images.shape[1] // scale
        small = np.stack([resized(image, side) for image in track.images])
        points = np.asarray((track.landmarks + 0.5) / scale - 0.5, np.float32)
        restored = generator.restore(replace(track, images=small, landmarks=points))
        plain = [np.asarray(cv2.resize(one, (side * scale,) * 2, interpolation=cv2.INTER_CUBIC),
                            np.uint8) for one in small]  # fmt: skip
        for what, images in (("restored", list(restored)), ("bicubic (no method)", plain)):
            reference = [resized(one, side * scale) for one in track.images]
            _reconstructed(task, what, replace(track, images=np.stack(reference)), images)


_BY_USE: tuple[tuple[type, Callable[[_Task], None]], ...] = (
    (uses.FaceSwapper, _swaps), (uses.FaceAnimator, _animations), (uses.LipSyncer, _dubs),
    (uses.FaceMaker, _samples), (uses.FaceInpainter, _inpaints),
    (uses.FaceRestorer, _restorations),
)  # fmt: skip


def _portrait(tracks: Sequence[FaceTrack]) -> FaceTrack:
    """One frame in the middle of the first track, as an identity is given."""
    track = tracks[0]
    middle = len(track) // 2
    return track.part(middle, middle + 1)


def _mean_vector(tracks: Sequence[FaceTrack]) -> Floats | None:
    if not tracks:
        return None
    vectors = [likeness_vector(image, points)
               for track in tracks
               for image, points in zip(track.images, track.landmarks, strict=True)]  # fmt: skip
    return np.asarray(np.mean(vectors, axis=0), np.float32)
