"""Two real faces to forge with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from unmask.forgeries import RealFace

if TYPE_CHECKING:
    from unmask.types import Image


@pytest.fixture(scope="session")
def real_faces(face_models: Path, portraits: dict[str, Image]) -> tuple[RealFace, RealFace]:
    """Target and donor, brought to 256 px so that tests are quick."""
    from unmask.faces.finder import FaceFinder

    assert face_models.is_dir()
    finder = FaceFinder(max_faces=1)
    faces = []
    for image in portraits.values():
        landmarks = finder.find(image)[0].landmarks
        low, high = landmarks.min(0), landmarks.max(0)
        half = float((high - low).max()) * 0.9
        x, y = ((low + high) / 2).astype(int)
        left, top = max(0, int(x - half)), max(0, int(y - half))
        crop = image[top : int(y + half), left : int(x + half)]
        scale = np.float32([256 / crop.shape[1], 256 / crop.shape[0]])
        small = np.asarray(cv2.resize(crop, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
        faces.append(RealFace(small, (landmarks - np.float32([left, top])) * scale))
    return faces[0], faces[1]
