"""Real faces, each followed by a forgery of it with a drawn setting, made when it is read."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unmask.bench.rounds.space import (
    NEEDS_DONOR,
    VISIBLE_LEVELS,
    Setting,
    compressed,
    forge_with,
    visible_change,
)
from unmask.datasets.store import FaceColumns, StoredFace
from unmask.errors import UsageError
from unmask.forgeries.base import ForgedFace, RealFace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore

_DONORS = 16


class Forge:
    """Forges faces of a store with settings; the same call gives the same picture.

    Args:
        faces: Real faces of at least two originals.
        seed: Seed of donors and of what settings leave open.

    Raises:
        UsageError: There are faces of one original only.
    """

    def __init__(self, faces: FaceStore, seed: int) -> None:
        self.faces, self._seed = faces, seed
        if len(np.unique(faces.columns.source_id)) < 2:
            raise UsageError(
                "Swaps need faces of two originals; there is one.", hint="Choose more faces."
            )

    def forged(self, row: int, setting: Setting, draw: int) -> ForgedFace:
        """Face ``row``, forged; ``draw`` tells apart several of one face."""
        rng = np.random.default_rng((self._seed, row, draw))
        face = self.faces.face(row)
        donor = self._donor(row, rng) if setting.family in NEEDS_DONOR else None
        return forge_with(setting, RealFace(face.image, face.landmarks), donor, rng)

    def _donor(self, row: int, rng: np.random.Generator) -> RealFace:
        columns = self.faces.columns
        others = np.flatnonzero(columns.source_id != columns.source_id[row])
        drawn = rng.choice(others, _DONORS)
        turn = np.abs(columns.yaw_deg[drawn] - columns.yaw_deg[row])
        face = self.faces.face(int(drawn[np.argmin(np.nan_to_num(turn))]))
        return RealFace(face.image, face.landmarks)


class SettingStore:
    """Each real face followed by a forgery; a :class:`unmask.datasets.store.FaceStore`.

    Row 2 n is the real face as its forgery was compressed, row 2 n + 1 the forgery. A setting that
    leaves a face unchanged to the eye is drawn anew, up to a few times.

    Args:
        forge: Makes the forgeries.
        setting_of: The setting of one face, for the ``n``-th try.
        name: Of the data set, in tables.
        draw: Tells apart several stores over the same faces.
    """

    _TRIES = 4

    def __init__(
        self, forge: Forge, setting_of: Callable[[int, int], Setting], name: str, draw: int = 0
    ) -> None:
        self._forge, self._setting_of, self._draw = forge, setting_of, draw
        count = len(forge.faces)
        columns = forge.faces.columns.take(np.repeat(np.arange(count), 2))
        fake = np.tile(np.array([False, True]), count)
        method = np.repeat([setting_of(row, 0).family for row in range(count)], 2)
        self.columns = dataclasses.replace(
            columns,
            data_set=np.full(2 * count, name),
            sample_id=np.where(fake, np.char.add(columns.sample_id, ":forged"), columns.sample_id),
            video_id=np.where(fake, np.char.add(columns.video_id, ":forged"), columns.video_id),
            split=np.full(2 * count, "train"),
            method=np.where(fake, method, "real"),
            y_true=fake.astype(np.int8),
        )

    def __len__(self) -> int:
        return 2 * len(self._forge.faces)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``, forged where that is odd."""
        number, is_fake = divmod(row, 2)
        face = self._forge.faces.face(number)
        if is_fake:
            made = self._forged(number)
            return StoredFace(made.image, face.landmarks, made.mask)
        image = compressed(face.image, self._setting_of(number, 0).compression)
        return StoredFace(image, face.landmarks, np.zeros(image.shape[:2], np.float32))

    def _forged(self, number: int) -> ForgedFace:
        for attempt in range(self._TRIES - 1):
            made = self._try(number, attempt)
            if is_visible(made):
                return made
        return self._try(number, self._TRIES - 1)

    def _try(self, number: int, attempt: int) -> ForgedFace:
        # The columns tell the first one's family, and the real face went through its codec.
        first = self._setting_of(number, 0)
        setting = dataclasses.replace(
            self._setting_of(number, attempt), family=first.family, compression=first.compression
        )
        return self._forge.forged(number, setting, 1000 * self._draw + attempt)


class Tries:
    """Settings tried on faces, one after the other; a face store of forgeries only.

    Attributes:
        columns: Those of the faces.
        visible: (settings x faces,) whether each forgery counts.
    """

    def __init__(
        self, forge: Forge, settings: Sequence[Setting], rows: NDArray[np.int64], draw: int
    ) -> None:
        made = [
            (int(row), forge.forged(int(row), setting, 1_000_000 + draw))
            for setting in settings
            for row in rows
        ]
        self.visible = np.array([is_visible(one) for _, one in made])
        self._faces = [
            StoredFace(one.image, forge.faces.face(row).landmarks, None) for row, one in made
        ]
        self.columns: FaceColumns = forge.faces.columns.take(np.array([row for row, _ in made]))

    def __len__(self) -> int:
        return len(self._faces)

    def face(self, row: int) -> StoredFace:
        """Forgery number ``row``."""
        return self._faces[row]


def is_visible(made: ForgedFace) -> bool:
    """Whether a forgery changed enough to count as one."""
    return visible_change(made) >= VISIBLE_LEVELS


def drawn_settings(
    draw: Callable[[np.random.Generator], Setting], faces: FaceStore, seed: int
) -> Callable[[int, int], Setting]:
    """A setting for each face and try, drawn from a distribution by the face's own name."""
    names: Sequence[str] = faces.columns.sample_id.tolist()

    def setting_of(row: int, attempt: int) -> Setting:
        digest = hashlib.sha256(f"{seed}/{names[row]}/{attempt}".encode()).digest()
        return draw(np.random.default_rng(int.from_bytes(digest[:8], "little")))

    return setting_of
