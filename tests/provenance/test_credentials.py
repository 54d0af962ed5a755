from __future__ import annotations

import http.server
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.provenance.conftest import FILMS, PICTURES, write_sample

from unmask.errors import (
    CorruptMedia,
    IdentityExpired,
    IdentityUnusable,
    LabelFailed,
    LimitExceeded,
    MissingExtra,
    NotAFile,
    NotFound,
    OutputRefused,
    UnsupportedMedia,
    UsageError,
)
from unmask.provenance import CredentialStatus, Ingredient, credentials, iptc

c2pa = pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from unmask.provenance import authority  # noqa: E402

KINDS = (*PICTURES, *FILMS)
pytestmark = pytest.mark.usefixtures("folder_of_identity")


def sign_sample(source: Path, parent: Path | None = None) -> Path:
    destination = source.with_name(f"signed{source.suffix}")
    credentials.sign(
        source,
        destination,
        title="A test",
        action="c2pa.edited" if parent else "c2pa.created",
        digital_source_type=iptc.COMPOSITE_CAPTURE if parent else iptc.TRAINED,
        ingredients=[Ingredient(parent, "parentOf", "The original")] if parent else [],
        assertions={"org.unmask.forgery": {"method": "test"}},
    )
    return destination


def flip_one_bit_of_the_picture(signed: Path, source: Path) -> None:
    original, data = source.read_bytes(), bytearray(signed.read_bytes())
    middle = len(original) // 2
    at = data.find(original[middle : middle + 16])
    assert at > 0, "the picture data were not copied as they are"
    data[at] ^= 1
    signed.write_bytes(data)


def test_every_format_named_is_tried() -> None:
    assert len(KINDS) == len(credentials.FORMATS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_reads_as_trusted_valid_or_invalid(kind: str, tmp_path: Path) -> None:
    source = write_sample(tmp_path / f"plain.{kind}")
    assert credentials.read(source).status is CredentialStatus.ABSENT
    signed = sign_sample(source)

    anchor = authority.identity().anchor_pem
    state = credentials.read(signed, anchor)
    assert state.status is CredentialStatus.TRUSTED
    assert state.problems == ()
    assert state.digital_source_types == (iptc.TRAINED,)
    assert state.actions == ("c2pa.created",)
    assert (state.generator or "").startswith("Unmask ")
    assert credentials.read(signed).status is CredentialStatus.VALID

    flip_one_bit_of_the_picture(signed, source)
    broken = credentials.read(signed, anchor)
    assert broken.status is CredentialStatus.INVALID
    assert any("ash.mismatch" in problem for problem in broken.problems)
    assert credentials.read(source, anchor).status is CredentialStatus.ABSENT


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))
    stranger = authority.identity(tmp_path / "stranger").anchor_pem
    state = credentials.read(signed, stranger)
    assert state.status is CredentialStatus.VALID
    assert state.problems == ("signingCredential.untrusted",)


def test_signing_leaves_the_pixels_alone(tmp_path: Path) -> None:
    source = write_sample(tmp_path / "plain.jpg")
    with PIL.Image.open(source) as before, PIL.Image.open(sign_sample(source)) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_an_edit_names_its_original_and_the_actions_in_order(tmp_path: Path) -> None:
    original = write_sample(tmp_path / "original.png")
    donor = write_sample(tmp_path / "donor.jpg")
    signed = tmp_path / "signed.mp4"
    credentials.sign(
        write_sample(tmp_path / "plain.mp4"), signed, title="A test", action="c2pa.edited",
        digital_source_type=iptc.COMPOSITE_CAPTURE,
        ingredients=[Ingredient(original, "parentOf", "The original"),
                     Ingredient(donor, "componentOf", "The donor")],
    )  # fmt: skip
    state = credentials.read(signed)
    assert state.actions == ("c2pa.opened", "c2pa.placed", "c2pa.edited")
    assert state.digital_source_types == (iptc.COMPOSITE_CAPTURE,)
    with c2pa.Reader(signed) as reader:
        found = reader.get_active_manifest()["ingredients"]
    assert {(one["title"], one["relationship"]) for one in found} == {
        ("The original", "parentOf"),
        ("The donor", "componentOf"),
    }


def test_a_signed_file_can_be_edited_and_signed_again(tmp_path: Path) -> None:
    first = sign_sample(write_sample(tmp_path / "plain.jpg"))
    second = tmp_path / "again.png"
    credentials.sign(
        write_sample(tmp_path / "plain.png"), second, title="Again", action="c2pa.edited",
        digital_source_type=iptc.COMPOSITE_WITH_TRAINED,
        ingredients=[Ingredient(first, "parentOf", "Signed before")],
    )  # fmt: skip
    state = credentials.read(second, authority.identity().anchor_pem)
    assert state.status is CredentialStatus.TRUSTED
    assert state.digital_source_types == (iptc.COMPOSITE_WITH_TRAINED,)


def test_a_file_may_be_signed_in_its_place(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "plain.jpg")
    credentials.sign(path, path, title="t", action="c2pa.created",
                     digital_source_type=iptc.TRAINED)  # fmt: skip
    assert credentials.read(path).status is CredentialStatus.VALID


@pytest.mark.parametrize(("action", "parents"), [("c2pa.edited", 0), ("c2pa.created", 1)])
def test_history_and_action_must_fit(action: str, parents: int, tmp_path: Path) -> None:
    source = write_sample(tmp_path / "plain.jpg")
    with pytest.raises(LabelFailed, match="parentOf"):
        credentials.sign(
            source, tmp_path / "signed.jpg", title="t", action=action,  # type: ignore[arg-type]
            digital_source_type=iptc.TRAINED,
            ingredients=[Ingredient(source, "parentOf", "x")] * parents,
        )  # fmt: skip
    assert not (tmp_path / "signed.jpg").exists()


def test_a_format_without_credentials_is_refused_with_those_that_have(tmp_path: Path) -> None:
    bitmap = tmp_path / "picture.jpg"  # told by its bytes, not by its name
    PIL.Image.new("RGB", (8, 8)).save(bitmap, "BMP")
    with pytest.raises(UnsupportedMedia, match="image/bmp") as caught:
        sign_sample(bitmap)
    assert "JPEG, PNG" in caught.value.hint
    assert "MP4" in caught.value.hint
    with pytest.raises(UnsupportedMedia):
        credentials.read(bitmap)
    assert [path.name for path in tmp_path.iterdir()] == ["picture.jpg"]


@pytest.mark.parametrize("damage", ["malformed", "expired", "another root"])
def test_nothing_is_written_with_an_identity_that_is_no_good(
    damage: str, folder_of_identity: Path, tmp_path: Path
) -> None:
    source = write_sample(tmp_path / "plain.jpg")
    expected: type[LabelFailed] = IdentityUnusable
    if damage == "expired":
        from tests.provenance.test_authority import write_identity_of

        write_identity_of(folder_of_identity, -30)
        expected = IdentityExpired
    elif damage == "malformed":
        authority.identity()
        (folder_of_identity / authority.KEY).write_text("no key")
    else:  # signs well, and is found out when the result is read back
        authority.identity()
        stranger = authority.identity(tmp_path / "stranger").anchor_pem
        (folder_of_identity / authority.ANCHOR).write_bytes(stranger)
        expected = LabelFailed
    with pytest.raises(expected):
        sign_sample(source)
    assert {path.name for path in tmp_path.iterdir()} <= {"plain.jpg", "identity", "stranger"}


def test_a_picture_too_broken_to_sign_is_not_signed(tmp_path: Path) -> None:
    source = write_sample(tmp_path / "plain.png")
    source.write_bytes(source.read_bytes()[:500])
    with pytest.raises(LabelFailed, match="could not be signed"):
        sign_sample(source)
    assert not (tmp_path / "signed.png").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = write_sample(tmp_path / "plain.jpg")
    with pytest.raises(OutputRefused):
        credentials.sign(source, tmp_path / "no" / "s.jpg", title="t", action="c2pa.created",
                         digital_source_type=iptc.TRAINED)  # fmt: skip


def test_a_broken_file_is_not_called_forged(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "plain.png")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CorruptMedia, match="cut short"):
        credentials.read(path)


def test_a_broken_manifest_is_invalid(tmp_path: Path) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))
    data = signed.read_bytes()
    at = data.index(b"c2pa.claim.v2") + 60
    signed.write_bytes(data[:at] + bytes(20) + data[at + 20 :])
    state = credentials.read(signed)
    assert state.status is CredentialStatus.INVALID
    assert state.problems


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        credentials.read(tmp_path / "nowhere.jpg")


def test_malformed_anchors_are_not_the_files_fault(tmp_path: Path) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))
    with pytest.raises(UsageError, match="trust anchors"):
        credentials.read(signed, b"not PEM")


def test_without_the_extra_the_pip_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_sample(tmp_path / "plain.jpg")
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(MissingExtra, match="Content credentials") as caught:
        credentials.read(source)
    assert "unmask[provenance]" in caught.value.hint


# ------------------------------------------------------------- hostile files


@pytest.mark.parametrize("error", [RuntimeError("a panic"), MemoryError(), RecursionError("deep"),
                                   UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")])  # fmt: skip
def test_whatever_a_file_makes_the_library_do_it_is_called_invalid(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))

    def fails(_: object) -> str:
        raise error

    monkeypatch.setattr(c2pa.Reader, "json", fails)
    state = credentials.read(signed)
    assert state.status is CredentialStatus.INVALID
    assert type(error).__name__ in (state.unread or "")
    assert not state.declares_synthesis


@pytest.mark.parametrize("store", ["", "nothing", "[" * 100_000, '"\\ud800"'])
def test_a_reading_that_is_no_json_is_invalid(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))
    monkeypatch.setattr(c2pa.Reader, "json", lambda _: store)
    assert credentials.read(signed).status is CredentialStatus.INVALID


def test_a_pipe_is_refused_and_nobody_waits(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(NotAFile):
            credentials.read(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "plain.jpg")
    size = path.stat().st_size
    assert credentials.read(path, max_bytes=size).status is CredentialStatus.ABSENT
    with pytest.raises(LimitExceeded, match=f"{size} bytes"):
        credentials.read(path, max_bytes=size - 1)


def test_a_statement_that_does_not_read_back_is_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = credentials.state_of

    def garbled(reader: object) -> credentials.CredentialState:
        return whole(reader)._replace(forgery={"method": "another"})

    monkeypatch.setattr(credentials, "state_of", garbled)
    with pytest.raises(LabelFailed, match="another statement"):
        sign_sample(write_sample(tmp_path / "plain.jpg"))
    assert not (tmp_path / "signed.jpg").exists()


def test_anchors_may_come_with_words_of_any_language(tmp_path: Path) -> None:
    signed = sign_sample(write_sample(tmp_path / "plain.jpg"))
    anchors = "# Schlüssel der Redaktion\n".encode() + authority.identity().anchor_pem
    assert credentials.read(signed, anchors).status is CredentialStatus.TRUSTED


# ------------------------------------------------------------------ no network


class Listener(http.server.ThreadingHTTPServer):
    """A web server of this machine that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []


class Answer(http.server.BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_manifest_on_the_network_is_never_fetched(tmp_path: Path, listener: Listener) -> None:
    path = write_sample(tmp_path / "remote.jpg")
    made = authority.identity()
    who = c2pa.C2paSignerInfo(b"es256", made.chain_pem, made.key_pem, None)
    action = {"action": "c2pa.created", "digitalSourceType": iptc.TRAINED}
    manifest = {
        "claim_generator_info": [{"name": "A stranger"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    out = io.BytesIO()
    with c2pa.Signer.from_info(who) as signer, c2pa.Builder(manifest) as builder:
        builder.set_remote_url(f"http://127.0.0.1:{listener.server_port}/manifest.c2pa")
        builder.set_no_embed()
        builder.sign(signer, "image/jpeg", io.BytesIO(path.read_bytes()), out)
    path.write_bytes(out.getvalue())

    state = credentials.read(path)
    assert listener.asked == []
    assert state.status is CredentialStatus.ABSENT
    assert "remote" in " ".join(state.problems)

    with pytest.raises(c2pa.C2paError):  # the library's own way: proof that the bait was good
        c2pa.Reader(path)
    assert listener.asked == ["/manifest.c2pa"]
