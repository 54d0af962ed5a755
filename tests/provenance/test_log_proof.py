from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from unmask.errors import InvalidProof, NotFound, UsageError
from unmask.provenance.log import Log

pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.provenance.test_authority import VERSION, altered
from tests.provenance.test_own_identity import PEM, Newsroom

from unmask.provenance import authority, log_proof

DIGESTS = [f"{n:02x}" * 32 for n in range(9)]


@pytest.fixture
def log(log_file: Path, folder_of_identity: Path) -> Log:
    made = Log()
    for digest in DIGESTS:
        made.append("noted", digest, "a note")
    return made


def proof_of(log: Log, position: int, known: log_proof.Head | None = None) -> log_proof.Proof:
    (placed,) = log.find(DIGESTS[position])
    return log_proof.prove(log, placed, authority.identity(), known)


@pytest.mark.parametrize("position", range(len(DIGESTS)))
def test_a_proof_needs_neither_log_nor_machine(log: Log, position: int, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(log_proof.as_json(proof_of(log, position)))
    anchor = authority.identity().anchor_pem
    log.path.unlink()
    found = log_proof.read_proof(path)
    outcome = log_proof.check_proof(found, sha256=DIGESTS[position], anchors_pem=anchor)
    assert outcome.holds
    assert outcome.trusted
    assert log_proof.facts_of(found)["note"] == "a note"


def test_another_authority_is_not_trusted(log: Log, tmp_path: Path) -> None:
    proof = proof_of(log, 1)
    stranger = authority.identity(tmp_path / "stranger").anchor_pem
    outcome = log_proof.check_proof(proof, anchors_pem=stranger)
    assert outcome.problems == ()
    assert outcome.trusted is False
    assert not outcome.holds
    assert log_proof.check_proof(proof).trusted is None
    with pytest.raises(UsageError, match="anchors"):
        log_proof.check_proof(proof, anchors_pem=b"no PEM")


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another digest": lambda d: d["entry"].update(sha256="f" * 64),
    "another time": lambda d: d["entry"].update(time="2001-01-01T00:00:00+00:00"),
    "another place": lambda d: d.update(position=4),
    "a shorter path": lambda d: d["path"].pop(),
    "another path": lambda d: d["path"].__setitem__(0, "00" * 32),
    "no hex": lambda d: d["path"].__setitem__(0, "zz"),
    "another root": lambda d: d["head"].update(root="00" * 32),
    "another size": lambda d: d["head"].update(size=8),
    "a head of another time": lambda d: d["head"].update(time="2031-01-01T00:00:00+00:00"),
    "another log": lambda d: d["head"].update(log="0" * 32),
    "another signature": lambda d: d["head"].update(signature="AAAA"),
    "no certificates": lambda d: d["head"].update(chain_pem=""),
    "a head of another version": lambda d: d["head"].update(version=7),
    "a head of no time": lambda d: d["head"].update(time="yesterday"),
    "a negative size": lambda d: d["head"].update(size=-1),
    "a negative place": lambda d: d.update(position=-1),
    "one field too many": lambda d: d["entry"].update(more="x"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_altered_proof_does_not_hold(log: Log, change: str) -> None:
    document = json.loads(log_proof.as_json(proof_of(log, 3)))
    CHANGES[change](document)
    altered = msgspec.convert(document, log_proof.Proof)
    assert not log_proof.check_proof(altered).holds


def test_a_proof_is_about_one_file(log: Log) -> None:
    outcome = log_proof.check_proof(proof_of(log, 3), sha256=DIGESTS[4])
    assert "another file" in outcome.problems[0]


def test_a_head_that_was_handed_over_pins_what_was_there(log: Log) -> None:
    held = log_proof.sign_head(log, authority.identity())
    for digest in ("c" * 64, "d" * 64):
        log.append("noted", digest)
    # An entry from before is proved against the very head that was handed over.
    old = proof_of(log, 2, held)
    assert old.head == held
    assert log_proof.check_proof(old, known=held).holds
    # A newer one comes with a newer head that is shown to continue it.
    (placed,) = log.find("d" * 64)
    new = log_proof.prove(log, placed, authority.identity(), held)
    assert new.head.size == 11
    assert log_proof.check_proof(new, known=held).holds
    # Without that, the reader cannot know that the old entries are still there.
    assert not log_proof.check_proof(proof_of(log, 2), known=held).holds


def test_a_rewritten_log_cannot_continue_a_head(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = log_proof.sign_head(log, authority.identity())
    other = Log(tmp_path / "other.db")
    for digest in [*reversed(DIGESTS), "e" * 64]:
        other.append("noted", digest)
    (placed,) = other.find("e" * 64)
    with pytest.raises(InvalidProof, match="another log"):
        log_proof.prove(other, placed, authority.identity(), held)
    # Even one that calls itself the same log, and whose keeper claims what does not hold.
    forged = log_proof.prove(other, placed, authority.identity())
    path = [step.hex() for step in other.consistency(held.size, 10)]
    claim = msgspec.structs.replace(
        forged,
        head=msgspec.structs.replace(forged.head, log=held.log),
        extends=log_proof.Extension(held.size, held.root, path),
    )
    assert any("continue" in one for one in log_proof.check_proof(claim, known=held).problems)


@pytest.mark.parametrize("size", [-1, 10, 2**63])
def test_a_given_head_over_what_cannot_be_is_refused(log: Log, size: int) -> None:
    held = msgspec.structs.replace(log_proof.sign_head(log, authority.identity()), size=size)
    with pytest.raises(InvalidProof, match="given head"):
        proof_of(log, 1, held)


def test_the_log_remembers_the_heads_it_signed(log: Log) -> None:
    log_proof.sign_head(log, authority.identity())
    assert log.check() == (9, [])
    log.keep_head(5, json.dumps({"root": "00" * 32}))
    assert log.check()[1] == ["the head that was signed over 5 entries does not fit them"]


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"version": 1', b"[" * 100_000, b'{"entry": 1}']
)
def test_what_is_no_proof_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(data)
    for read in (log_proof.read_proof, log_proof.read_head):
        with pytest.raises(InvalidProof, match=r"proof\.json"):
            read(path)
    with pytest.raises(NotFound):
        log_proof.read_proof(tmp_path / "none.json")


def test_a_proof_of_a_later_version_is_named(log: Log, tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_bytes(log_proof.as_json(msgspec.structs.replace(proof_of(log, 0), version=2)))
    with pytest.raises(InvalidProof, match="version 2"):
        log_proof.read_proof(path)


def resigned(head: log_proof.Head, identity: authority.Identity, **changed: Any) -> log_proof.Head:
    """A head with other facts, signed by whoever holds the key."""
    head = msgspec.structs.replace(head, **changed)
    key = serialization.load_pem_private_key(identity.key_pem, None)
    signature = key.sign(head.said(), ec.ECDSA(hashes.SHA256()))  # type: ignore[union-attr,call-arg]
    return msgspec.structs.replace(head, signature=base64.b64encode(signature).decode())


@pytest.mark.parametrize(
    ("changed", "problem"),
    [({"version": 7}, "version 7"), ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
     ({"time": "9999-12-31T23:59:59-14:00"}, "time"), ({"time": "2026-05-01T00:00:00"}, "time"),
     ({"time": "now"}, "time")],
)  # fmt: skip
def test_a_head_that_its_signer_made_malformed_is_a_clear_problem(
    log: Log, changed: dict[str, Any], problem: str
) -> None:
    identity = authority.identity()
    head = resigned(log_proof.sign_head(log, identity), identity, **changed)
    (found,) = log_proof.check_head(head).problems
    assert problem in found


# Bytes of the signing certificate: those that are looked for, and what they become.
HOSTILE = {
    "another version": VERSION,
    "an extension twice": (bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d0f")),
    "an unknown curve": (bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d03017f")),
    "an unknown kind of key": (bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f")),
    "no date": (b"\x17\x0d", b"\x17\x0c"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_certificate_is_a_problem_and_no_fault(log: Log, case: str) -> None:
    identity = authority.identity()
    head = log_proof.sign_head(log, identity)
    chain = b"".join(altered(identity.chain_pem, HOSTILE[case])).decode()
    outcome = log_proof.check_head(
        msgspec.structs.replace(head, chain_pem=chain), identity.anchor_pem
    )
    assert outcome.problems
    assert outcome.trusted is False


def test_a_certificate_for_something_else_signs_no_head(log: Log) -> None:
    paper = Newsroom(purpose=False)
    pem = authority.private_pem(paper.key)
    identity = authority.Identity(paper.chain, pem, paper.root.public_bytes(PEM))
    outcome = log_proof.check_head(log_proof.sign_head(log, identity), identity.anchor_pem)
    assert outcome.problems == ("its certificate is not one for signing documents",)
    fit = Newsroom()
    identity = authority.Identity(
        fit.chain, authority.private_pem(fit.key), fit.root.public_bytes(PEM)
    )
    assert log_proof.check_head(log_proof.sign_head(log, identity), identity.anchor_pem).holds


def test_another_version_is_named_before_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_text('{"version": 2, "leaf": "of another form"}')
    for read in (log_proof.read_proof, log_proof.read_head):
        with pytest.raises(InvalidProof, match="version 2"):
            read(path)


def test_a_proof_without_end_is_refused() -> None:
    with pytest.raises(InvalidProof, match="more than"):
        log_proof.read_proof(Path("/dev/zero"))
