"""The local certificate authority that signs our labels, made on first use.

Nobody else trusts it: a reader elsewhere calls our signatures valid, and trusted only where the
anchor (``root.pem``) was handed over. What it proves is that the label was not altered and that
two files come from the same installation. Its names hold a random number and nothing of the user
or the machine, since they travel with every signed file. The authority issues one certificate and
then its own key is gone: nobody can issue another under the anchor that was handed over.

Source: C2PA specification 2.x, section "X.509 Certificates" (profile of the signing certificate).
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from unmask import settings
from unmask.errors import IdentityExpired, IdentityUnusable, MissingExtra, UsageError
from unmask.provenance.certificates import MALFORMED

try:  # this module is imported only where something is signed
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError as error:
    raise MissingExtra.named("provenance", "Signing") from error

ANCHOR = "root.pem"
CHAIN = "chain.pem"
KEY = "leaf.key"

# No timestamp authority is asked (that would need the network), so a reader calls a signature
# invalid from the day on which its certificate runs out: a label must outlive what it labels.
_LIFETIME = dt.timedelta(days=20 * 365)
_CLOCK_SKEW = dt.timedelta(minutes=10)
_NEW_ONE = (
    "Set UNMASK_IDENTITY to another folder, or move this one away: a new identity is made on the "
    "next use."
)


class Identity(NamedTuple):
    """What signs, and what a reader has to trust.

    Attributes:
        chain_pem: Signing certificate, then those that issued it.
        key_pem: Private key of the signing certificate: P-256, PKCS #8, not encrypted.
        anchor_pem: Root certificate, for a reader's ``trust_anchors``.
    """

    chain_pem: bytes
    key_pem: bytes
    anchor_pem: bytes

    def __repr__(self) -> str:
        return "Identity(...)"  # a private key has no place in a log


class IdentityFacts(NamedTuple):
    """What people are shown of an identity.

    Attributes:
        signer: Name and organisation in the signing certificate.
        first_day: Of its validity, ISO 8601.
        last_day: Of its validity.
    """

    signer: str
    first_day: str
    last_day: str


def describe(found: Identity) -> IdentityFacts:
    """Say whose an identity is, and how long it is good."""
    leaf = x509.load_pem_x509_certificates(found.chain_pem)[0]
    oid = x509.oid.NameOID
    names = (leaf.subject.get_attributes_for_oid(part) for part in
             (oid.COMMON_NAME, oid.ORGANIZATION_NAME))  # fmt: skip
    return IdentityFacts(
        signer=", ".join(str(name[0].value) for name in names if name),
        first_day=f"{leaf.not_valid_before_utc:%Y-%m-%d}",
        last_day=f"{leaf.not_valid_after_utc:%Y-%m-%d}",
    )


def identity(folder: Path | None = None) -> Identity:
    """Return the signing identity; make it if there is none yet.

    Args:
        folder: Where it is kept; by default as the setting ``UNMASK_IDENTITY`` says.

    Raises:
        IdentityUnusable: The folder cannot be made or read, or holds something else.
        IdentityExpired: The certificate is not valid today.
    """
    folder = settings.identity_dir() if folder is None else folder
    try:
        if not folder.is_dir() or not any(folder.iterdir()):
            _make(folder)
    except OSError as error:
        raise IdentityUnusable(
            f"The signing identity cannot be kept in {folder}: {error.strerror or error}.",
            hint="Set UNMASK_IDENTITY to a folder that you may write to.",
        ) from error
    return load(folder)


def load(folder: Path) -> Identity:
    """Read and check an identity that exists.

    Raises:
        IdentityUnusable: A file is absent, may not be read, is not PEM, or does not fit the others.
        IdentityExpired: A certificate is not valid today.
    """
    found = Identity(_read(folder / CHAIN), _read(folder / KEY), _read(folder / ANCHOR))
    chain = _certificates(found.chain_pem, folder / CHAIN)
    anchors = _certificates(found.anchor_pem, folder / ANCHOR)
    _check_key(found.key_pem, chain[0], folder)
    for certificate in (*chain, *anchors):
        _check_dates(certificate, folder)
    return found


def check_anchors(pem: bytes) -> bytes:
    """Refuse trust anchors that are not certificates in PEM.

    Returns:
        The certificates alone, in PEM: what else is in such a file may not even be ASCII.

    Raises:
        UsageError: They are malformed, or there are none.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in found)
    except MALFORMED as error:
        raise UsageError(
            "The trust anchors are malformed: they were to be certificates in PEM.",
            hint="Give a file that begins with -----BEGIN CERTIFICATE-----.",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise IdentityUnusable(
            f"The signing identity is incomplete: {path} is missing.", hint=_NEW_ONE
        ) from error
    except OSError as error:
        raise IdentityUnusable(
            f"The signing identity cannot be read: {path}: {error.strerror or error}.",
            hint="Give yourself the right to read it, or set UNMASK_IDENTITY to another folder.",
        ) from error


def _certificates(pem: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return list(x509.load_pem_x509_certificates(pem))
    except MALFORMED as error:
        raise IdentityUnusable(
            f"{path} is malformed: it was to hold certificates in PEM.", hint=_NEW_ONE
        ) from error


def signing_key(pem: bytes, called: str, hint: str) -> ec.EllipticCurvePrivateKey:
    """Read the one kind of key that signs here: P-256 in PEM, without password.

    Args:
        pem: The key.
        called: How messages call it (``The private key``).
        hint: What to do where it is none.

    Raises:
        IdentityUnusable: It is malformed, protected, or of another kind.
    """
    try:
        key = serialization.load_pem_private_key(pem, None)
    except TypeError as error:
        raise IdentityUnusable(
            f"{called} is protected by a password.",
            hint="Take the password off: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW",
        ) from error
    except MALFORMED as error:
        raise IdentityUnusable(
            f"{called} is malformed: a private key in PEM was expected.", hint=hint
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityUnusable(
            f"{called} is of another kind than a P-256 key (ES256). One is made by: openssl "
            "ecparam -name prime256v1 -genkey",
            hint=hint,
        )
    return key


def _check_key(pem: bytes, leaf: x509.Certificate, folder: Path) -> None:
    key = signing_key(pem, str(folder / KEY), _NEW_ONE)
    try:
        fits = key.public_key() == leaf.public_key()
    except MALFORMED:
        fits = False
    if not fits:
        raise IdentityUnusable(
            f"{folder / KEY} does not belong to the first certificate in {CHAIN}.", hint=_NEW_ONE
        )


def _check_dates(certificate: x509.Certificate, folder: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= now <= last:
        raise IdentityExpired(
            f"A certificate of the signing identity in {folder} is valid from {first:%Y-%m-%d} "
            f"to {last:%Y-%m-%d}, and today is {now:%Y-%m-%d}.",
            hint=f"Check the clock. {_NEW_ONE}",
        )


@contextmanager
def kept_beside(folder: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write an identity's files beside ``folder``, readable by the user alone.

    Gives the place where they lie; where nothing was raised, it gets the name of ``folder`` in
    one step.

    Raises:
        OSError: They cannot be written, or ``folder`` is there and not empty.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".identity-", dir=folder.parent) as beside:
        place = Path(beside) / "identity"
        place.mkdir(mode=0o700)
        for name, pem in files.items():
            descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(pem)
                stream.flush()
                os.fsync(stream.fileno())
        yield place
        place.replace(folder)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key in the one form that the C2PA library reads."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _make(folder: Path) -> None:
    """Make an identity.

    Two processes on their first use both get here; the first to finish wins, and the other reads
    what that one made.
    """
    try:
        with kept_beside(folder, _issue(dt.datetime.now(dt.UTC))):
            pass
    except OSError:
        if not (folder / CHAIN).is_file():
            raise


def _issue(now: dt.datetime) -> dict[str, bytes]:
    """A new authority and one signing certificate, as PEM by file name; its own key is let go."""
    mark = secrets.token_hex(4)
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _root_certificate(root_key, f"Unmask local authority {mark}", now)
    leaf = _leaf_certificate(leaf_key, f"Unmask signer {mark}", root, root_key, now)
    anchor = root.public_bytes(serialization.Encoding.PEM)
    return {
        ANCHOR: anchor,
        KEY: private_pem(leaf_key),
        CHAIN: leaf.public_bytes(serialization.Encoding.PEM) + anchor,
    }


def _root_certificate(
    key: ec.EllipticCurvePrivateKey, name: str, now: dt.datetime
) -> x509.Certificate:
    subject = _name(name)
    public = key.public_key()
    return (
        _builder(subject, subject, public, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf_certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> x509.Certificate:
    public = key.public_key()
    # emailProtection is the purpose that C2PA accepts of certificates without one of its own.
    purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    issuer_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)
    return (
        _builder(_name(name), root.subject, public, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(purpose, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(authority, critical=False)
        .sign(root_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _name(common: str) -> x509.Name:
    oid = x509.oid.NameOID
    return x509.Name([
        # The profile wants a country; ZZ is ISO 3166's code for users, here "not stated".
        x509.NameAttribute(oid.COUNTRY_NAME, "ZZ"),
        x509.NameAttribute(oid.ORGANIZATION_NAME, "Unmask local identity"),
        x509.NameAttribute(oid.COMMON_NAME, common),
    ])  # fmt: skip


def _usage(*allowed: str) -> x509.KeyUsage:
    uses = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{use: use in allowed for use in uses})
