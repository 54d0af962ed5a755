"""The project's rule on what it makes itself: a forgery without its labels is not written."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest

from unmask import demo
from unmask.errors import IdentityUnusable, ModelUnavailable
from unmask.provenance import CredentialStatus, iptc, read_credentials, watermark
from unmask.provenance.visible_mark import with_visible_mark

for _package in ("c2pa", "cryptography", "skimage", "matplotlib"):
    pytest.importorskip(_package, reason="needs pip install 'unmask[demo]'")


def make(folder: Path) -> list[Path]:
    try:
        return demo.make(folder)
    except ModelUnavailable as error:
        pytest.skip(f"face models: {error}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], bytes]:
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("UNMASK_IDENTITY", str(folder / "identity"))
        files = make(folder / "media")
    return files, (folder / "identity" / "root.pem").read_bytes()


def frames(path: Path) -> list[np.ndarray]:
    if path.suffix == ".jpg":
        with PIL.Image.open(path) as picture:
            return [np.asarray(picture)]
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def is_marked(image: np.ndarray) -> bool:
    """Whether the lower edge shows the mark: what marking a black picture puts there."""
    expected = with_visible_mark(np.zeros_like(image), "landmark_swap").astype(int)
    bar = slice(np.flatnonzero(expected.any((1, 2)))[0], None)
    letters = expected[bar].max(2) > 150
    assert letters.any(), "the mark has no letters"
    here = image[bar].astype(int)
    return bool(np.abs(here - expected[bar]).mean() < 12 and here[letters].mean() > 100)


def test_half_of_the_files_are_forged(made: tuple[list[Path], bytes]) -> None:
    names = [path.name for path in made[0]]
    assert sum("with-face-of" in name for name in names) == 4
    assert sum("original" in name for name in names) == 4


def test_every_forged_file_carries_every_label(made: tuple[list[Path], bytes]) -> None:
    files, anchor = made
    for path in (path for path in files if "with-face-of" in path.name):
        assert all(is_marked(frame) for frame in frames(path)), path.name
        assert watermark.read(frames(path)[0]).found, path.name
        assert iptc.read(path) == (iptc.COMPOSITE_CAPTURE,), path.name
        state = read_credentials(path, anchor)
        assert state.status is CredentialStatus.TRUSTED, path.name
        assert state.digital_source_types == (iptc.COMPOSITE_CAPTURE,)
        assert state.actions == ("c2pa.opened", "c2pa.placed", "c2pa.edited")


def test_no_original_carries_a_label(made: tuple[list[Path], bytes]) -> None:
    for path in (path for path in made[0] if "original" in path.name):
        assert not any(is_marked(frame) for frame in frames(path)), path.name
        assert not watermark.read(frames(path)[0]).found, path.name
        assert iptc.read(path) == (), path.name
        assert read_credentials(path).status is CredentialStatus.ABSENT, path.name


def test_what_cannot_be_signed_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = tmp_path / "identity"
    identity.mkdir()
    (identity / "leaf.key").write_text("no key")
    monkeypatch.setenv("UNMASK_IDENTITY", str(identity))
    with pytest.raises(IdentityUnusable):
        make(tmp_path / "media")
    left = sorted(path.name for path in (tmp_path / "media").iterdir())
    assert left
    assert all("original" in name for name in left)
