"""Film in, film out: every chosen face painted anew, sound kept, labelled.

Three passes over the film: faces are found and their way through time is smoothed, crops are
painted and merged, and the film is written with its labels. The first two are kept as they go, so
a stop or kill costs next to nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.errors import InputError
from unmask.faces.alignment import AlignedFace, align_region
from unmask.forge.conversion_resume import JOURNAL, WorkFolder, painted
from unmask.forge.conversion_settings import (
    Converted,
    ConvertSettings,
    OnProgress,
    check_kind,
)
from unmask.forge.cutting import CutSettings, Placed, placed_faces, seen_frames
from unmask.forge.film_clock import at_constant_rate, constant_rate
from unmask.forge.following import Choice, SeenFrame, people_at_once, shared_finder
from unmask.forge.forged_masks import MaskKeeper
from unmask.forge.journal import Journal
from unmask.forge.merging import LEARNED, Patch, merge_face
from unmask.forge.paint_plan import PaintRequest, checked_plan
from unmask.forge.painters import Painter, Studio, studio_of
from unmask.generators.material import FaceTrack
from unmask.media import open_media
from unmask.media.audio import has_sound
from unmask.media.sound_track import cut_sound, sound_damage
from unmask.provenance import ForgeryLabel, write_labelled_film, write_labelled_picture
from unmask.types import Limits

if TYPE_CHECKING:
    from unmask.media import Media
    from unmask.types import Frame, Image

__all__ = ["ConvertSettings", "Converted", "convert"]

_CHUNK_FRAMES, _CHUNK_PIXELS = 32, 24_000_000
_TURNED_DEG = 50.0
_SOFT = 2.0


def convert(
    path: Path,
    out: Path,
    request: PaintRequest,
    settings: ConvertSettings | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> Converted:
    """Forge the faces of a film or picture, with all labels, or write nothing.

    Args:
        path: Film, animation or picture.
        out: ``.mp4`` for films, ``.jpg`` or ``.png`` for pictures.
        request: What paints.
        settings: How.
        on_progress: Called with what is being done, how much of it is, and of how much.

    Raises:
        ConsentMissing: No statement of consent came where one is needed.
        UsageError: Options do not fit each other or the generator.
        InputError: Something cannot be read, or no frame shows a face.
        OutputRefused, LabelFailed: Nothing was written; unfinished work is kept.
    """
    settings = settings or ConvertSettings()
    plan, label = checked_plan(path, out, request, settings.consent, facts=_declared(settings))
    with open_media(path, limits=Limits(), sampling=_choice(settings).sampling) as media:
        check_kind(media, out)
        job = _Job(media, path, out, studio_of(plan), label, settings, on_progress)
        return job.picture() if media.info.kind == "image" else job.film(request.audio)


@dataclass(slots=True, eq=False)
class _Job:
    media: Media
    path: Path
    out: Path
    studio: Studio
    label: ForgeryLabel
    settings: ConvertSettings
    on_progress: OnProgress | None
    sound_note: str = ""

    @property
    def painter(self) -> Painter:
        return self.studio.painter

    def film(self, audio: Path | None) -> Converted:
        choice = _choice(self.settings)
        work = WorkFolder(self.out, self._digest(), fresh=self.settings.fresh)
        frames = self._found(choice, work)
        placed = self._placed(frames)
        self._paint(choice, placed, work)
        sound = self._sound(audio, frames, work)
        keeper = self._keeper()
        rate = constant_rate([frame.pts_s for frame in frames], self.media.info.frame_rate)
        start_s = frames[0].pts_s
        pictures = at_constant_rate(self._laid(choice, placed, work, keeper), rate, start_s)
        write_labelled_film(
            work.film, pictures, rate, self.label, audio_from=sound, crf=self.settings.crf
        )
        work.deliver()
        if keeper is not None:
            keeper.finish()
        work.remove()
        return Converted(self.out, len(frames), len(placed), self._notes(frames, placed))

    def picture(self) -> Converted:
        choice = Choice()
        frames = seen_frames(self.media, choice, shared_finder())
        placed = self._placed(frames)
        number, frame = next(choice.of(self.media))
        keeper = self._keeper()
        image = frame.image
        for place, face in enumerate(placed[number]):
            patch = self._merged(image, face, *self._painted([(frame, face)])[0])
            if patch is not None:
                image = patch.laid_on(image)
            if keeper is not None:
                keeper.add(face, place, patch, frame.image.shape)
        write_labelled_picture(self.out, image, self.label)
        if keeper is not None:
            keeper.finish()
        return Converted(self.out, 1, 1, self._notes(frames, placed))

    def _found(self, choice: Choice, work: WorkFolder) -> list[SeenFrame]:
        """The first pass; its result depends on the film and the stretch alone."""
        digest = f"{self.media.info.sha256} {choice}"
        total, done = choice.count(self.media.info), 0

        def advance() -> None:
            nonlocal done
            done += 1
            self._tell("finding faces", done, total)

        with Journal(work.path / JOURNAL, digest) as journal:
            frames = seen_frames(
                self.media,
                choice,
                shared_finder(),
                known=journal.seen.get(0),
                on_seen=lambda frame: journal.add_seen(0, frame),
                on_frame=advance,
            )
        if not frames:
            raise InputError(
                f"{self.path.name} has no frame between {self.settings.start_s:g} s and its end.",
                hint="Give another --trim.",
            )
        return frames

    def _placed(self, frames: list[SeenFrame]) -> dict[int, list[Placed]]:
        settings = CutSettings(
            self.painter.size_px,
            self.painter.margin,
            which=self.settings.which,
            sigma_s=self.settings.sigma_s,
        )
        placed = placed_faces(frames, settings)
        if not placed:
            raise InputError(
                f"No face was found in {self.path.name} ({len(frames)} frames looked at).",
                hint="Faces of at least 16 pixels that are not turned to full profile are found.",
            )
        return placed

    def _paint(self, choice: Choice, placed: dict[int, list[Placed]], work: WorkFolder) -> None:
        """The second pass: paint what was not painted before."""
        info = self.media.info
        room = max(1, min(_CHUNK_FRAMES, _CHUNK_PIXELS // (info.width_px * info.height_px)))
        missing = {
            number
            for number, faces in placed.items()
            if not all(work.has(number, place) for place in range(len(faces)))
        }
        done = len(placed) - len(missing)
        chunk: list[tuple[int, Frame]] = []
        for number, frame in choice.of(self.media) if missing else ():
            if number in missing:
                chunk.append((number, frame))
                missing.discard(number)
            if len(chunk) == room or (chunk and not missing):
                self._paint_chunk(chunk, placed, work)
                done += len(chunk)
                self._tell("painting faces", done, len(placed))
                chunk = []
            if not missing:
                break

    def _paint_chunk(
        self, chunk: list[tuple[int, Frame]], placed: dict[int, list[Placed]], work: WorkFolder
    ) -> None:
        wanted = [(frame, face) for number, frame in chunk for face in placed[number]]
        results = iter(self._painted(wanted))
        for number, frame in chunk:
            image = frame.image
            for place, face in enumerate(placed[number]):
                patch = self._merged(image, face, *next(results))
                if patch is not None:  # faces that overlap are painted one over the other
                    image = patch.laid_on(image)
                work.keep(number, place, patch)

    def _painted(self, wanted: list[tuple[Frame, Placed]]) -> list[tuple[Image, Any]]:
        """Crops of some faces painted: each with its learned mask or None, in their order."""
        crops = [
            align_region(frame.image, face.region, self.painter.size_px) for frame, face in wanted
        ]
        results: dict[int, tuple[Image, Any]] = {}
        for track in sorted({face.track for _, face in wanted}):
            rows = [row for row, (_, face) in enumerate(wanted) if face.track == track]
            made = self.painter.paint(self._track([wanted[row] for row in rows],
                                                  [crops[row] for row in rows]))  # fmt: skip
            for at, row in enumerate(rows):
                mask = None if made.masks is None else made.masks[at]
                results[row] = made.images[at], mask
        return [results[row] for row in range(len(wanted))]

    def _track(self, wanted: list[tuple[Frame, Placed]], crops: list[AlignedFace]) -> FaceTrack:
        pairs = zip(crops, wanted, strict=True)
        return FaceTrack(
            name=self.path.name,
            images=np.stack([crop.image for crop in crops]),
            landmarks=np.stack([crop.points(face.landmarks) for crop, (_, face) in pairs]),
            # New speech begins where the new film does.
            pts_s=np.array([frame.pts_s - self.settings.start_s for frame, _ in wanted]),
            frame_rate=self.media.info.frame_rate or 0.0,
        )

    def _merged(self, image: Image, face: Placed, made: Image, mask: Any) -> Patch | None:
        default = self.painter.mask if mask is None else LEARNED
        return merge_face(
            image,
            made,
            face.region,
            face.landmarks,
            self.settings.merge.with_mask(default),
            crop_px=self.painter.size_px,
            learned=mask,
        )

    def _laid(
        self,
        choice: Choice,
        placed: dict[int, list[Placed]],
        work: WorkFolder,
        keeper: MaskKeeper | None,
    ) -> Iterator[tuple[float, Image]]:
        """The third pass: the film with everything painted in its place."""
        total = choice.count(self.media.info)
        for done, (number, frame) in enumerate(choice.of(self.media), 1):
            faces = placed.get(number, [])
            patches = [work.patch(number, place) for place in range(len(faces))]
            if keeper is not None:
                for place, face in enumerate(faces):
                    keeper.add(face, place, patches[place], frame.image.shape)
            yield frame.pts_s, painted(frame.image, patches)
            self._tell("writing the film", done, total)

    def _sound(self, audio: Path | None, frames: list[SeenFrame], work: WorkFolder) -> Path | None:
        source = self.path if audio is None else audio
        if not has_sound(source):
            return None
        if damage := sound_damage(source):
            self.sound_note = (
                f"The sound of {source.name} is damaged ({damage}); the rest was kept."
            )
        first_s, last_s = frames[0].pts_s, frames[-1].pts_s
        if audio is not None or (first_s <= 0 and self.settings.end_s is None):
            return source
        step_s = (last_s - first_s) / max(1, len(frames) - 1) or 0.04
        part = work.path / "sound.mka"
        return cut_sound(self.path, part, start_s=first_s, end_s=last_s + step_s)

    def _keeper(self) -> MaskKeeper | None:
        if self.settings.keep_masks is None:
            return None
        return MaskKeeper(
            self.settings.keep_masks, self.media.info, self.painter.size_px, self.painter.margin
        )

    def _notes(self, frames: list[SeenFrame], placed: dict[int, list[Placed]]) -> tuple[str, ...]:
        kept = self.studio.restoring.note() if self.studio.restoring is not None else ""
        notes = [*self.studio.notes, *filter(None, [self.sound_note, kept])]
        untouched = len(frames) - len(placed)
        if untouched:
            notes.append(f"{untouched} of {len(frames)} frames show no such face and went through "
                         "as they were.")  # fmt: skip
        if self.settings.which == "largest" and people_at_once(frames) > 1:
            notes.append(
                f"Up to {people_at_once(frames)} people are seen at once; the largest of each shot "
                "was taken. Choose with --face 1, 2, ... or all."
            )
        every = [face for some in placed.values() for face in some]
        across = float(np.median([face.region.side_px for face in every]))
        if across > _SOFT * self.painter.size_px:
            notes.append(
                f"The squares around the faces are {across:.0f} pixels wide and painted with "
                f"{self.painter.size_px}, so they look soft. --sharpen or --restore may help."
            )
        turned = sum(abs(face.frame.faces[face.place].yaw_deg) > _TURNED_DEG for face in every)
        if turned:
            notes.append(
                f"{turned} of {len(every)} faces are turned by more than {_TURNED_DEG:.0f} "
                "degrees; forgeries of these look wrong."
            )
        if self.media.stopped_early:
            notes.append(f"The film could not be read whole: {self.media.stopped_early}.")
        return tuple(notes)

    def _digest(self) -> str:
        """Of all that decides what is painted into the film."""
        settings = self.settings
        facts = [
            self.media.info.sha256,
            self.studio.digest,
            asdict(settings.merge),
            [settings.which, settings.start_s, settings.end_s, settings.sigma_s],
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _tell(self, what: str, done: int, total: int | None) -> None:
        if self.on_progress is not None:
            self.on_progress(what, done, total)


def _choice(settings: ConvertSettings) -> Choice:
    return Choice(start_s=settings.start_s, end_s=settings.end_s)


def _declared(settings: ConvertSettings) -> dict[str, Any]:
    """What the label says of the settings."""
    merge = settings.merge
    facts: dict[str, Any] = {"mask": merge.mask, "colour": merge.colour, "blend": merge.blend}
    if settings.start_s or settings.end_s is not None:
        facts["trim_s"] = [settings.start_s, settings.end_s]
    return facts
