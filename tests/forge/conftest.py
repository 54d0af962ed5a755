"""Material and a quick generator to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.generators.material import FaceTrack, Material

if TYPE_CHECKING:
    from pathlib import Path


def drawn_track(name: str, shade: int, count: int = 20, side: int = 48) -> FaceTrack:
    """A grey oval that moves, with points where its features would be."""
    rng = np.random.default_rng(shade)
    rows, columns = np.mgrid[:side, :side]
    shape = rng.normal(0, side / 6, (468, 2))
    images, points = [], []
    for number in range(count):
        x, y = side / 2 + 3 * np.sin(number / 3), side / 2 + 3 * np.cos(number / 4)
        oval = ((columns - x) / 14) ** 2 + ((rows - y) / 18) ** 2 < 1
        image = np.where(oval[..., None], [shade, shade // 2, 90], [30, 60, 200 - shade])
        images.append(image.astype(np.uint8))
        points.append(np.clip(shape + np.array([x, y]), 0, side - 1))
    return FaceTrack(
        name, np.stack(images), np.stack(points).astype(np.float32), np.arange(count) / 25.0, 25.0
    )


@pytest.fixture
def two_people() -> Material:
    """Twenty frames of each of two drawn people, the last four held out."""
    one, other = drawn_track("one", 200), drawn_track("other", 90)
    return Material([one.part(0, 16)], [one.part(16, 20)], [other.part(0, 16)],
                    [other.part(16, 20)])  # fmt: skip


@pytest.fixture(autouse=True)
def own_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing and logging stay in the test's own folder."""
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / "identity"))
    monkeypatch.setenv("UNMASK_LOG", str(tmp_path / "log"))
