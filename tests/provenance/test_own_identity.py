"""Keys and certificates that somebody brings along: taken whole or refused with a reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from tests.provenance.conftest import write_sample

from unmask.errors import IdentityExpired, IdentityUnusable

pytest.importorskip("c2pa", reason="needs pip install 'unmask[provenance]'")
pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from unmask.provenance import CredentialStatus, authority, credentials, iptc
from unmask.provenance.own_identity import keep_own_identity

NOW = dt.datetime.now(dt.UTC)
PEM = serialization.Encoding.PEM


class Newsroom:
    """A root and a signing certificate under it, with what a test wants changed."""

    def __init__(self, *, days: int = 100, ca: bool = False, purpose: bool = True) -> None:
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self.issue(
            "Newsroom root", "Newsroom root", self.root_key.public_key(), ca=True, days=1000
        )
        self.leaf = self.issue(
            "Newsroom", "Newsroom root", self.key.public_key(), ca=ca, days=days, purpose=purpose
        )

    def issue(self, name: str, issuer: str, public: ec.EllipticCurvePublicKey, *, ca: bool,
              days: int, purpose: bool = False) -> x509.Certificate:  # fmt: skip
        oid = x509.oid.NameOID

        def called(common: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(oid.COUNTRY_NAME, "DE"),
                              x509.NameAttribute(oid.ORGANIZATION_NAME, "The Paper"),
                              x509.NameAttribute(oid.COMMON_NAME, common)])  # fmt: skip

        end = NOW + dt.timedelta(days=days)
        builder = (
            x509.CertificateBuilder().subject_name(called(name)).issuer_name(called(issuer))
            .public_key(public).serial_number(x509.random_serial_number())
            .not_valid_before(min(NOW, end) - dt.timedelta(days=9)).not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(authority._usage("key_cert_sign" if ca else "digital_signature"), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self.root_key.public_key()), False)
        )  # fmt: skip
        if purpose:
            mail = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(mail, False)
        return builder.sign(self.root_key, hashes.SHA256())

    @property
    def chain(self) -> bytes:
        return self.leaf.public_bytes(PEM) + self.root.public_bytes(PEM)


def key_pem(key: object, form: str = "TraditionalOpenSSL", password: bytes | None = None) -> bytes:
    lock = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(PEM, getattr(serialization.PrivateFormat, form), lock)  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", ["TraditionalOpenSSL", "PKCS8"])
def test_a_key_of_ones_own_signs_and_is_trusted_by_its_root(
    form: str, tmp_path: Path, folder_of_identity: Path
) -> None:
    paper = Newsroom()
    keep_own_identity(folder_of_identity, key_pem(paper.key, form), paper.chain)
    assert authority.describe(authority.identity()).signer == "Newsroom, The Paper"
    path = write_sample(tmp_path / "picture.jpg")
    credentials.sign(path, path, title="t", action="c2pa.created",
                     digital_source_type=iptc.TRAINED)  # fmt: skip
    state = credentials.read(path, paper.root.public_bytes(PEM))
    assert state.status is CredentialStatus.TRUSTED
    assert state.signer == "Newsroom, The Paper"
    assert {path.name for path in tmp_path.iterdir()} == {"identity", "picture.jpg"}


def test_a_root_may_come_in_a_file_of_its_own(folder_of_identity: Path) -> None:
    paper = Newsroom()
    leaf, root = paper.leaf.public_bytes(PEM), paper.root.public_bytes(PEM)
    with pytest.raises(IdentityUnusable, match="root certificate") as caught:
        keep_own_identity(folder_of_identity, key_pem(paper.key), leaf)
    assert "--anchor" in caught.value.hint
    keep_own_identity(folder_of_identity, key_pem(paper.key), leaf, root)
    assert authority.identity().anchor_pem == root


def refusals() -> dict[str, tuple[bytes, bytes, str]]:
    paper, other = Newsroom(), Newsroom()
    plain = key_pem(paper.key)
    swapped = paper.root.public_bytes(PEM) + paper.leaf.public_bytes(PEM)
    return {
        "no PEM key": (b"key", paper.chain, "malformed"),
        "no PEM chain": (plain, b"-----BEGIN CERTIFICATE-----\nx", "malformed"),
        "a password": (key_pem(paper.key, "PKCS8", b"secret"), paper.chain, "password"),
        "RSA": (key_pem(rsa.generate_private_key(65537, 2048)), paper.chain, "P-256"),
        "Ed25519": (key_pem(ed25519.Ed25519PrivateKey.generate(), "PKCS8"), paper.chain, "P-256"),
        "another curve": (
            key_pem(ec.generate_private_key(ec.SECP384R1())), paper.chain, "P-256"),
        "another's key": (key_pem(other.key), paper.chain, "does not belong"),
        "the wrong order": (plain, swapped, "root certificate"),
        "a CA": (key_pem((ca := Newsroom(ca=True)).key), ca.chain, "C2PA"),
        "no purpose": (key_pem((bare := Newsroom(purpose=False)).key), bare.chain, "C2PA"),
        "another root": (
            plain, paper.leaf.public_bytes(PEM) + other.root.public_bytes(PEM), "C2PA"),
    }  # fmt: skip


@pytest.mark.parametrize("case", refusals())
def test_what_cannot_sign_is_refused_and_nothing_is_kept(
    case: str, folder_of_identity: Path
) -> None:
    key, chain, reason = refusals()[case]
    with pytest.raises(IdentityUnusable, match=reason) as caught:
        keep_own_identity(folder_of_identity, key, chain)
    assert caught.value.hint
    assert not folder_of_identity.exists()


def test_an_expired_certificate_is_refused(folder_of_identity: Path) -> None:
    paper = Newsroom(days=-1)
    with pytest.raises(IdentityExpired, match="valid from"):
        keep_own_identity(folder_of_identity, key_pem(paper.key), paper.chain)
    assert not folder_of_identity.exists()


def test_an_identity_that_is_there_is_not_replaced(folder_of_identity: Path) -> None:
    before = authority.identity()
    paper = Newsroom()
    with pytest.raises(IdentityUnusable, match="already"):
        keep_own_identity(folder_of_identity, key_pem(paper.key), paper.chain)
    assert authority.identity() == before
