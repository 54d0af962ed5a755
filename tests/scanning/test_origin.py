"""When a file's own word decides the label, and when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from tests.provenance.conftest import write_sample

from unmask.errors import CorruptMedia, LimitExceeded, UnmaskError, UnsupportedMedia, UsageError
from unmask.media import probe
from unmask.provenance import CredentialState, CredentialStatus, Ingredient, iptc
from unmask.scanning import origin as origin_module
from unmask.scanning.origin import decide, origin_of
from unmask.types import Label, Limits, Reason, Verdict
from unmask.types_of_origin import Provenance, WatermarkFinding

c2pa = pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from unmask.provenance import authority, credentials  # noqa: E402

NOT_FOUND = WatermarkFinding(status="not_found", frames=1)
FOUND = WatermarkFinding(status="found", payload="0badcafe", log10_false_alarm=-20.0, frames=1)
UNTOUCHED = Verdict(
    label=Label.NO_MANIPULATION_FOUND, statement="Nothing.", log10_lr=-1.1, in_scope=True
)


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / "identity"))


def signed(path: Path, source_type: str) -> Path:
    write_sample(path)
    credentials.sign(path, path, title="t", action="c2pa.created",
                     digital_source_type=source_type)  # fmt: skip
    return path


def origin(
    path: Path, mark: WatermarkFinding = NOT_FOUND, anchors: bytes | None = None
) -> Provenance:
    return origin_of(path, probe(path, Limits()), mark, anchors)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_signed_declaration_decides_whoever_signed(trusted: bool, tmp_path: Path) -> None:
    path = signed(tmp_path / "a.jpg", iptc.TRAINED)
    anchors = authority.identity().anchor_pem if trusted else None
    found = origin(path, anchors=anchors)
    assert found.credentials.status == ("trusted" if trusted else "valid")
    (reason,) = found.declared_synthetic
    assert reason.code == "declared_by_credentials"
    assert "trainedAlgorithmicMedia" in reason.message
    assert ("Nobody vouches" in reason.message) is not trusted
    verdict = decide(UNTOUCHED, found)
    assert verdict.label is Label.MANIPULATION_SUPPORTED
    assert (verdict.basis, verdict.findings_label) == (
        "declaration",
        Label.NO_MANIPULATION_FOUND,
    )
    assert verdict.log10_lr == -1.1  # the detector's own word stays
    assert verdict.reasons[0] == reason


def test_our_watermark_decides(tmp_path: Path) -> None:
    found = origin(write_sample(tmp_path / "a.jpg"), FOUND)
    assert [one.code for one in found.declared_synthetic] == ["declared_by_watermark"]
    no_face = Verdict(
        label=Label.NOT_ANALYZED, statement="", reasons=[Reason(code="no_face", message="")]
    )
    verdict = decide(no_face, found)
    assert verdict.label is Label.MANIPULATION_SUPPORTED
    assert [one.code for one in verdict.reasons] == ["declared_by_watermark", "no_face"]


def test_a_tag_without_signature_is_shown_and_decides_nothing(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.jpg")
    iptc.declare(path, iptc.TRAINED)  # as anybody could, to smear a real picture
    found = origin(path)
    assert found.iptc_source_types == [iptc.TRAINED]
    assert found.declared_synthetic == []
    assert any("anybody can write it" in note for note in found.notes)
    assert decide(UNTOUCHED, found) == UNTOUCHED


@pytest.mark.parametrize("trusted", [False, True])
def test_a_declaration_of_being_real_clears_nothing(trusted: bool, tmp_path: Path) -> None:
    path = signed(tmp_path / "a.jpg", iptc.of_term("digitalCapture"))
    found = origin(path, anchors=authority.identity().anchor_pem if trusted else None)
    supported = msgspec.structs.replace(UNTOUCHED, label=Label.MANIPULATION_SUPPORTED)
    assert decide(supported, found) == supported
    assert any("clears nothing" in note for note in found.notes)


def test_credentials_of_an_altered_file_decide_nothing(tmp_path: Path) -> None:
    path = signed(tmp_path / "a.jpg", iptc.TRAINED)
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    found = origin(path)
    assert found.credentials.status == "invalid"
    assert found.credentials.problems
    assert decide(UNTOUCHED, found) == UNTOUCHED


def test_absence_is_said_to_be_no_evidence(tmp_path: Path) -> None:
    found = origin(write_sample(tmp_path / "a.jpg"))
    assert found.credentials.status == "absent"
    assert "evidence of nothing" in found.notes[-1]
    assert decide(UNTOUCHED, found) is UNTOUCHED


def test_malformed_anchors_are_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="anchors"):
        origin(signed(tmp_path / "a.jpg", iptc.TRAINED), anchors=b"x")


def test_without_the_extra_it_is_not_checked_and_the_pip_line_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = signed(tmp_path / "a.jpg", iptc.TRAINED)
    monkeypatch.setitem(sys.modules, "c2pa", None)
    found = origin(path)
    assert found.credentials.status == "not_checked"
    assert "unmask[provenance]" in (found.credentials.reason or "")
    assert decide(UNTOUCHED, found) == UNTOUCHED
    assert origin(write_sample(tmp_path / "b.jpg")).credentials.status == "absent"


def test_a_broken_container_is_not_checked(tmp_path: Path) -> None:
    path = signed(tmp_path / "a.png", iptc.TRAINED)
    info = probe(path, Limits())
    path.write_bytes(path.read_bytes()[:-60])
    found = origin_of(path, info, NOT_FOUND)
    assert found.credentials.status in {"not_checked", "invalid"}
    assert found.declared_synthetic == []


def test_the_library_is_not_loaded_for_a_file_without_credentials(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.jpg")
    program = (
        "import sys; from pathlib import Path; from unmask.media import probe\n"
        "from unmask.types import Limits; from unmask.types_of_origin import WatermarkFinding\n"
        "from unmask.scanning.origin import origin_of; path = Path(sys.argv[1])\n"
        "origin_of(path, probe(path, Limits()), WatermarkFinding())\n"
        "print({'c2pa', 'cryptography', 'torch', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True,
        check=True, env=dict(os.environ),
    )  # fmt: skip
    assert done.stdout.strip() == "set()"


# ---------------------------------------------------------------- hostile texts


def state_with(**claims: object) -> CredentialState:
    return CredentialState(CredentialStatus.VALID)._replace(**claims)


@pytest.fixture
def read_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[CredentialState], Provenance]:
    """The origin of a file whose credentials read as a given state."""
    path = signed(tmp_path / "a.jpg", iptc.TRAINED)

    def found(state: CredentialState) -> Provenance:
        monkeypatch.setattr(origin_module, "read_credentials", lambda *_, **__: state)
        return origin(path, FOUND)

    return found


def test_what_must_be_known_comes_before_what_strangers_wrote(
    read_as: Callable[[CredentialState], Provenance],
) -> None:
    terms = sorted(iptc.SYNTHETIC)
    state = state_with(
        signer="S" * 400,
        digital_source_types=tuple(terms),
        history_source_types=(iptc.of_term("digitalCapture"), "x" * 400),
        forgery={"method": "m" * 400},
    )
    reason = read_as(state).declared_synthetic[0]
    assert reason.message.startswith("Nobody vouches")
    assert len(reason.message) < 500
    assert "and 2 more" in reason.message
    assert "digitalCapture" not in reason.message
    assert "xxx" not in reason.message


def test_only_types_of_synthesis_are_named_as_such(
    read_as: Callable[[CredentialState], Provenance],
) -> None:
    types = (iptc.of_term("digitalCapture"), iptc.COMPOSITE_WITH_TRAINED)
    found = read_as(state_with(digital_source_types=types))
    assert "compositeWithTrainedAlgorithmicMedia" in found.declared_synthetic[0].message
    assert "digitalCapture" not in found.declared_synthetic[0].message
    assert found.credentials.digital_source_types == list(types)


def test_nothing_is_said_of_a_statement_that_does_not_hold(
    read_as: Callable[[CredentialState], Provenance],
) -> None:
    forgery = {"method": "x", "watermark": {"payload": FOUND.payload, "attempt": 0}}
    told = read_as(state_with(forgery=forgery)).notes
    assert any("name each other" in note for note in told)
    assert any("not that of their own statement" in note for note in told)
    broken = state_with(status=CredentialStatus.INVALID, forgery=forgery)
    told = read_as(broken).notes
    assert not any("name each other" in note or "own statement" in note for note in told)
    assert any("do not fit it" in note for note in told)


def test_credentials_that_cannot_be_read_are_not_called_changed(
    read_as: Callable[[CredentialState], Provenance],
) -> None:
    state = state_with(status=CredentialStatus.INVALID, unread="RuntimeError: a panic")
    found = read_as(state)
    assert found.credentials.status == "invalid"
    assert any("could not be read" in note and "a panic" in note for note in found.notes)
    assert not any("changed" in note for note in found.notes)


@pytest.mark.parametrize("error", [LimitExceeded("too large"), UnsupportedMedia("no"),
                                   CorruptMedia("cut short")])  # fmt: skip
def test_no_fault_of_a_file_stops_a_scan(
    error: UnmaskError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    path = signed(tmp_path / "a.jpg", iptc.TRAINED)
    monkeypatch.setattr(origin_module, "read_credentials", fails)
    found = origin(path)
    assert found.credentials.status == "not_checked"
    assert error.message in (found.credentials.reason or "")


def test_a_format_that_cannot_be_searched_says_so(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    image = np.zeros((96, 96, 3), np.uint8)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    found = origin(path)
    assert found.credentials.status == "not_checked"
    assert "video/x-matroska" in (found.credentials.reason or "")
    assert any("tags are not looked for in video/x-matroska" in note for note in found.notes)
    assert not any("not looked for" in n for n in origin(write_sample(tmp_path / "a.mp4")).notes)


# ------------------------------------------------------------- the whole scan


def test_a_scan_reports_the_declaration(scanner, portrait_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "declared.jpg"
    credentials.sign(
        portrait_file, path, title="t", action="c2pa.edited",
        digital_source_type=iptc.COMPOSITE_WITH_TRAINED,
        ingredients=[Ingredient(portrait_file, "parentOf", "before")],
    )  # fmt: skip
    report = scanner.scan(path)
    assert report.verdict.label is Label.MANIPULATION_SUPPORTED
    assert report.verdict.basis == "declaration"
    assert report.provenance.credentials.status == "valid"
    plain = scanner.scan(portrait_file)
    assert plain.verdict.basis == "findings"
    assert report.verdict.findings_label is plain.verdict.label
    assert report.verdict.log10_lr == plain.verdict.log10_lr
