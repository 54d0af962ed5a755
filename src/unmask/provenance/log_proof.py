"""Signed tree heads, and proofs that need neither the log nor this machine to be checked.

A head says: this log held these entries at this time. Its time is that of the signer's clock, so
a head is worth what it was worth to hand it to somebody else: a proof against a head that others
have held since spring shows that the entry was there in spring.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from unmask.errors import InvalidProof, MissingExtra, NotFound, PermissionRefused
from unmask.provenance import merkle
from unmask.provenance.authority import Identity, check_anchors, signing_key
from unmask.provenance.certificates import (
    DOES_NOT_HOLD,
    MALFORMED,
    leads_to,
    may_sign,
    was_valid_at,
)
from unmask.provenance.log import Entry, Log, Placed

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError as error:
    raise MissingExtra.named("provenance", "Signing and checking tree heads") from error

_VERSION = 1
_CONTEXT = b"unmask provenance log, tree head\n"  # no signature of another kind fits
_ES256 = ec.ECDSA(hashes.SHA256())
_MAX_BYTES = 1 << 20
_GIVE = "Give a file that 'unmask provenance log prove' or 'log head' wrote."


class _Versioned(msgspec.Struct, frozen=True):
    """What every document of any version begins with."""

    version: int


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed tree head.

    Attributes:
        version: Of this form.
        log: Id of the log.
        size: Number of entries.
        root: Root over them, hex.
        time: ISO 8601, UTC, by the signer's clock.
        chain_pem: Signing certificate and those that issued it.
        signature: ES256 over the fields before ``chain_pem``, base64.
    """

    version: int
    log: str
    size: int
    root: str
    time: str
    chain_pem: str
    signature: str

    def said(self) -> bytes:
        """The bytes that are signed."""
        facts = {name: getattr(self, name) for name in ("version", "log", "size", "root", "time")}
        return _CONTEXT + json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That an older head's entries are the first ones of a newer head: size, root and path."""

    size: int
    root: str
    path: list[str]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That an entry is in a log.

    Attributes:
        version: Of this form.
        entry: Its fields, as :class:`unmask.provenance.log.Entry` names them.
        position: Its place, from 0.
        path: Hashes that lead from the entry to the head's root, hex.
        head: The signed head.
        extends: That the head continues an older one, where one was given.
    """

    version: int
    entry: dict[str, str]
    position: int
    path: list[str]
    head: Head
    extends: Extension | None = None


class Outcome(NamedTuple):
    """What the check of a proof or head came to.

    Attributes:
        problems: What does not hold; empty if all does.
        trusted: Whether a trust anchor vouches for the signer; None: no anchors were given.
    """

    problems: tuple[str, ...]
    trusted: bool | None

    @property
    def holds(self) -> bool:
        """Whether everything that was asked for was shown."""
        return not self.problems and self.trusted is not False


_Document = TypeVar("_Document", Head, Proof)


def sign_head(log: Log, identity: Identity) -> Head:
    """Sign the log as it stands, and keep the head in it.

    Raises:
        NotFound, LogUnusable: There is no log that can be read.
    """
    log_id, size, root = log.state()
    key = signing_key(identity.key_pem, "The signing key", "Give another identity.")
    unsigned = Head(
        version=_VERSION,
        log=log_id,
        size=size,
        root=root.hex(),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        chain_pem=identity.chain_pem.decode("ascii"),
        signature="",
    )
    signature = key.sign(unsigned.said(), _ES256)
    head = msgspec.structs.replace(unsigned, signature=base64.b64encode(signature).decode())
    log.keep_head(size, msgspec.json.encode(head).decode())
    return head


def prove(log: Log, placed: Placed, identity: Identity, known: Head | None = None) -> Proof:
    """Prove that an entry is in the log.

    Args:
        log: The log.
        placed: The entry.
        identity: Signs a new head, where one is needed.
        known: A head that the reader of the proof holds. One that covers the entry is used as it
            is; an older one is shown to be continued by the new head.

    Raises:
        InvalidProof: ``known`` is of another log, or does not fit what the log holds.
    """
    if known is not None:
        _check_known(log, known)
    head = known if known is not None and placed.position < known.size else sign_head(log, identity)
    extends = None
    if known is not None and head is not known and known.size:
        path = log.consistency(known.size, head.size)
        extends = Extension(known.size, known.root, [step.hex() for step in path])
    return Proof(
        version=_VERSION,
        entry=placed.entry._asdict(),
        position=placed.position,
        path=[step.hex() for step in log.inclusion(placed.position, head.size)],
        head=head,
        extends=extends,
    )


def check_proof(
    proof: Proof,
    *,
    sha256: str | None = None,
    known: Head | None = None,
    anchors_pem: bytes | None = None,
) -> Outcome:
    """Check a proof with nothing but itself and what the reader holds.

    Args:
        proof: The proof.
        sha256: Digest of the file that it is to be about; None: whichever it names.
        known: A head that the reader has held; the proof must be against it or continue it.
        anchors_pem: Root certificates in PEM; with them, the signer must be trusted.
    """
    signed = check_head(proof.head, anchors_pem)
    problems, trusted = list(signed.problems), signed.trusted
    try:
        entry = Entry(**proof.entry)
        path = [bytes.fromhex(step) for step in proof.path]
    except (TypeError, ValueError):
        return Outcome((*problems, "its entry or path is malformed"), trusted)
    leaf = merkle.leaf_hash(entry.leaf())
    found = merkle.root_of_inclusion(leaf, proof.position, proof.head.size, path)
    if found is None or found.hex() != proof.head.root:
        problems.append("the path does not lead from the entry to the head's root")
    if sha256 is not None and entry.sha256 != sha256:
        problems.append("the entry is about another file, or the file was changed")
    if known is not None and not _continues(proof, known):
        problems.append("it is neither against the given head nor shown to continue it")
    return Outcome(tuple(problems), trusted)


def check_head(head: Head, anchors_pem: bytes | None = None) -> Outcome:
    """Check a head's signature, and who signed.

    Args:
        head: The head.
        anchors_pem: Root certificates in PEM, or None.

    Raises:
        UsageError: The anchors are malformed.
    """
    anchors = None
    if anchors_pem is not None:
        anchors = x509.load_pem_x509_certificates(check_anchors(anchors_pem))
    problem, chain = _signers(head)
    if problem is not None:
        return Outcome((problem,), None if anchors is None else False)
    problems = []
    if head.version != _VERSION:
        problems.append(f"its head has version {head.version}; {_VERSION} was expected")
    if not all(was_valid_at(one, head.time) for one in chain):
        problems.append("it was signed outside its certificates' time")
    if not may_sign(chain[0]):
        problems.append("its certificate is not one for signing documents")
    return Outcome(tuple(problems), None if anchors is None else leads_to(chain, anchors))


def read_head(path: Path) -> Head:
    """Read a head, or the head of a proof.

    Raises:
        InvalidProof: It is malformed.
        InputError: It cannot be read.
    """
    data = _read(path)
    return _decode(data, Proof, path).head if b'"entry"' in data else _decode(data, Head, path)


def read_proof(path: Path) -> Proof:
    """Read a proof.

    Raises:
        InvalidProof: It is malformed.
        InputError: It cannot be read.
    """
    return _decode(_read(path), Proof, path)


def as_json(document: Proof | Head) -> bytes:
    """The document as indented JSON, as :func:`read_proof` and :func:`read_head` read it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _check_known(log: Log, known: Head) -> None:
    log_id, size, _ = log.state()
    fits = known.log == log_id and 0 <= known.size <= size
    if fits and known.size:
        fits = log.root_over(known.size).hex() == known.root
    if not fits:
        raise InvalidProof(
            "The given head is of another log, or this log was changed since it was signed.",
            hint="Check UNMASK_LOG; 'unmask provenance log verify' checks the log itself.",
        )


def _continues(proof: Proof, known: Head) -> bool:
    if proof.head.log != known.log:
        return False
    if (proof.head.size, proof.head.root) == (known.size, known.root):
        return True
    shown = proof.extends
    if shown is None or (shown.size, shown.root) != (known.size, known.root):
        return False
    try:
        path = [bytes.fromhex(step) for step in shown.path]
        roots = bytes.fromhex(shown.root), bytes.fromhex(proof.head.root)
    except ValueError:
        return False
    return merkle.is_consistent(shown.size, proof.head.size, *roots, path)


def _signers(head: Head) -> tuple[str | None, list[x509.Certificate]]:
    """What is wrong with the head's signature, or None; and the head's certificates."""
    try:
        chain = x509.load_pem_x509_certificates(head.chain_pem.encode())
        public = chain[0].public_key()
    except MALFORMED:
        return "the head's certificates are malformed, or of a kind that is not known here", []
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return "the head was not signed with the kind of key that it was to be (ES256)", []
    try:
        signature = base64.b64decode(head.signature, validate=True)
        public.verify(signature, head.said(), _ES256)
    except DOES_NOT_HOLD:
        return "the head's signature does not hold", []
    return None, chain


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from error
    except OSError as error:
        raise PermissionRefused(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(data) > _MAX_BYTES:
        raise InvalidProof(
            f"{path.name} has more than {_MAX_BYTES} bytes; a proof has a few thousand.",
            hint=_GIVE,
        )
    return data


def _decode(data: bytes, kind: type[_Document], path: Path) -> _Document:
    try:
        # First of all: another version has other fields.
        version = msgspec.json.decode(data, type=_Versioned).version
        if version != _VERSION:
            raise InvalidProof(
                f"{path.name} has version {version}; {_VERSION} was expected.",
                hint="Read it with the version of Unmask that wrote it.",
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidProof(
            f"{path.name} is no {kind.__name__.lower()} of a provenance log: {error}.", hint=_GIVE
        ) from error


def facts_of(proof: Proof) -> Mapping[str, Any]:
    """What a proof says, for people: the entry, its place, and the head's size and time."""
    return {
        **proof.entry,
        "position": proof.position,
        "log": proof.head.log,
        "log_size": proof.head.size,
        "head_time": proof.head.time,
    }
