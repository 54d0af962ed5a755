"""The face models, loaded once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unmask.faces.finder import FaceFinder

if TYPE_CHECKING:
    from unmask.types import Face, Image


@pytest.fixture(scope="session")
def finder(face_models: Path) -> FaceFinder:
    assert face_models.is_dir()
    return FaceFinder(iris=True)


@pytest.fixture(scope="session")
def astronaut(portraits: dict[str, Image]) -> Image:
    return portraits["astronaut"]


@pytest.fixture(scope="session")
def hopper(portraits: dict[str, Image]) -> Image:
    return portraits["hopper"]


@pytest.fixture(scope="session")
def astronaut_face(finder: FaceFinder, astronaut: Image) -> Face:
    return finder.find(astronaut)[0]


@pytest.fixture(scope="session")
def hopper_face(finder: FaceFinder, hopper: Image) -> Face:
    return finder.find(hopper)[0]
