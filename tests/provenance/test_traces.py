from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from tests.provenance.conftest import drawn, write_sample

from unmask.media import probe, write_film
from unmask.provenance.traces import traces_of
from unmask.types import Limits


def traces(path: Path) -> dict[str, str]:
    return traces_of(path, probe(path, Limits()))


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 92, 100])
def test_the_quality_of_standard_tables_is_told(quality: int, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    PIL.Image.fromarray(drawn()).save(path, quality=quality)
    assert traces(path)["jpeg_tables"] == f"standard, quality {quality}"


def test_other_tables_and_codings_are_told(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    PIL.Image.fromarray(drawn()).save(
        path, qtables=[[7] * 64, [9] * 64], progressive=True, subsampling="4:2:2"
    )
    found = traces(path)
    assert found["jpeg_tables"] == "not the standard's"
    assert found["jpeg_coding"] == "progressive"
    assert found["jpeg_chroma"] == "4:2:2"


def test_camera_and_program_are_told_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Maker\x1b[2J", "Model 1", "Editor 2"
    PIL.Image.fromarray(drawn()).save(path, exif=exif)
    found = traces(path)
    assert found["camera_model"] == "Model 1"
    assert found["software"] == "Editor 2"
    assert found["camera_make"].isprintable()


def test_the_encoder_of_a_film_is_told(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_film(path, [drawn()] * 4, 25, crf=21)
    assert "crf=21" in traces(path)["video_encoder"]
    assert traces(path)["video_encoder"].startswith("x264")


def test_a_picture_that_says_nothing_leaves_no_trace(tmp_path: Path) -> None:
    assert traces(write_sample(tmp_path / "plain.png")) == {}
