"""Sheets of equal faces carry their labels, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from unmask.errors import LabelFailed
from unmask.forge import labels
from unmask.provenance import ForgeryLabel, iptc, watermark

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.types import Image

LABEL = ForgeryLabel(title="Sheet", method="vae", digital_source_type=iptc.TRAINED, seed=1)


def in_time_with_the_pattern(portrait: Image) -> Image:
    """Six by six of one face: their period is a whole part of the watermark's."""
    face = cv2.resize(portrait[:320, 60:380], (130, 130), interpolation=cv2.INTER_AREA)
    return np.tile(face, (6, 6, 1))


def test_a_sheet_in_time_with_the_pattern_is_labelled(tmp_path: Path, portrait: Image) -> None:
    path = tmp_path / "sheet.png"
    labels.write_labelled_sheet(path, in_time_with_the_pattern(portrait), LABEL)
    written = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert watermark.read(np.asarray(written, np.uint8)).found


def test_the_border_goes_on_with_the_ground_and_not_with_a_face(
    tmp_path: Path, portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Image] = []
    monkeypatch.setattr(
        labels, "write_labelled_picture", lambda _p, image, _l: written.append(image)
    )
    labels.write_labelled_sheet(tmp_path / "sheet.png", portrait[:200, :200], LABEL)
    labels.write_labelled_sheet(tmp_path / "sheet.png", portrait[:200, :200], LABEL, ground=24)
    for image, ground in zip(written, (255, 24), strict=True):
        assert image.shape == (212, 212, 3)
        assert (image[200:] == ground).all()
        assert (image[:, 200:] == ground).all()
        assert np.array_equal(image[:200, :200], portrait[:200, :200])


def test_a_sheet_that_never_reads_back_is_given_up(
    tmp_path: Path, portrait: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fails(*_: object) -> None:
        tries.append(1)
        raise LabelFailed("no room")

    monkeypatch.setattr(labels, "write_labelled_picture", fails)
    with pytest.raises(LabelFailed, match="no room"):
        labels.write_labelled_sheet(tmp_path / "sheet.png", portrait, LABEL)
    assert len(tries) == 3  # one a border, and no more
