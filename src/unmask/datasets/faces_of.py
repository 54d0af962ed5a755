"""From one film or picture of a data set to its faces, cut out and described.

A forged item that has an original is cut where the *original's* face lies, frame by frame: both
then show the same place, and landmarks do not rest on what the forgery left of the face.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.datasets.faces_of_film import (
    MAX_FACES,
    FaceCut,
    FilmFaces,
    beside,
    faces_in,
    whole_bursts,
)
from unmask.datasets.preprocessing import Preprocessing, film_mask
from unmask.errors import CorruptMedia, InputError, NoFrames, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmask.datasets.base import MediaItem
    from unmask.faces.finder import FaceFinder
    from unmask.types import Image

_KEPT_FILMS = 2  # the items of one source come one after the other
_CHECKS = 3  # frames in which a forgery is looked at, to see that it lies on its original
_LIES_ON = 0.4  # intersection over union of the two faces from which it does
_ALSO_CHANGED = 0.25  # share of the most changed person's change that makes another forged too


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that an item should have given and did not.

    Attributes:
        path: The item, relative to the set's root.
        video_id: Its id.
        lost: ``all``, ``original`` (its own landmarks are used, and no mask is known), ``mask``,
            or ``17 of 32 frames``.
        code: Stable name of the reason: the code of an error, or ``no_face``.
        reason: The reason in words.
    """

    path: str
    video_id: str
    lost: str
    code: str
    reason: str

    @property
    def whole(self) -> bool:
        """Whether nothing of the item was stored."""
        return self.lost == "all"


@dataclass(slots=True)
class ItemFaces:
    """What one item gave.

    Attributes:
        cuts: Faces to store, by person, then by time.
        losses: What is missing of it.
    """

    cuts: list[FaceCut] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)


class ItemReader:
    """Cuts faces out of the items of one set, keeping the latest films at hand.

    Args:
        root: The set's root.
        how: The preprocessing.
        finder: Finds faces; the models must be there where it is not given.
    """

    def __init__(self, root: Path, how: Preprocessing, finder: FaceFinder | None = None) -> None:
        self.root = root
        self._how = how
        self._finder = finder or _own_finder()
        self._kept: OrderedDict[Path, FilmFaces] = OrderedDict()

    def read(self, item: MediaItem) -> ItemFaces:
        """The faces of one item. What goes wrong with it is told in its losses, never raised."""
        found = ItemFaces()
        try:
            film = self._fill(item, found)
        except InputError as error:
            found.cuts = []
            found.losses.append(_loss(item, "all", error))
            return found
        missing = len(film.times_s) - len({cut.place for cut in found.cuts})
        if missing:
            reason = film.stopped or "No face was found there, or the film ends before."
            lost = f"{missing} of {len(film.times_s)} frames"
            found.losses.append(_loss(item, lost, NoFrames(reason)))
        return found

    def _fill(self, item: MediaItem, found: ItemFaces) -> FilmFaces:
        """Cut out the faces of an item; returns the film whose times they have.

        Raises:
            InputError: There is nothing to cut out.
        """
        if not (self.root / item.path).is_file():
            raise NotFound(f"There is no file {item.path.as_posix()}.")
        film = None
        if item.y_true and item.original is not None:
            try:
                film = self._film(item.original, "original")
                found.cuts = self._on_original(item.path, film)
            except InputError as error:
                film = None
                found.losses.append(_loss(item, "original", error))
        if film is None:
            film = self._film(item.path, "file")
            found.cuts = self._alone(film)
        if item.y_true and item.mask is not None:
            try:
                found.cuts = self._with_set_mask(item.mask, film, found.cuts)
            except InputError as error:
                found.losses.append(_loss(item, "mask", error))
        return film

    def _film(self, path: Path, role: str) -> FilmFaces:
        """The faces of a film, found once for all items of a source.

        Raises:
            InputError: It is not there, cannot be read, or shows no face.
        """
        if path not in self._kept:
            if not (self.root / path).is_file():
                raise NotFound(f"There is no {role} {path.as_posix()}.")
            self._kept[path] = faces_in(self.root / path, self._how, self._finder)
            if len(self._kept) > _KEPT_FILMS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(path)
        film = self._kept[path]
        if not film.people:
            raise NoFrames(f"No face was found in the {role} {path.as_posix()}.")
        return film

    def _alone(self, film: FilmFaces) -> list[FaceCut]:
        people = film.people[: self._how.people]
        return [replace(cut, person=who) for who, cuts in enumerate(people) for cut in cuts]

    def _on_original(self, path: Path, film: FilmFaces) -> list[FaceCut]:
        """Cut a forgery where the faces of its original are.

        Raises:
            InputError: It cannot be read, or does not lie on its original.
        """
        people: list[list[FaceCut]] = [[] for _ in film.people]
        spread = np.linspace(0, len(film.times_s) - 1, _CHECKS)
        checks = set(spread.round().astype(int).tolist()) if len(film.times_s) > 1 else set()
        agreed: list[bool] = []
        for place, frame in beside(self.root / path, film, self._how):
            if frame.image.shape != film.shape:
                raise CorruptMedia(
                    f"It is {_size(frame.image.shape)} and its original {_size(film.shape)}."
                )
            here = list(film.at(place))
            if place in checks:
                agreed += self._agrees(frame.image, [cut for _, cut in here])
            for who, cut in here:
                people[who].append(cut.on(frame.image))
        if sum(agreed) * 2 < len(agreed):
            raise CorruptMedia("Its face does not lie where that of its original does.")
        people = [whole_bursts(cuts, self._how.burst) for cuts in people]
        if not any(people):
            raise CorruptMedia("It has no frame at the times of its original's faces.")
        return self._most_changed(people)

    def _agrees(self, image: Image, cuts: Sequence[FaceCut]) -> list[bool]:
        """Whether a face lies where the original has one; empty where there is none to ask."""
        from unmask.faces.detection import iou

        faces = self._finder.find(image, thorough=False)
        if not faces or not cuts:
            return []
        boxes = np.array([face.bbox_xyxy for face in faces], np.float32)
        best = max(float(iou(np.array(cut.bbox_xyxy, np.float32), boxes).max()) for cut in cuts)
        return [best >= _LIES_ON]

    def _most_changed(self, people: list[list[FaceCut]]) -> list[FaceCut]:
        """The forged among the people of a film, the most changed first."""
        changes = [sum(_change(cut) for cut in cuts) for cuts in people]
        order = sorted(range(len(people)), key=lambda who: (-changes[who], who))
        most = changes[order[0]]
        chosen = [who for who in order if changes[who] >= _ALSO_CHANGED * most and people[who]]
        chosen = chosen[: self._how.people if most > 0 else 1]
        return [replace(cut, person=rank) for rank, who in enumerate(chosen) for cut in people[who]]

    def _with_set_mask(self, mask: Path, film: FilmFaces, cuts: list[FaceCut]) -> list[FaceCut]:
        """Put the set's own mask in the place of ours, in every frame that it has.

        Raises:
            InputError: The mask film cannot be read, or is of another size.
        """
        if not (self.root / mask).is_file():
            raise NotFound(f"There is no mask {mask.as_posix()}.")
        masked = list(cuts)
        for place, frame in beside(self.root / mask, film, self._how):
            if frame.image.shape != film.shape:
                raise CorruptMedia(
                    f"Its mask is {_size(frame.image.shape)}, its film {_size(film.shape)}."
                )
            for number, cut in enumerate(masked):
                if cut.place == place:
                    own = film_mask(cut.box.cut(frame.image))
                    masked[number] = replace(cut, mask=own, mask_source="set")
        return masked


@cache
def _own_finder() -> FaceFinder:
    """One a process: loading the models takes as long as many pictures."""
    from unmask.faces.finder import FaceFinder

    return FaceFinder(max_faces=MAX_FACES)


def _loss(item: MediaItem, lost: str, error: InputError) -> Loss:
    return Loss(item.path.as_posix(), item.video_id, lost, error.code, error.message)


def _change(cut: FaceCut) -> float:
    return 0.0 if cut.mask is None else float(cut.mask.mean())


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]} px"
