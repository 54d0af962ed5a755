"""Material to train on: two public-domain portraits, moved as a head moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators.material import FaceTrack, Material

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmask.types import Image

FRAMES = 24
_RATE = 25.0


@pytest.fixture(scope="session")
def tracks(face_models: Path, portraits: dict[str, Image]) -> list[FaceTrack]:
    """Two people over a second each, 96 px, with speech-like sound."""
    from unmask.faces.finder import FaceFinder

    assert face_models.is_dir()
    finder = FaceFinder(max_faces=1)
    return [
        moved(name, image, finder.find(image)[0].landmarks, seed)
        for seed, (name, image) in enumerate(portraits.items())
    ]


def moved(name: str, image: Image, landmarks: np.ndarray, seed: int, side: int = 96) -> FaceTrack:
    """A track of a still: shifted, turned and scaled a little more with every frame."""
    low, high = landmarks.min(0), landmarks.max(0)
    centre, reach = (low + high) / 2, float((high - low).max()) * 1.5
    rng = np.random.default_rng(seed)
    images, points = [], []
    for number in range(FRAMES):
        phase = number / FRAMES * 2 * np.pi
        scale = side / reach * (1 + 0.05 * np.sin(phase))
        matrix = cv2.getRotationMatrix2D((0.0, 0.0), 6 * np.sin(phase), scale)
        place = side / 2 + 4 * np.array([np.cos(phase), np.sin(2 * phase)])
        matrix[:, 2] = place - matrix[:, :2] @ centre
        images.append(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT))
        points.append(landmarks @ matrix[:, :2].T + matrix[:, 2])
    seconds = FRAMES / _RATE
    sound = rng.normal(0, 0.1, int(16_000 * seconds)) * np.abs(
        np.sin(np.linspace(0, 12 * np.pi, int(16_000 * seconds)))
    )
    return FaceTrack(
        name,
        np.stack(images).astype(np.uint8),
        np.stack(points).astype(np.float32),
        np.arange(FRAMES) / _RATE,
        _RATE,
        sound.astype(np.float32),
        name,
    )


@pytest.fixture(scope="session")
def material_for(tracks: list[FaceTrack]) -> Callable[[str], Material]:
    """Material of a kind of :data:`unmask.generators.base.MATERIALS`."""

    def build(kind: str) -> Material:
        first, second = tracks
        if kind == "two_people":
            cut = FRAMES - 4
            return Material([first.part(0, cut)], [first.part(cut, FRAMES)],
                            [second.part(0, cut)], [second.part(cut, FRAMES)])  # fmt: skip
        if kind == "faces":
            stills = [
                FaceTrack(f"{track.name}-{n}", track.images[n : n + 1],
                          track.landmarks[n : n + 1], track.pts_s[n : n + 1], person=track.name)
                for track in tracks for n in range(0, FRAMES, 2)
            ]  # fmt: skip
            return Material(stills[:-2], stills[-2:])
        return Material([first, second], [second])

    return build
