"""What is found without a decoder, and what hostile XMP does: nothing."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import PIL.PngImagePlugin
import pytest
from tests.provenance.conftest import FILMS, PICTURES, write_sample

from unmask.errors import NotFound
from unmask.provenance import embedded, iptc

RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">{}'
    "</rdf:Description></rdf:RDF>"
)


@pytest.mark.parametrize("kind", [*PICTURES, *FILMS])
def test_a_file_of_ours_without_metadata_holds_nothing(kind: str, tmp_path: Path) -> None:
    found = embedded.find_embedded(write_sample(tmp_path / f"plain.{kind}"))
    assert found == ((), False, True)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif", "gif", "avif"])
def test_the_source_type_is_read_from_what_other_programs_write(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{kind}"
    image = PIL.Image.new("RGB", (96, 96), (90, 120, 60))
    packet = iptc.packet(iptc.TRAINED)
    if kind == "png":
        info = PIL.PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        image.save(path, pnginfo=info)
    elif kind == "tif":
        image.save(path, tiffinfo={700: packet})
    elif kind == "gif":
        image.save(path)
        part = b"\x21\xff\x0bXMP DataXMP" + packet + bytes([1, *range(255, -1, -1), 0])
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + part + whole[-1:])
    else:
        image.save(path, xmp=packet)
    assert iptc.read(path) == (iptc.TRAINED,)


@pytest.mark.parametrize("way", ["attribute", "element", "resource", "two packets"])
def test_all_ways_to_write_the_property_are_read(way: str, tmp_path: Path) -> None:
    stated = {
        "attribute": RDF.replace("xmlns:e", f'e:DigitalSourceType="{iptc.TRAINED}" xmlns:e'),
        "element": RDF.format(f"<e:DigitalSourceType>{iptc.TRAINED}</e:DigitalSourceType>"),
        "resource": RDF.format(f'<e:DigitalSourceType rdf:resource="{iptc.TRAINED}"/>'),
    }
    text = stated["attribute"] + stated["element"] if way == "two packets" else stated[way]
    path = tmp_path / "picture.jpg"
    write_sample(path)
    path.write_bytes(path.read_bytes() + text.encode())
    assert iptc.read(path) == (iptc.TRAINED,)


@pytest.mark.parametrize(
    "text",
    [
        "<rdf:RDF",
        RDF.replace("</rdf:RDF>", ""),
        RDF.format("<unclosed>"),
        '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + RDF.format("&a;"),
        RDF.format("<!-- -->" + "<a>" * 50_000),
        RDF.format("\x00\x01"),
        "<rdf:RDF " * 5000,
        RDF.format("x" * 600_000),
    ],
)
def test_hostile_xmp_states_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    write_sample(path)
    path.write_bytes(path.read_bytes() + text.encode("latin-1"))
    assert iptc.read(path) == ()


def test_what_a_stranger_states_is_cleaned_and_bounded() -> None:
    value = "\x7f\u202e" + "y" * 5000
    one = RDF.format(f"<e:DigitalSourceType>{value}</e:DigitalSourceType>").encode()
    (stated,) = iptc.source_types([one])
    assert len(stated) <= 500
    assert stated.isprintable()
    many = RDF.format(
        "".join(f"<e:DigitalSourceType>{n}</e:DigitalSourceType>" for n in range(500))
    )
    assert len(iptc.source_types([many.encode()])) <= 64


def test_a_marker_across_two_blocks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_BLOCK_BYTES", 100)
    path = tmp_path / "picture.jpg"
    packet = iptc.packet(iptc.TRAINED)
    for shift in range(100):
        path.write_bytes(b"\xff\xd8\xff" + bytes(57 + shift) + b"jumdc2pa\x00\x11\x00\x10" + packet)
        found = embedded.find_embedded(path)
        assert found.has_credentials
        assert iptc.source_types(found.xmp) == (iptc.TRAINED,)


def test_pictures_in_a_film_are_not_searched(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "film.mp4")
    iptc.declare(path, iptc.TRAINED)
    assert iptc.read(path) == (iptc.TRAINED,)
    packet = b"\0" * 8 + iptc.packet(iptc.COMPOSITE_CAPTURE)
    with path.open("ab") as film:
        film.write((len(packet) + 8).to_bytes(4, "big") + b"mdat" + packet)
    assert iptc.read(path) == (iptc.TRAINED,)


@pytest.mark.parametrize("kind", FILMS)
def test_a_film_cut_anywhere_is_searched_without_complaint(kind: str, tmp_path: Path) -> None:
    whole = write_sample(tmp_path / f"film.{kind}").read_bytes()
    path = tmp_path / f"cut.{kind}"
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        assert embedded.find_embedded(path)[:2] == ((), False)


def test_other_files_hold_nothing_and_absent_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(b"jumdc2pa\x00\x11\x00\x10" + iptc.packet(iptc.TRAINED))
    assert embedded.find_embedded(path) == ((), False, False)
    with pytest.raises(NotFound):
        embedded.find_embedded(tmp_path / "none")


def test_a_kind_of_film_that_is_not_searched_says_so(tmp_path: Path) -> None:
    path = tmp_path / "film.webm"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + b"webm" + b"jumdc2pa\x00\x11\x00\x10")
    assert embedded.find_embedded(path) == ((), False, False)
