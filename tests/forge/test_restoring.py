"""Whether a restored face is still the face that came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest
from tests.forge.stores import held_store

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.forge.restoring import Restoring
from unmask.generators.material import FaceTrack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmask.generators.uses import FaceRestorer
    from unmask.types import Image

    Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def people(face_models: Path, portraits: dict[str, Image]) -> list[FaceTrack]:
    assert face_models.is_dir()
    store = held_store(portraits)
    faces = [store.face(row) for row in range(len(store))]
    return [
        FaceTrack(f"{number}", cv2.resize(face.image, (160, 160))[None],
                  face.landmarks[None], np.zeros(1))
        for number, face in enumerate(faces)
    ]  # fmt: skip


def restoring(change: Change) -> Restoring:
    """Stands where a trained restorer does, whose work is known here."""

    class Known:
        def restore(self, track: FaceTrack) -> np.ndarray:
            return np.stack([change(image) for image in track.images])

    return Restoring(cast("FaceRestorer", cast("Any", Known())))


def twice(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def test_an_enlarged_face_is_the_same_face(people: list[FaceTrack]) -> None:
    one = restoring(twice)
    restored = one.restore(people[0])
    assert restored.shape == (1, 320, 320, 3)
    assert one.kept[0] > 0.9
    assert "faces: 1;" in one.note()
    assert "somebody else" not in one.note()


def test_another_face_is_told(people: list[FaceTrack]) -> None:
    other = people[1].images[0]
    one = restoring(lambda _: other)
    one.restore(people[0])
    assert one.kept[0] < 0.65
    assert "somebody else" in one.note()


def test_nothing_restored_is_nothing_said() -> None:
    assert restoring(twice).note() == ""
