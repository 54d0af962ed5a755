"""Measuring a forged film against the film it was made from, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import InputError, NoFrames, UsageError
from unmask.faces.alignment import align_region
from unmask.faces.masks import face_mask
from unmask.forge.evaluation import MOST_FRAMES, Evaluated, add_sync
from unmask.forge.face_comparison import (
    add_likeness,
    compare_faces,
    compare_flicker,
    compare_pixels,
)
from unmask.forge.likeness import likeness_vector
from unmask.forge.measures import HIGHER, Gathered
from unmask.forge.small_faces import SmallFace
from unmask.media import open_media
from unmask.metrics.pictures import psnr
from unmask.train.clips import clip_region
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.types import Face, Frame, Image

_SIDE_PX, _MARGIN = 224, 1.4
_WHAT = "the forged film, against its original"


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One frame of both films with the original's face."""

    original: Image
    forged: Image
    face: Face
    pts_s: float


def evaluate_film(
    original: Path, forged: Path, *, sync_run: Path | None = None, most_frames: int = MOST_FRAMES
) -> Evaluated:
    """Measure a forged film against its original.

    Args:
        original: The film it was made from.
        forged: Of the same size and frame rate.
        sync_run: Run of a sync expert, to measure lips and sound of the forged film; None: not.
        most_frames: At most so many frames, from the start.

    Raises:
        UsageError: The films do not fit each other, or the run is of something else.
        InputError: One cannot be read, or the original shows no face.
    """
    found = Gathered()
    pairs = list(_pairs(original, forged, most_frames))
    if not pairs:
        raise NoFrames(
            f"No face was found in {original.name}.", hint="Give the film that was forged."
        )
    landmarks = np.stack([one.face.landmarks for one in pairs])
    region = clip_region(landmarks, _MARGIN)
    ours, theirs, points = [], [], []
    for one in pairs:
        crop = align_region(one.original, region, _SIDE_PX)
        after = align_region(one.forged, region, _SIDE_PX).image
        local = crop.points(one.face.landmarks)
        ours.append(after)
        theirs.append(crop.image)
        points.append(local)
        _measure(found, one, crop.image, after, local)
    compare_flicker(found, _WHAT, ours, theirs, np.stack(points), forged.name)
    if sync_run is not None:
        _sync(found, sync_run, forged)
    facts = {"original": original.name, "forged": forged.name, "frames": str(len(pairs))}
    return Evaluated("film", "A forged film against its original", found.measures(), facts)


def _measure(found: Gathered, pair: _Pair, before: Image, after: Image, local: np.ndarray) -> None:
    group = str(int(pair.pts_s))  # frames of one second are much alike
    mask = face_mask(local, _SIDE_PX, _SIDE_PX)
    compare_pixels(found, f"{_WHAT}: face", after, before, group, mask)
    height, width = pair.original.shape[:2]
    outside = 1 - face_mask(pair.face.landmarks, height, width, grow=0.15)
    if outside.any():
        ratio = psnr(pair.forged, pair.original, outside)
        note = "What was not to be touched: coding and the visible mark are in it."
        if np.isfinite(ratio):
            found.add(f"{_WHAT}: surroundings", "PSNR", ratio, group, unit="dB", better=HIGHER,
                      note=note)  # fmt: skip
    quality = pair.face.quality
    goal = SmallFace(local, (quality.yaw_deg, quality.pitch_deg, quality.roll_deg))
    seen = compare_faces(found, _WHAT, after, goal, group)
    if seen is not None:
        vectors = likeness_vector(after, seen.landmarks), likeness_vector(before, local)
        add_likeness(found, f"{_WHAT}: before and after", *vectors, group, better="")


def _pairs(original: Path, forged: Path, most: int) -> Iterator[_Pair]:
    from unmask.forge.following import shared_finder

    finder = shared_finder()
    with (
        open_media(original, limits=Limits()) as first,
        open_media(forged, limits=Limits()) as second,
    ):
        both = islice(zip(first.frames(), second.frames(), strict=False), most)
        for taken, (one, other) in enumerate(both):
            _check(one, other, original, forged)
            faces = finder.find(one.image, thorough=taken == 0)
            if faces:
                height, width = (min(pair) for pair in zip(one.image.shape[:2],
                                 other.image.shape[:2], strict=True))  # fmt: skip
                yield _Pair(one.image[:height, :width], other.image[:height, :width], faces[0],
                            one.pts_s)  # fmt: skip


def _check(one: Frame, other: Frame, original: Path, forged: Path) -> None:
    (height, width), (other_height, other_width) = one.image.shape[:2], other.image.shape[:2]
    # H.264 has even sides only, so a column or row may be lost.
    if abs(height - other_height) > 1 or abs(width - other_width) > 1:
        raise UsageError(
            f"{forged.name} is {other_width} x {other_height} pixels, {original.name} "
            f"{width} x {height}.",
            hint="Give the film that was forged, in its own size.",
        )


def _sync(found: Gathered, run: Path, film: Path) -> None:
    from unmask.forge.material_of import read_material
    from unmask.forge.training import load_generator

    expert, record = load_generator(run)
    if not hasattr(expert, "confidence_and_distance"):
        raise UsageError(
            f"{run} holds a run of {expert.spec.id}, which does not compare lips with speech.",
            hint="Give a run of sync_net with --sync.",
        )
    tracks = read_material(
        [film], size_px=expert.config.size_px, margin=record.margin,
        one_region=False, audio=True,
    )  # fmt: skip
    try:
        add_sync(found, _WHAT, expert, tracks[0])
    except InputError as error:
        raise UsageError(error.message, hint=error.hint) from error
