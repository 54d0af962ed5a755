from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.provenance.conftest import write_sample

from unmask.errors import IdentityUnusable, LabelFailed, NotFound, OutputRefused, UnsupportedMedia
from unmask.media import hash_file
from unmask.provenance import CredentialStatus, ForgeryLabel, Ingredient, iptc, read_credentials
from unmask.provenance.labelled import FORGERY, write_labelled

c2pa = pytest.importorskip("c2pa", reason="needs pip install 'unmask[demo]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[demo]'")


@pytest.fixture
def label(tmp_path: Path, folder_of_identity: Path) -> ForgeryLabel:
    original = write_sample(tmp_path / "original.jpg")
    return ForgeryLabel(
        title="Forged: a test",
        method="landmark_swap",
        digital_source_type=iptc.COMPOSITE_CAPTURE,
        ingredients=(Ingredient(original, "parentOf", "The original"),),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.mark.parametrize("kind", ["jpg", "png", "mp4"])
def test_a_forgery_carries_both_labels(kind: str, label: ForgeryLabel, folder: Path) -> None:
    path = folder / f"forged.{kind}"
    write_labelled(path, write_sample, label)
    state = read_credentials(path)
    assert state.status is CredentialStatus.VALID
    assert state.digital_source_types == (iptc.COMPOSITE_CAPTURE,)
    assert iptc.packet(iptc.COMPOSITE_CAPTURE) in path.read_bytes()
    with c2pa.Reader(path) as reader:
        assertions = reader.get_active_manifest()["assertions"]
    stated = next(one["data"] for one in assertions if one["label"] == FORGERY)
    assert stated["method"] == "landmark_swap"
    assert stated["inputs"] == [
        {"title": "The original", "relationship": "parentOf",
         "sha256": hash_file(label.ingredients[0].path)}
    ]  # fmt: skip
    assert [one.name for one in folder.iterdir()] == [path.name]


def test_the_source_type_cannot_be_taken_out_without_a_trace(
    label: ForgeryLabel, folder: Path
) -> None:
    path = folder / "forged.mp4"
    write_labelled(path, write_sample, label)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"compositeCapture", b"digitalCapture__", 1))
    assert read_credentials(path).status is CredentialStatus.INVALID


def test_without_an_identity_there_is_no_file(
    label: ForgeryLabel, folder: Path, folder_of_identity: Path
) -> None:
    folder_of_identity.mkdir()
    (folder_of_identity / "leaf.key").write_text("no key")
    with pytest.raises(IdentityUnusable):
        write_labelled(folder / "forged.jpg", write_sample, label)
    assert not list(folder.iterdir())


def test_an_encoder_that_fails_leaves_no_file(label: ForgeryLabel, folder: Path) -> None:
    def encode(path: Path) -> None:
        write_sample(path)
        raise RuntimeError("the codec gave up")

    with pytest.raises(LabelFailed, match="the codec gave up"):
        write_labelled(folder / "forged.jpg", encode, label)
    assert not list(folder.iterdir())


def test_a_format_that_cannot_be_labelled_is_not_written(label: ForgeryLabel, folder: Path) -> None:
    with pytest.raises(UnsupportedMedia):
        write_labelled(folder / "forged.avi", write_sample, label)
    assert not list(folder.iterdir())


def test_an_input_that_went_away_leaves_no_file(label: ForgeryLabel, folder: Path) -> None:
    label.ingredients[0].path.unlink()
    with pytest.raises(NotFound):
        write_labelled(folder / "forged.jpg", write_sample, label)
    assert not list(folder.iterdir())


def test_a_folder_that_is_gone_is_an_error_of_writing(label: ForgeryLabel, folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(OutputRefused):
        write_labelled(folder / "forged.jpg", write_sample, label)
