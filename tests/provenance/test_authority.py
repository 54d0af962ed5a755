from __future__ import annotations

import base64
import datetime as dt
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from unmask.errors import IdentityExpired, IdentityUnusable, LabelFailed, UsageError
from unmask.provenance import authority


def test_the_first_use_makes_an_identity_and_the_second_finds_it(folder_of_identity: Path) -> None:
    first = authority.identity()
    assert folder_of_identity.is_dir()
    assert authority.identity() == first
    assert [p.name for p in folder_of_identity.parent.iterdir()] == [folder_of_identity.name]


def test_nobody_else_may_read_it(folder_of_identity: Path) -> None:
    authority.identity()
    assert stat.S_IMODE(folder_of_identity.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder_of_identity.iterdir()}
    assert modes == {0o600}


def test_two_first_uses_at_once_agree(folder_of_identity: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: authority.identity(), range(4)))
    assert len({one.key_pem for one in found}) == 1


def test_the_certificates_follow_the_profile(folder_of_identity: Path) -> None:
    made = authority.identity()
    leaf, root = x509.load_pem_x509_certificates(made.chain_pem)
    assert x509.load_pem_x509_certificates(made.anchor_pem) == [root]
    leaf.verify_directly_issued_by(root)
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.critical) == (False, True)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION]
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    subject = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert issuer.key_identifier == subject.key_identifier
    oid = x509.oid.NameOID
    for part in (oid.COUNTRY_NAME, oid.ORGANIZATION_NAME, oid.COMMON_NAME):
        assert leaf.subject.get_attributes_for_oid(part)
    key = serialization.load_pem_private_key(made.key_pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert made.key_pem.startswith(b"-----BEGIN PRIVATE KEY-----")  # PKCS #8


def test_the_authoritys_own_key_is_let_go(folder_of_identity: Path) -> None:
    made = authority.identity()
    assert {path.name for path in folder_of_identity.iterdir()} == {
        authority.ANCHOR, authority.CHAIN, authority.KEY
    }  # fmt: skip
    assert made.key_pem not in {made.anchor_pem, made.chain_pem}


def test_a_private_key_is_not_printed(folder_of_identity: Path) -> None:
    assert "PRIVATE" not in repr(authority.identity())


@pytest.mark.parametrize("name", [authority.KEY, authority.CHAIN, authority.ANCHOR])
def test_a_malformed_file_is_named(folder_of_identity: Path, name: str) -> None:
    authority.identity()
    (folder_of_identity / name).write_bytes(b"-----BEGIN NOTHING-----\n")
    with pytest.raises(IdentityUnusable, match=rf"{name} is malformed") as caught:
        authority.identity()
    assert "UNMASK_IDENTITY" in caught.value.hint


@pytest.mark.parametrize("name", [authority.KEY, authority.CHAIN, authority.ANCHOR])
def test_a_missing_file_is_named(folder_of_identity: Path, name: str) -> None:
    authority.identity()
    (folder_of_identity / name).unlink()
    with pytest.raises(IdentityUnusable, match=rf"{name} is missing"):
        authority.identity()


def test_a_file_that_cannot_be_read_is_named(folder_of_identity: Path) -> None:
    authority.identity()
    (folder_of_identity / authority.KEY).unlink()
    (folder_of_identity / authority.KEY).mkdir()  # holds for the superuser too
    with pytest.raises(IdentityUnusable, match="cannot be read"):
        authority.identity()


def test_a_key_of_another_kind_is_refused(folder_of_identity: Path) -> None:
    authority.identity()
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder_of_identity / authority.KEY).write_bytes(pem)
    with pytest.raises(IdentityUnusable, match="P-256"):
        authority.identity()


def test_a_key_of_another_certificate_is_refused(folder_of_identity: Path, tmp_path: Path) -> None:
    authority.identity()
    other = authority.identity(tmp_path / "other")
    (folder_of_identity / authority.KEY).write_bytes(other.key_pem)
    with pytest.raises(IdentityUnusable, match="does not belong"):
        authority.identity()


@pytest.mark.parametrize("years", [-30, 5])
def test_a_certificate_not_valid_today_is_refused(folder_of_identity: Path, years: int) -> None:
    write_identity_of(folder_of_identity, years)
    with pytest.raises(IdentityExpired, match="valid from") as caught:
        authority.identity()
    assert isinstance(caught.value, LabelFailed)
    assert "clock" in caught.value.hint


def test_a_folder_with_other_things_is_left_as_it_is(folder_of_identity: Path) -> None:
    folder_of_identity.mkdir()
    (folder_of_identity / "letter.txt").write_text("Dear")
    with pytest.raises(IdentityUnusable, match="missing"):
        authority.identity()
    assert [path.name for path in folder_of_identity.iterdir()] == ["letter.txt"]


def test_a_place_that_cannot_hold_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / "file" / "identity"))
    with pytest.raises(IdentityUnusable, match="cannot be kept"):
        authority.identity()


def test_anchors_that_are_none_are_refused(folder_of_identity: Path) -> None:
    version_9 = b"".join(altered(authority.identity().anchor_pem, VERSION))
    with pytest.raises(UsageError, match="trust anchors are malformed"):
        authority.check_anchors(version_9)
    with pytest.raises(UsageError, match="trust anchors are malformed"):
        authority.check_anchors(b"not PEM")


VERSION = (bytes.fromhex("a003020102"), bytes.fromhex("a003020109"))


def altered(chain_pem: bytes, change: tuple[bytes, bytes]) -> list[bytes]:
    """The certificates of a chain, the first with some bytes in place of others."""
    first, *others = x509.load_pem_x509_certificates(chain_pem)
    whole = first.public_bytes(serialization.Encoding.DER)
    assert change[0] in whole
    body = base64.encodebytes(whole.replace(*change, 1))
    pem = b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
    return [pem, *(one.public_bytes(serialization.Encoding.PEM) for one in others)]


def write_identity_of(folder: Path, years: int) -> None:
    """An identity made ``years`` from now, by the code that makes all others."""
    folder.mkdir()
    when = dt.datetime.now(dt.UTC) + dt.timedelta(days=365 * years)
    for name, pem in authority._issue(when).items():
        (folder / name).write_bytes(pem)
