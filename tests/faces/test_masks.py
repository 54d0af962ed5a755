"""Masks from landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmask.faces import topology
from unmask.faces.masks import MASK_KINDS, face_mask

if TYPE_CHECKING:
    from unmask.types import Face


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_every_kind_is_a_part_of_the_face(astronaut_face: Face, kind: str) -> None:
    mask = face_mask(astronaut_face.landmarks, 512, 512, kind=kind)
    assert mask.shape == (512, 512)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    oval = face_mask(astronaut_face.landmarks, 512, 512, kind="oval", grow=0.05)
    assert (oval >= mask).all()


def test_masks_hold_what_they_are_named_after(astronaut_face: Face) -> None:
    def value(kind: str, indices: tuple[int, ...]) -> float:
        x, y = astronaut_face.landmarks[list(indices)].mean(0).round().astype(int)
        return float(face_mask(astronaut_face.landmarks, 512, 512, kind=kind)[y, x])

    assert value("mouth", topology.LIPS) == 1
    assert value("mouth", topology.LEFT_EYE) == 0
    assert value("eyes_and_nose", topology.LEFT_EYE) == 1
    assert value("eyes_and_nose", topology.LIPS) == 0
    assert value("lower_face", topology.LIPS) == 1
    assert value("lower_face", topology.RIGHT_BROW) == 0
    assert value("components", topology.RIGHT_EYE) == 1


def test_grow_dilates_and_erodes(astronaut_face: Face) -> None:
    areas = [
        face_mask(astronaut_face.landmarks, 512, 512, grow=grow).sum() for grow in (-0.1, 0, 0.1)
    ]
    assert areas[0] < areas[1] < areas[2]


def test_a_face_beyond_the_picture_gives_an_empty_mask(astronaut_face: Face) -> None:
    assert face_mask(astronaut_face.landmarks + 5000, 64, 64).sum() == 0


def test_an_unknown_kind_is_refused_with_the_known_ones(astronaut_face: Face) -> None:
    with pytest.raises(ValueError, match="oval"):
        face_mask(astronaut_face.landmarks, 64, 64, kind="ovel")
