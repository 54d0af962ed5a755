"""The samples of one source: its faces as they came, and what each method makes of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from unmask.datasets.base import MediaItem
from unmask.datasets.faces_of import Loss
from unmask.datasets.faces_of_film import FaceCut
from unmask.datasets.preprocessing import CropBox
from unmask.datasets.shards_write import Sample, encode
from unmask.errors import InputError, UsageError
from unmask.forge.face_forgers import CLIP_FRAMES, FACE_DONOR, FILM_DONOR, NO_DONOR, SPEECH_DONOR
from unmask.media.audio import SPEECH_HZ, read_audio
from unmask.train.footage import Footage, FootageStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceColumns, FaceStore
    from unmask.forge.face_forgers import FaceForger, ForgedFootage, SpeechForger
    from unmask.networks.base import NetworkSpec
    from unmask.types import Floats, Image

    Rows = NDArray[np.int64]

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_DONORS = 24
_STILL_RATE = 25.0
# Beyond the last frame: what a method hears at once, and its own delay.
_SPEECH_ROOM_S = 1.0
_DATA_SET = "forged"
_ALTERED = "-original"


def altered_originals(video_ids: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Which of these real samples a method changed, to set them beside its forgeries.

    Self-blending transforms the surroundings of some faces: those are unmanipulated to a detector
    that learns, and yet no longer as they came.
    """
    ends = np.array([name.rpartition("~")[2] for name in video_ids.tolist()])
    return np.char.find(ends, _ALTERED) >= 0


class SampleMaker:
    """Makes the samples of a forged data set, source by source.

    Args:
        faces: Where the faces lie.
        rows: Rows of the real faces.
        splits: Split of each source.
        forgers: The methods.
        per_face: Forgeries of each face by each method.
        seed: Seed of everything.

    Attributes:
        sources: In the order in which they are stored.
        weights: About how many samples each source gives.

    Raises:
        UsageError: A method needs a second person and a split has but one.
    """

    def __init__(
        self,
        faces: FaceStore,
        rows: Rows,
        splits: Mapping[str, str],
        forgers: Sequence[FaceForger],
        per_face: int,
        seed: int,
    ) -> None:
        self._faces, self._splits = faces, splits
        self._forgers, self._per_face, self._seed = forgers, per_face, seed
        columns = faces.columns
        split_of = np.array([splits[str(source)] for source in columns.source_id[rows]])
        self._sounds: Mapping[str, Path] = getattr(faces, "sounds", {})
        self._heard: tuple[str, Floats] = "", np.zeros(0, np.float32)
        self._pools = {str(name): rows[split_of == name] for name in np.unique(split_of)}
        self._footage: dict[int, FootageStore] = {
            frames: FootageStore(faces, rows, _shape(frames))
            for frames in sorted({1, *(one.frames for one in forgers)})
        }
        self._rows: dict[str, list[int]] = {}
        for row in rows.tolist():
            self._rows.setdefault(str(columns.source_id[row]), []).append(row)
        self._numbers = {frames: _by_source(footage) for frames, footage in self._footage.items()}
        self.sources = sorted(self._rows, key=_hashed)
        self.weights = {source: self._weight(source) for source in self.sources}
        self._check_donors()

    def samples(self, source: str, losses: list[Loss]) -> Iterator[Sample]:
        """All samples of one source; what could not be forged is added to ``losses``."""
        for row in self._rows[source]:
            yield self._real(row)
        for forger in self._forgers:
            for number in self._numbers[forger.frames].get(source, []):
                for repeat in range(self._per_face):
                    yield from self._forged(forger, number, repeat, losses)

    def _weight(self, source: str) -> int:
        """Samples of a source: clips also bring their own originals."""
        total = len(self._rows[source])
        for one in self._forgers:
            footage = len(self._numbers[one.frames].get(source, []))
            total += self._per_face * footage * one.frames * (1 if one.frames == 1 else 2)
        return total

    def _check_donors(self) -> None:
        deaf = [one.id for one in self._forgers if one.donor == SPEECH_DONOR]
        for split in self._pools if deaf else ():
            speaking = len({source for _, source in self._speakers(split)})
            if speaking < 2:
                raise UsageError(
                    f"{deaf[0]} needs films of two people with sound, and the split {split!r} has "
                    f"{speaking}.",
                    hint="Give films with sound (or a folder of 'unmask forge extract' of them), "
                    "other --splits, or leave the method out; shards hold no sound.",
                )
        needy = [one.id for one in self._forgers if one.donor in {FACE_DONOR, FILM_DONOR}]
        for split, pool in self._pools.items():
            if needy and len(np.unique(self._faces.columns.source_id[pool])) < 2:
                raise UsageError(
                    f"{needy[0]} needs faces of two people, and the split {split!r} has one.",
                    hint="Give more faces, other --splits, or leave the method out.",
                )

    def _forged(
        self, forger: FaceForger, number: int, repeat: int, losses: list[Loss]
    ) -> Iterator[Sample]:
        footage = self._footage[forger.frames]
        rows = footage.rows[number]
        row = int(rows[0])
        columns = self._faces.columns
        key = f"{columns.data_set[row]}/{columns.sample_id[row]}/{forger.id}/{repeat}"
        rng = np.random.default_rng([self._seed, int(_hashed(key)[:15], 16)])
        _seed_torch(rng)
        target = footage.frames(rows, np.random.default_rng(int(_hashed(key)[:8], 16)))
        code, reason = "no_face", f"{forger.id} left no face that the mesh finds."
        made: ForgedFootage | None = None
        if forger.donor == SPEECH_DONOR:
            try:
                made = self._dubbed(cast("SpeechForger", forger), target, rows, rng)
            except InputError as error:  # a stretch of silence, or speech that is too short
                code, reason = error.code, f"{forger.id}: {error.message}"
        else:
            donor = None if forger.donor == NO_DONOR else self._donor(forger, row, rng)
            made = forger.forge(target, donor, rng)
        if made is None:
            losses.append(Loss(key, str(columns.video_id[row]), "all", code, reason))
            return
        if made.originals is not None and not _same(made.originals, target):
            yield from self._altered_originals(forger, made, made.originals, rows, repeat)
        for place in range(len(made.images)):
            yield self._sample(forger, made, rows, place, repeat)

    def _donor(self, forger: FaceForger, row: int, rng: np.random.Generator) -> Footage:
        """Another source of the same split, turned about the same way."""
        columns = self._faces.columns
        pool = self._pools[self._splits[str(columns.source_id[row])]]
        same_set = pool[columns.data_set[pool] == columns.data_set[row]]
        for candidates in (same_set, pool):
            others = candidates[columns.source_id[candidates] != columns.source_id[row]]
            if len(others):
                break
        drawn = rng.choice(others, _DONORS)
        turn = np.abs(columns.yaw_deg[drawn] - columns.yaw_deg[row])
        best = int(drawn[np.argmin(np.nan_to_num(turn))])
        frames = 1
        if forger.donor == FILM_DONOR:
            # A method that moves one picture still wants a film to move it by.
            frames = forger.frames if forger.frames > 1 else CLIP_FRAMES
        if frames == 1:
            return self._footage[1].frames(np.array([best]), rng)
        clips = self._clips(frames)
        return clips.frames(clips.rows[self._clip_of(clips, best)], rng)

    def _dubbed(
        self, forger: SpeechForger, target: Footage, rows: Rows, rng: np.random.Generator
    ) -> ForgedFootage:
        """A clip that says what another source of its split says somewhere."""
        columns = self._faces.columns
        source = str(columns.source_id[rows[0]])
        others = [name for name, of in self._speakers(self._splits[source]) if of != source]
        speech = self._speech(others[int(rng.integers(len(others)))])
        pts_s = np.asarray(columns.pts_s[rows], np.float64)
        if not (np.diff(pts_s) > 0).all():  # a still that is made to move, or a run played back
            pts_s = np.arange(len(rows)) / _STILL_RATE
        pts_s = pts_s - pts_s[0]
        needed = round((float(pts_s[-1]) + _SPEECH_ROOM_S) * SPEECH_HZ)
        start = int(rng.integers(max(1, len(speech) - needed)))
        return forger.dub(target, pts_s, speech[start : start + needed], rng)

    def _speakers(self, split: str) -> list[tuple[str, str]]:
        """Videos of a split that have sound, each with its source."""
        columns = self._faces.columns
        pool = self._pools[split]
        pairs = set(zip(columns.video_id[pool].tolist(), columns.source_id[pool].tolist(),
                        strict=True))  # fmt: skip
        return sorted(pair for pair in pairs if pair[0] in self._sounds)

    def _speech(self, video: str) -> Floats:
        """The sound of a video; the last one is kept, since clips of a film follow each other."""
        if self._heard[0] != video:
            self._heard = video, read_audio(self._sounds[video])
        return self._heard[1]

    def _clips(self, frames: int) -> FootageStore:
        if frames not in self._footage:
            rows = np.concatenate(list(self._pools.values()))
            self._footage[frames] = FootageStore(self._faces, np.sort(rows), _shape(frames))
        return self._footage[frames]

    def _clip_of(self, clips: FootageStore, row: int) -> int:
        """The clip that holds a row, or else one of the same film."""
        held = np.flatnonzero((clips.rows == row).any(1))
        if not len(held):
            held = np.flatnonzero(clips.columns.video_id == self._faces.columns.video_id[row])
        return int(held[0])

    def _real(self, row: int) -> Sample:
        face = self._faces.face(row)
        item = self._item(row, 0, "real", str(self._faces.columns.video_id[row]))
        return self._encoded(row, item, face.image, face.landmarks, None, "real")

    def _altered_originals(
        self,
        forger: FaceForger,
        made: ForgedFootage,
        originals: Sequence[Image],
        rows: Rows,
        repeat: int,
    ) -> Iterator[Sample]:
        """What the method calls unmanipulated, where that is not the face as it came."""
        frames = _frame_numbers(self._faces.columns, rows)
        for place, image in enumerate(originals):
            row = int(rows[place])
            video = f"{self._faces.columns.video_id[row]}~{forger.id}{_ALTERED}{repeat or ''}"
            item = self._item(row, 0, "real", video)
            name = f"{forger.id}-o{repeat}-f{place:03d}"
            points = made.landmarks[place]
            yield self._encoded(row, item, image, points, None, name, frames[place])

    def _sample(
        self, forger: FaceForger, made: ForgedFootage, rows: Rows, place: int, repeat: int
    ) -> Sample:
        row = int(rows[place])
        video = f"{self._faces.columns.video_id[row]}~{forger.id}{repeat or ''}"
        item = self._item(row, 1, forger.id, video, of_nobody=made.of_nobody)
        name = f"{forger.id}-n{repeat}-f{place:03d}"
        sample = self._encoded(
            row, item, made.images[place], made.landmarks[place], made.masks[place], name,
            _frame_numbers(self._faces.columns, rows)[place],
        )  # fmt: skip
        # Read by whoever streams the tars without the manifest.
        sample.row["synthetic"] = True
        return sample

    def _item(
        self, row: int, y_true: int, method: str, video: str, *, of_nobody: bool = False
    ) -> MediaItem:
        columns = self._faces.columns
        source = str(columns.source_id[row])
        groups = json.loads(str(columns.groups[row])) | {"origin": str(columns.data_set[row])}
        return MediaItem(
            path=Path(str(columns.sample_id[row])),
            video_id=video,
            source_id=video if of_nobody else source,
            y_true=y_true,
            method=method,
            split=self._splits[source],
            compression=str(columns.compression[row]),
            groups=groups,
        )

    def _encoded(
        self,
        row: int,
        item: MediaItem,
        image: Image,
        landmarks: Floats,
        mask: Floats | None,
        name: str,
        frame: int | None = None,
    ) -> Sample:
        from unmask.faces.quality import sharpness

        columns = self._faces.columns
        height, width = image.shape[:2]
        low, high = landmarks.min(0), landmarks.max(0)
        cut = FaceCut(
            place=0,
            frame_index=int(columns.frame_index[row]) if frame is None else frame,
            burst=0,
            pts_s=float(columns.pts_s[row]),
            bbox_xyxy=(float(low[0]), float(low[1]), float(high[0]), float(high[1])),
            box=CropBox(0, 0, width, height, width, height),
            image=image,
            frame_landmarks=landmarks,
            landmarks=landmarks,
            face_px=float(columns.face_px[row]),
            sharpness=sharpness(image, landmarks),
            yaw_deg=float(columns.yaw_deg[row]),
            mask=mask,
            mask_source="" if mask is None else "forge",
        )
        source = f"{columns.data_set[row]}/{columns.sample_id[row]}"
        readable = _UNFIT.sub("_", str(columns.sample_id[row]))[-20:].strip("_") or "face"
        return encode(f"{readable}-{_hashed(source)[:10]}-{name}", _DATA_SET, item, cut)


def _frame_numbers(columns: FaceColumns, rows: Rows) -> list[int]:
    """Frames of a film have numbers of their own; those that were made from a still are counted.

    So are those of a run that is played forwards and backwards.
    """
    numbers = columns.frame_index[rows].tolist()
    if len(set(rows.tolist())) == len(rows):
        return [int(one) for one in numbers]
    return [int(numbers[0]) + place for place in range(len(rows))]


def _by_source(footage: FootageStore) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, source in enumerate(footage.columns.source_id.tolist()):
        found.setdefault(source, []).append(number)
    return found


def _shape(frames: int) -> NetworkSpec:
    """Footage is asked for in the words of a network that would look at it."""
    from unmask.networks.base import NetworkSpec

    kind = "image" if frames == 1 else "clip"
    return NetworkSpec("forging", "-", "-", "spatial", modality=kind, clip_frames=frames)


def _same(originals: Sequence[Image], target: Footage) -> bool:
    """Whether they are the stored face itself; frames of a clip were laid on each other."""
    return len(originals) == 1 and np.array_equal(originals[0], target.frames[0].image)


def _seed_torch(rng: np.random.Generator) -> None:
    """Generators may draw from PyTorch's own generator, too."""
    import torch

    torch.manual_seed(int(rng.integers(2**31)))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
