"""Chosen faces and their forgeries: made once, and anew when the forgeries are others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'train' is not installed")

from tests.forge.stores import held_store

from unmask.bench import forged_choice as rooms
from unmask.bench.face_choice import FaceChoice
from unmask.bench.workplace import Workplace
from unmask.forge.face_forgers import forgers_of

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image


def test_faces_are_forged_once_and_anew_by_other_code(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert face_models.is_dir()
    store = held_store(portraits)

    class OneStore:
        def get(self, _: str) -> HeldStore:
            return store

    said: list[str] = []
    place = Workplace(tmp_path, OneStore(), None, 1, said.append)  # type: ignore[arg-type]

    def forged() -> Path:
        choice = FaceChoice("portraits", "p")
        made = rooms.forged_choice(choice, forgers_of(["face_warping"]), place, split="t", seed=1)
        assert sorted(set(made.columns.method.tolist())) == ["face_warping", "real"]
        return made.folder

    first = forged()
    shards = {path: path.stat().st_mtime_ns for path in first.rglob("*.tar")}
    assert forged() == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*.tar")} == shards
    monkeypatch.setattr(rooms, "code_of_forgeries", lambda: "another version")
    assert forged() != first
