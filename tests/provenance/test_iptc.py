from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from tests.provenance.conftest import write_sample

from unmask.errors import UnsupportedMedia
from unmask.provenance import iptc


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_picture_says_its_source_type_and_keeps_its_pixels(kind: str, tmp_path: Path) -> None:
    path = write_sample(tmp_path / f"picture.{kind}")
    with PIL.Image.open(path) as picture:
        before = np.asarray(picture)
        assert "xmp" not in picture.info
    iptc.declare(path, iptc.COMPOSITE_CAPTURE)
    with PIL.Image.open(path) as picture:
        picture.load()
        assert np.array_equal(np.asarray(picture), before)
        assert picture.info["xmp"] == iptc.packet(iptc.COMPOSITE_CAPTURE)


def test_a_film_says_its_source_type_and_keeps_its_frames(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "film.mp4")
    before = decode(path)
    iptc.declare(path, iptc.TRAINED)
    assert np.array_equal(decode(path), before)
    with av.open(str(path), options={"export_xmp": "1"}) as container:
        assert iptc.TRAINED in container.metadata["xmp"]


def test_a_packet_is_well_formed_and_names_the_property() -> None:
    import xml.etree.ElementTree as ET

    whole = ET.fromstring(iptc.packet(iptc.COMPOSITE_CAPTURE))  # noqa: S314 - our own text
    name = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
    assert [e.get(name) for e in whole.iter() if e.get(name)] == [iptc.COMPOSITE_CAPTURE]


def test_another_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "picture.gif")
    before = path.read_bytes()
    with pytest.raises(UnsupportedMedia, match="image/gif") as caught:
        iptc.declare(path, iptc.TRAINED)
    assert "JPEG, PNG or MP4" in caught.value.hint
    assert path.read_bytes() == before


def decode(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize(
    "stated",
    [
        iptc.TRAINED,
        iptc.TRAINED.replace("http:", "https:"),
        iptc.TRAINED + "/",
        iptc.TRAINED.upper(),
        "trainedAlgorithmicMedia",
        " TrainedAlgorithmicMedia ",
    ],
)
def test_every_way_to_write_a_term_is_one_uri(stated: str) -> None:
    assert iptc.canonical(stated) == iptc.TRAINED
    assert iptc.term(stated) == "trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    "stated",
    ["", "nothingKnown", "http://evil.example/trainedAlgorithmicMedia",
     iptc.TRAINED + "x", "not trainedAlgorithmicMedia"],
)  # fmt: skip
def test_another_text_stays_as_it_is(stated: str) -> None:
    assert iptc.canonical(stated) == stated
