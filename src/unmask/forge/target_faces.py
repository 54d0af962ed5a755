"""The real faces that forgeries are made from, wherever they lie, read as a face store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.datasets.store import FaceColumns, FaceStore, StoredFace
from unmask.errors import NotFound
from unmask.forge.alignments import FILE as ALIGNMENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.faces_of import Loss
    from unmask.datasets.faces_of_film import FaceCut
    from unmask.datasets.preprocessing import Preprocessing
    from unmask.generators.material import FaceTrack

_CACHE, _SHARDS, _BEGUN = "index.npz", "manifest.parquet", "preparation.json"
# A cheek-to-cheek share of 1 is about a quarter turn, as in the stores of the trainer.
_DEG_PER_TURN = 90.0
OnSource = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class KnownFace:
    """One face and what is known of it, before it is a row of a store."""

    face: StoredFace
    video_id: str
    source_id: str
    frame_index: int
    pts_s: float
    face_px: float
    sharpness: float
    yaw_deg: float
    crop_xyxy: tuple[float, float, float, float]


class HeldStore:
    """Real faces held in memory; a :class:`unmask.datasets.store.FaceStore`.

    Args:
        data_set: What they are called.
        faces: The faces, in order.
        losses: What was looked at and gave no face, or fewer than it should.
        sounds: Film or sound file with the sound of each video, where there is some.
    """

    def __init__(
        self,
        data_set: str,
        faces: Sequence[KnownFace],
        losses: Sequence[Loss] = (),
        sounds: Mapping[str, Path] | None = None,
    ) -> None:
        self._faces = list(faces)
        self.losses = tuple(losses)
        self.sounds = dict(sounds or {})
        count = len(self._faces)
        ids = [f"{one.video_id}#{one.frame_index}" for one in self._faces]
        texts = {"sample_id": ids, "data_set": [data_set] * count, "method": ["real"] * count,
                 "split": [""] * count, "compression": [""] * count,
                 "groups": ["{}"] * count}  # fmt: skip
        for name in ("video_id", "source_id"):
            texts[name] = [getattr(one, name) for one in self._faces]
        numbers = {
            name: np.array([getattr(one, name) for one in self._faces], kind)
            for name, kind in (("frame_index", np.int32), ("pts_s", np.float32),
                               ("face_px", np.float32), ("sharpness", np.float32),
                               ("yaw_deg", np.float32))
        }  # fmt: skip
        made: dict[str, Any] = {name: np.array(texts[name], np.str_) for name in texts}
        made |= numbers | {"y_true": np.zeros(count, np.int8)}
        self.columns = FaceColumns(**{one.name: made[one.name] for one in fields(FaceColumns)})

    def __len__(self) -> int:
        return len(self._faces)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``."""
        return self._faces[row].face

    def column(self, name: str) -> NDArray[Any]:
        """``crop_xyxy``: where each square lay in its frame.

        Raises:
            KeyError: Another column.
        """
        if name != "crop_xyxy":
            raise KeyError(name)
        boxes = np.empty(len(self._faces), object)
        boxes[:] = [np.array(one.crop_xyxy) for one in self._faces]
        return boxes


def open_faces(path: Path, *, on_source: OnSource | None = None) -> FaceStore:
    """Open the faces at ``path``, whatever kind of folder it is.

    Args:
        path: Shards or a cache of ``unmask data prepare`` and ``unmask train``; a folder that
            ``unmask forge extract`` wrote; a film, a picture, or a folder of these. Of pictures
            in folders of their own, the folder is whose they are.
        on_source: Called with the name of each film or picture before faces are looked for.

    Raises:
        NotFound: There is nothing there, or no face in it.
        InputError: It cannot be read.
    """
    from unmask.train.face_stores import open_store

    if any((path / name).is_file() for name in (_CACHE, _SHARDS, _BEGUN)):
        return open_store(path)
    losses: list[Loss] = []
    sounds: dict[str, Path] = {}
    if (path / ALIGNMENTS).is_file():
        faces = _extracted(path, sounds)
    else:
        faces = _found(path, on_source, losses, sounds)
    if not faces:
        raise NotFound(
            f"No face was found in {path}.",
            hint="Give shards, a folder of 'unmask forge extract', or pictures with faces.",
        )
    return HeldStore(path.stem, faces, losses, sounds)


def _extracted(folder: Path, sounds: dict[str, Path]) -> list[KnownFace]:
    from unmask.forge.alignments import read_alignments
    from unmask.forge.material_of import read_material

    known = read_alignments(folder)
    tracks = read_material(
        [folder], size_px=known.size_px, margin=known.margin, one_region=known.one_region
    )
    heard = {source.name: folder / source.audio for source in known.sources if source.audio}
    for track in tracks:
        # A second person or shot of a film has the film's name and a number.
        for name in (track.name.rpartition("#")[0], track.name):
            if name in heard:
                sounds[track.name] = heard[name]
    return [face for track in tracks for face in _of_track(track)]


def _of_track(track: FaceTrack) -> list[KnownFace]:
    from unmask.faces.quality import sharpness
    from unmask.train.pairs import face_turn

    side = float(track.images.shape[1])
    rate = track.frame_rate or 1.0
    first = float(track.pts_s[0])
    return [
        KnownFace(
            StoredFace(image, points, None), track.name, track.person or track.name,
            round((float(time) - first) * rate), float(time), float(np.ptp(points, axis=0).max()),
            sharpness(image, points), _DEG_PER_TURN * face_turn(points), (0.0, 0.0, side, side),
        )
        for image, points, time in zip(track.images, track.landmarks, track.pts_s, strict=True)
    ]  # fmt: skip


def _found(
    path: Path, on_source: OnSource | None, losses: list[Loss], sounds: dict[str, Path]
) -> list[KnownFace]:
    """Faces of films and pictures at their own resolution, cut as ``data prepare`` cuts them.

    What gives none is added to ``losses``, films with sound to ``sounds``.
    """
    from unmask.datasets.base import MediaItem
    from unmask.datasets.faces_of import ItemReader
    from unmask.datasets.preprocessing import Preprocessing
    from unmask.faces import assets
    from unmask.forge.sources import face_sources
    from unmask.media.audio import has_sound

    assets.ensure()
    # Bursts of neighbouring frames, so that films can be forged as films.
    how: Preprocessing = Preprocessing(frames=32, burst=8)
    still: Preprocessing = Preprocessing(frames=1)
    root = path if path.is_dir() else path.parent
    readers = {True: ItemReader(root, how), False: ItemReader(root, still)}
    faces: list[KnownFace] = []
    for source in face_sources([path]):
        if on_source is not None:
            on_source(source.name)
        item = MediaItem(
            source.path.relative_to(root), source.name, source.person or source.name, 0, "real"
        )
        found = readers[_is_film(source.path)].read(item)
        if not found.cuts and _is_film(source.path):  # shorter than a burst
            found = readers[False].read(item)
        faces += [_of_cut(cut, item) for cut in found.cuts]
        losses += found.losses
        if found.cuts and has_sound(source.path):
            sounds[source.name] = source.path
    return faces


def _is_film(path: Path) -> bool:
    from unmask.errors import InputError
    from unmask.media import open_media
    from unmask.types import Limits

    try:
        with open_media(path, limits=Limits()) as media:
            return media.info.kind != "image"
    except InputError:
        return False  # the reader will say what is wrong with it


def _of_cut(cut: FaceCut, item: Any) -> KnownFace:
    box = cut.box
    return KnownFace(
        StoredFace(cut.image, cut.landmarks, None), item.video_id, item.source_id,
        cut.frame_index, cut.pts_s, cut.face_px, cut.sharpness, cut.yaw_deg,
        (float(box.left), float(box.top), float(box.right), float(box.bottom)),
    )  # fmt: skip
