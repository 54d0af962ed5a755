"""A picture that moves as a film does: the other direction of converting, with the same care."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import UsageError
from unmask.forge.conversion_resume import WorkFolder
from unmask.forge.conversion_settings import (
    Converted,
    ConvertSettings,
    OnProgress,
    check_names,
)
from unmask.forge.film_clock import at_constant_rate, constant_rate
from unmask.forge.following import Choice
from unmask.forge.labels import ADDED, ORIGINAL, label_of_conversion
from unmask.forge.material_of import read_material
from unmask.forge.merging import Patch
from unmask.forge.paint_plan import animator_record
from unmask.forge.painters import load_animator
from unmask.forge.run_record import RECORD, WEIGHTS
from unmask.media import hash_file
from unmask.media.audio import has_sound
from unmask.media.sound_track import cut_sound, sound_damage
from unmask.provenance import Ingredient, write_labelled_film
from unmask.provenance.labelled import FILMS, check_label

if TYPE_CHECKING:
    from unmask.forge.run_record import RunRecord
    from unmask.generators.material import FaceTrack
    from unmask.generators.uses import FaceAnimator
    from unmask.provenance import ForgeryLabel
    from unmask.types import Image

_CHUNK_FRAMES = 32
# Below this a film is too small to be looked at; enlarging it invents nothing.
_MIN_SIDE_PX = 256


def animate(
    picture: Path,
    driving: Path,
    out: Path,
    run: Path,
    settings: ConvertSettings | None = None,
    *,
    relative: bool = True,
    on_progress: OnProgress | None = None,
) -> Converted:
    """Animate the face of a picture as the face of a film moves, with all labels.

    The new film shows the square around the picture's face, with the driving film's sound.

    Args:
        picture: One picture with a face.
        driving: A film; of several shots or people the longest run of the largest face counts.
        out: ``.mp4``.
        run: Folder of a motion model's run.
        settings: Consent, stretch and face of the driving film, quality. What is for putting faces
            back (merging, smoothing, kept masks) is refused.
        relative: Transfer motion since the first frame (True), or positions as they are.
        on_progress: Called with what is being done, how much of it is, and of how much.

    Raises:
        ConsentMissing: No statement of consent came.
        UsageError: The run does not animate pictures, a setting has no use, or the name of the
            output does not fit or is an input's.
        InputError: Something cannot be read or shows no face.
        OutputRefused, LabelFailed: Nothing was written; unfinished work is kept.
    """
    settings = settings or ConvertSettings()
    record, label = checked_animation(picture, driving, out, run, settings)
    generator = load_animator(run)
    choice = Choice(start_s=settings.start_s, end_s=settings.end_s)
    size_px = generator.config.size_px
    source = read_material([picture], size_px=size_px, margin=record.margin, one_region=True,
                           choice=Choice(frames=1), which=_first_or(settings.which))[0]  # fmt: skip
    tracks = read_material([driving], size_px=size_px, margin=record.margin, one_region=True,
                           choice=choice, which=settings.which)  # fmt: skip
    motion = max(tracks, key=len)
    digest = _digest([run / RECORD, run / WEIGHTS, picture, driving], relative, settings)
    work = WorkFolder(out, digest, fresh=settings.fresh)
    _paint(generator, source.part(0, 1), motion, work, relative, on_progress)
    rate = constant_rate(list(motion.pts_s), motion.frame_rate)
    frames = _frames(work, motion, on_progress)
    sound = None
    if has_sound(driving):
        first_s, last_s = float(motion.pts_s[0]), float(motion.pts_s[-1])
        sound = cut_sound(driving, work.path / "sound.mka", start_s=first_s,
                          end_s=last_s + float(1 / rate))  # fmt: skip
    write_labelled_film(
        work.film,
        at_constant_rate(frames, rate, float(motion.pts_s[0])),
        rate,
        label,
        audio_from=sound,
        crf=settings.crf,
    )
    work.deliver()
    work.remove()
    notes = _notes(tracks, motion, driving)
    if sound is not None and (damage := sound_damage(driving)):
        notes += (f"The sound of {driving.name} is damaged ({damage}); the rest was kept.",)
    return Converted(out, len(motion), len(motion), notes)


def checked_animation(
    picture: Path, driving: Path, out: Path, run: Path, settings: ConvertSettings
) -> tuple[RunRecord, ForgeryLabel]:
    """Refuse at once what cannot be animated or labelled; no weights are read and no model.

    Returns:
        The run's record, and what the film will declare.

    Raises:
        ConsentMissing, UsageError, InputError, OutputRefused, LabelFailed: As for :func:`animate`.
    """
    check_names(out, picture, driving)
    record = animator_record(run)
    _check_unused(settings)
    ingredients = (
        Ingredient(picture, "parentOf", ORIGINAL),
        Ingredient(driving, "componentOf", ADDED),
    )
    label = label_of_conversion(record, ingredients, consent=settings.consent)
    check_label(out, label, FILMS)
    return record, label


def _check_unused(settings: ConvertSettings) -> None:
    plain = ConvertSettings()
    merging = [
        f"--{name}"
        for name in ("mask", "erode", "feather", "colour", "blend", "sharpen")
        if getattr(settings.merge, name) != getattr(plain.merge, name)
    ]
    smooth = ["--smooth"] if settings.sigma_s != plain.sigma_s else []
    masks = ["--keep-masks"] if settings.keep_masks is not None else []
    refuse_unused([*merging, *smooth, *masks])


def refuse_unused(options: Sequence[str]) -> None:
    """Refuse options that animating would drop.

    Raises:
        UsageError: There are some.
    """
    if options:
        raise UsageError(
            f"Animating a picture has no use for {', '.join(options)}: the whole square is the "
            "generator's, and nothing is put back into a film.",
            hint="Leave out what --driving has no use for; --trim, --face, --absolute, --crf and "
            "--fresh go with it.",
        )


def _first_or(which: str | int) -> str | int:
    """Of a picture the largest face, whoever is asked for in the film."""
    return "largest" if isinstance(which, int) or which == "all" else which


def _paint(
    generator: FaceAnimator,
    source: FaceTrack,
    motion: FaceTrack,
    work: WorkFolder,
    relative: bool,
    on_progress: OnProgress | None,
) -> None:
    """Animate what was not animated before, a stretch at a time.

    Relative motion is counted from the first frame, so it leads every stretch.
    """
    missing = [number for number in range(len(motion)) if not work.has(number, 0)]
    for start in range(0, len(missing), _CHUNK_FRAMES):
        numbers = missing[start : start + _CHUNK_FRAMES]
        rows = np.array([0, *numbers])
        stretch = replace(motion, images=motion.images[rows], landmarks=motion.landmarks[rows],
                          pts_s=motion.pts_s[rows])  # fmt: skip
        moved = generator.animate(source, stretch, relative=relative)[1:]
        for number, image in zip(numbers, moved, strict=True):
            work.keep(number, 0, Patch(0, 0, image, np.full(image.shape[:2], 255, np.uint8)))
        if on_progress is not None:
            done = len(motion) - len(missing) + start + len(numbers)
            on_progress("animating", done, len(motion))


def _frames(
    work: WorkFolder, motion: FaceTrack, on_progress: OnProgress | None
) -> Iterator[tuple[float, Image]]:
    for number, pts_s in enumerate(motion.pts_s):
        patch = work.patch(number, 0)
        if patch is not None:
            yield float(pts_s), _large_enough(patch.image)
        if on_progress is not None:
            on_progress("writing the film", number + 1, len(motion))


def _large_enough(image: Image) -> Image:
    if image.shape[0] >= _MIN_SIDE_PX:
        return image
    side = (_MIN_SIDE_PX, _MIN_SIDE_PX)
    return np.asarray(cv2.resize(image, side, interpolation=cv2.INTER_LANCZOS4), np.uint8)


def _digest(files: list[Path], relative: bool, settings: ConvertSettings) -> str:
    facts = f"{relative} {settings.start_s} {settings.end_s} {settings.which}"
    return hashlib.sha256(" ".join([facts, *map(hash_file, files)]).encode()).hexdigest()


def _notes(tracks: list[FaceTrack], motion: FaceTrack, driving: Path) -> tuple[str, ...]:
    frames = sum(map(len, tracks))
    if len(tracks) == 1:
        return ()
    return (
        f"{driving.name} shows {len(tracks)} shots or people; the longest run, {len(motion)} of "
        f"{frames} frames, was used. Choose with --trim and --face.",
    )
