from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from tests.provenance.conftest import drawn, write_sample

from unmask.errors import (
    ConsentMissing,
    IdentityUnusable,
    LabelFailed,
    LogUnusable,
    ModelUnavailable,
    NotFound,
    OutputRefused,
    UnsupportedMedia,
    UsageError,
)
from unmask.media import Sampling, hash_file, open_media
from unmask.provenance import (
    CredentialStatus,
    ForgeryLabel,
    Ingredient,
    check_label,
    iptc,
    labelled,
    marked_file,
    read_credentials,
    watermark,
    write_labelled_film,
    write_labelled_picture,
)
from unmask.provenance.credential_state import FORGERY
from unmask.provenance.declaration import vouches_for
from unmask.provenance.log import Log
from unmask.provenance.visible_mark import with_room_for_labels, with_visible_mark
from unmask.types import Limits

c2pa = pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from unmask.provenance import authority  # noqa: E402

pytestmark = pytest.mark.usefixtures("log_file")


@pytest.fixture
def label(tmp_path: Path, folder_of_identity: Path) -> ForgeryLabel:
    original = write_sample(tmp_path / "original.jpg")
    return ForgeryLabel(
        title="Forged: a test",
        method="autoencoder_swap",
        digital_source_type=iptc.COMPOSITE_WITH_TRAINED,
        ingredients=(Ingredient(original, "parentOf", "The original"),),
        seed=7,
        consent="The one who is drawn, in writing",
        facts={"run": "a", "sizes": [1, 2, 3], "rate": 1e-4},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def write(path: Path, label: ForgeryLabel, side: int = 160) -> None:
    if path.suffix == ".mp4":
        frames = (np.roll(drawn(side, side), n, 1) for n in range(6))
        write_labelled_film(path, frames, 25, label)
    else:
        write_labelled_picture(path, drawn(side, side), label)


def frames_of(path: Path) -> list[np.ndarray]:
    with open_media(path, limits=Limits(), sampling=Sampling(frames=None)) as media:
        return [frame.image for frame in media.frames()]


def is_marked(image: np.ndarray, method: str) -> bool:
    """Whether the lowest rows are those that marking a black picture gives."""
    expected = with_visible_mark(np.zeros_like(image), method)
    bar = np.flatnonzero(expected.any((1, 2)))[0]
    return bool(np.abs(image[bar:].astype(int) - expected[bar:]).mean() < 12)


def own_assertion(path: Path) -> dict[str, object]:
    with c2pa.Reader(path) as reader:
        assertions = reader.get_active_manifest()["assertions"]
    return next(one["data"] for one in assertions if one["label"] == FORGERY)


@pytest.mark.parametrize("kind", ["jpg", "png", "mp4"])
def test_a_forgery_carries_every_label(kind: str, label: ForgeryLabel, folder: Path) -> None:
    path = folder / f"forged.{kind}"
    write(path, label)
    state = read_credentials(path, authority.identity().anchor_pem)
    assert state.status is CredentialStatus.TRUSTED
    assert state.declares_synthesis
    assert state.actions == ("c2pa.opened", "c2pa.edited")
    assert iptc.read(path) == (iptc.COMPOSITE_WITH_TRAINED,)
    said = own_assertion(path)
    images = frames_of(path)
    assert len(images) == (6 if kind == "mp4" else 1)
    assert all(is_marked(image, label.method) for image in images)
    reader = watermark.FilmWatermarkReader()
    for image in images:
        reader.add(image)
    assert reader.reading().payload == bytes.fromhex(said["watermark"]["payload"])
    assert [one.name for one in folder.iterdir()] == [path.name]
    (logged,) = Log().find(hash_file(path))
    assert logged.entry.kind == "forged"
    assert said["watermark"]["payload"] in logged.entry.note


def test_the_statement_is_signed_whole_and_vouches_for_the_watermark(
    label: ForgeryLabel, folder: Path
) -> None:
    path = folder / "forged.png"
    write(path, label)
    said = own_assertion(path)
    assert (said["method"], said["seed"]) == ("autoencoder_swap", 7)
    assert said["consent"] == "The one who is drawn, in writing"
    assert said["inputs"] == [
        {"title": "The original", "relationship": "parentOf",
         "sha256": hash_file(label.ingredients[0].path)}
    ]  # fmt: skip
    assert said["facts"] == {"run": "a", "sizes": "[1,2,3]", "rate": 1e-4}
    assert vouches_for(said)
    assert not vouches_for({**said, "consent": "somebody else"})


def test_a_whole_face_is_declared_as_created_and_needs_nobodys_consent(
    folder: Path, folder_of_identity: Path
) -> None:
    path = folder / "face.png"
    write(path, ForgeryLabel("A face", "style_gan", iptc.TRAINED, seed=1, family="synthesis"))
    state = read_credentials(path)
    assert state.actions == ("c2pa.created",)
    assert state.digital_source_types == (iptc.TRAINED,)
    assert vouches_for(own_assertion(path))


def test_a_tiny_picture_is_enlarged_to_hold_its_labels(label: ForgeryLabel, folder: Path) -> None:
    path = folder / "tiny.png"
    write(path, label, side=48)
    (image,) = frames_of(path)
    assert image.shape == (144, 144, 3)
    assert is_marked(image, label.method)
    assert watermark.read(image).found


def test_the_picture_is_kept_above_the_mark(label: ForgeryLabel, folder: Path) -> None:
    path = folder / "forged.png"
    write(path, label)
    (image,) = frames_of(path)
    top = drawn()[:100].astype(float)
    assert cv2.PSNR(top, image[:100].astype(float)) > 36


@pytest.mark.parametrize("method", ["landmark_swap", "first_order_motion", "wav2lip"])
@pytest.mark.parametrize("consent", [None, "", "   ", "yes", "x" * 501])
def test_without_a_statement_of_consent_nothing_is_begun(
    method: str, consent: str | None, label: ForgeryLabel, folder: Path
) -> None:
    lacking = label._replace(method=method, consent=consent)
    with pytest.raises(ConsentMissing, match="consent") as caught:
        write(folder / "forged.jpg", lacking)
    assert "recorded" in caught.value.hint or "Shorten" in caught.value.hint
    for family in ("swap", "reenactment", "lip_sync"):
        with pytest.raises(ConsentMissing):
            check_label(folder / "f.jpg", lacking._replace(family=family))
    assert not list(folder.iterdir())


@pytest.mark.parametrize("family", ["morph", "blending", "Restoration", ""])
@pytest.mark.parametrize("source_type", [iptc.TRAINED, iptc.COMPOSITE_WITH_TRAINED])
def test_a_family_that_nobody_thought_of_needs_consent(
    family: str, source_type: str, label: ForgeryLabel, folder: Path
) -> None:
    unknown = label._replace(family=family, digital_source_type=source_type, consent=None)
    with pytest.raises(ConsentMissing):
        check_label(folder / "f.jpg", unknown)


def test_restoration_needs_no_consent(label: ForgeryLabel, folder: Path) -> None:
    check_label(folder / "f.jpg", label._replace(family="restoration", consent=None))


@pytest.mark.parametrize("name", ["f.webm", "f.avi", "f.gif", "f"])
def test_a_format_without_room_for_labels_is_refused_with_those_that_have(
    name: str, label: ForgeryLabel, folder: Path
) -> None:
    def frames() -> Iterator[np.ndarray]:
        raise AssertionError("work was begun")
        yield

    with pytest.raises(UsageError) as caught:
        write_labelled_film(folder / name, frames(), 25, label)
    assert ".mp4" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        write_labelled_picture(folder / name, drawn(), label)
    assert ".jpg" in caught.value.hint
    assert not list(folder.iterdir())


def test_an_original_that_cannot_be_named_is_refused_at_once(
    label: ForgeryLabel, folder: Path, tmp_path: Path
) -> None:
    bitmap = tmp_path / "original.bmp"
    PIL.Image.new("RGB", (8, 8)).save(bitmap)
    named = label._replace(ingredients=(Ingredient(bitmap, "parentOf", "x"),))
    with pytest.raises(UnsupportedMedia, match="image/bmp") as caught:
        check_label(folder / "f.jpg", named)
    assert "JPEG" in caught.value.hint
    twice = label._replace(ingredients=label.ingredients * 2)
    with pytest.raises(UsageError, match="one original"):
        check_label(folder / "f.jpg", twice)


def test_a_signed_original_keeps_its_history(
    label: ForgeryLabel, folder: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first.png"
    write(first, ForgeryLabel("A face", "style_gan", iptc.TRAINED))
    second = folder / "second.jpg"
    write(second, label._replace(ingredients=(Ingredient(first, "parentOf", "A made face"),)))
    state = read_credentials(second, authority.identity().anchor_pem)
    assert state.status is CredentialStatus.TRUSTED
    assert state.history_source_types == (iptc.TRAINED,)


# --------------------------------------------------------------- fail closed


def failing(error: Exception):
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# Step: what fails, and how.
STEPS = {
    "the visible mark": (labelled, "with_visible_mark", RuntimeError("no font")),
    "the watermark": (watermark, "embed", ModelUnavailable("no network")),
    "encoding a picture": (labelled, "write_picture", OSError(28, "No space left on device")),
    "encoding a film": (labelled, "write_film", OSError(28, "No space left on device")),
    "reading the pixels back": (marked_file, "open_media", RuntimeError("broken decoder")),
    "the source type": (iptc, "declare", RuntimeError("no room")),
    "signing": (labelled, "sign", LabelFailed("no signature")),
    "the log": (Log, "append", LogUnusable("locked")),
}


CASES = [
    (step, kind)
    for step in STEPS
    for kind in ("jpg", "mp4")
    if (step, kind) not in {("encoding a picture", "mp4"), ("encoding a film", "jpg")}
]


@pytest.mark.parametrize(("step", "kind"), CASES)
def test_whatever_fails_no_file_is_left(
    step: str, kind: str, label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name, error = STEPS[step]
    monkeypatch.setattr(place, name, failing(error))
    with pytest.raises((LabelFailed, OutputRefused, ModelUnavailable, LogUnusable)):
        write(folder / f"forged.{kind}", label)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("kind", ["jpg", "mp4"])
def test_a_watermark_that_does_not_read_back_leaves_no_file(
    kind: str, label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watermark, "embed", lambda image, _payload: image)
    with pytest.raises(LabelFailed, match="watermark"):
        write(folder / f"forged.{kind}", label)
    assert not list(folder.iterdir())


def test_a_source_type_that_does_not_read_back_leaves_no_file(
    label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iptc, "declare", lambda *_: None)
    with pytest.raises(LabelFailed, match="source type"):
        write(folder / "forged.jpg", label)
    assert not list(folder.iterdir())


def test_a_statement_that_does_not_read_back_leaves_no_file(
    label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = labelled._with_watermark
    # Such as C2PA gives back as bytes.
    monkeypatch.setattr(
        labelled, "_with_watermark", lambda *words: {**whole(*words), "extra": [1, 2, 3]}
    )
    with pytest.raises(LabelFailed, match="another statement"):
        write(folder / "forged.jpg", label)
    assert not list(folder.iterdir())


def test_the_identity_is_read_once_for_a_label(
    label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.identity()
    read, whole = [], authority.load
    monkeypatch.setattr(authority, "load", lambda place: (read.append(place), whole(place))[1])
    write(folder / "forged.jpg", label)
    assert len(read) == 1


def test_an_earlier_file_of_that_name_is_kept_when_labelling_fails(
    label: ForgeryLabel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "forged.jpg").write_text("before")
    monkeypatch.setattr(labelled, "sign", failing(LabelFailed("no signature")))
    with pytest.raises(LabelFailed):
        write(folder / "forged.jpg", label)
    assert [(one.name, one.read_text()) for one in folder.iterdir()] == [("forged.jpg", "before")]


def test_frames_that_fail_say_so_themselves(label: ForgeryLabel, folder: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield drawn()
        raise KeyError("no face in frame 2")

    with pytest.raises(KeyError, match="frame 2"):
        write_labelled_film(folder / "f.mp4", frames(), 25, label)
    assert not list(folder.iterdir())


def test_without_an_identity_there_is_no_file(
    label: ForgeryLabel, folder: Path, folder_of_identity: Path
) -> None:
    folder_of_identity.mkdir()
    (folder_of_identity / "leaf.key").write_text("no key")
    with pytest.raises(IdentityUnusable):
        write(folder / "forged.jpg", label)
    assert not list(folder.iterdir())


def test_an_input_that_went_away_leaves_no_file(label: ForgeryLabel, folder: Path) -> None:
    Path(label.ingredients[0].path).unlink()
    with pytest.raises(NotFound):
        write(folder / "forged.jpg", label)
    assert not list(folder.iterdir())


def test_a_folder_that_is_gone_is_an_error_of_writing(label: ForgeryLabel, folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(OutputRefused):
        write(folder / "forged.jpg", label)


def test_facts_that_json_cannot_hold_are_refused(label: ForgeryLabel, folder: Path) -> None:
    for bad in ({"x": object()}, {"x": float("nan")}):
        with pytest.raises(UsageError, match="JSON"):
            write(folder / "forged.jpg", label._replace(facts=bad))
    assert not list(folder.iterdir())


def test_room_is_made_by_whole_factors_only() -> None:
    small = drawn(40, 90)
    large = with_room_for_labels(small)
    assert large.shape == (160, 360, 3)
    assert np.array_equal(large[::4, ::4], small)
    assert with_room_for_labels(drawn(128, 300)).shape == (128, 300, 3)
