"""Small stores of real faces, and runs of untrained generators, for tests of the forge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image


def held_store(portraits: dict[str, Image], frames: int = 1, copies: int = 1) -> HeldStore:
    """Two people, ``copies`` times (each counts as another, every second one mirrored)."""
    from unmask.datasets.store import StoredFace
    from unmask.faces.finder import FaceFinder
    from unmask.forge.target_faces import HeldStore, KnownFace

    finder, faces = FaceFinder(max_faces=1), []
    for name, image in portraits.items():
        for copy in range(copies):
            mirrored = copy % 2 == 1
            shown = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
            found = finder.find(shown)[0]
            low, high = found.landmarks.min(0), found.landmarks.max(0)
            half = float((high - low).max()) * 0.9
            left, top = (max(0, int(v)) for v in (low + high) / 2 - half)
            crop = shown[top : top + int(2 * half), left : left + int(2 * half)]
            scale = 160 / crop.shape[0]
            crop = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale), np.uint8)
            points = ((found.landmarks - [left, top]) * scale).astype(np.float32)
            source = f"{name}{'-mirrored' * mirrored}{f'-{copy}' * (copy > 1)}"
            faces += [
                KnownFace(StoredFace(crop, points, None), f"{source}.mp4", source, number,
                          number / 25, 120.0, 40.0, 0.0, (0.0, 0.0, 160.0, 160.0))
                for number in range(frames)
            ]  # fmt: skip
    return HeldStore("portraits", faces)


def untrained_run(folder: Path, generator_id: str, consent: str = "They agreed, for tests") -> Path:
    """A run as training leaves it, with the weights that a generator begins with."""
    from unmask.forge.run_record import RunRecord, write_record
    from unmask.forge.training import WEIGHTS
    from unmask.generators.base import GENERATORS
    from unmask.train import run_files

    cls = GENERATORS.get(generator_id)
    config = cls.config_class.from_mapping(dict(cls.small))
    generator = cls(config, seed=3)
    folder.mkdir(parents=True)
    kept = consent if cls.spec.needs_consent else ""
    record = RunRecord(generator_id, config.to_mapping(), 3, 1.5, ("portraits",), (2, 1), kept,
                       generator.facts())  # fmt: skip
    write_record(folder, record)
    state = {"method": generator_id, "networks": generator.networks.state_dict()}
    run_files.save(folder / WEIGHTS, state)
    return folder
