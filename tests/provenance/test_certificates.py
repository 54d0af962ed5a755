from __future__ import annotations

import datetime as dt

import pytest

pytest.importorskip("cryptography", reason="needs pip install 'unmask[provenance]'")

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from unmask.provenance.certificates import leads_to, may_sign, was_valid_at

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
PURPOSE = x509.oid.ExtendedKeyUsageOID
SIGNS, CERTIFIES = "digital_signature", "key_cert_sign"
USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


class Party:
    """A key and its certificate."""

    def __init__(
        self,
        name: str,
        issuer: Party | None = None,
        *,
        longest: int | None = None,
        ca: bool = True,
        use: str | None = CERTIFIES,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
        above = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(above.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca, longest), critical=True)
        )
        if use is not None:
            usage = x509.KeyUsage(**{one: one == use for one in USES})
            builder = builder.add_extension(usage, critical=True)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        self.certificate = builder.sign(above.key, hashes.SHA256())


def chain(*parties: Party) -> list[x509.Certificate]:
    return [one.certificate for one in parties]


def test_a_chain_leads_to_whoever_issued_its_end() -> None:
    root = Party("root")
    middle = Party("middle", root, longest=0)
    leaf = Party("leaf", middle, ca=False, use=SIGNS)
    assert leads_to(chain(leaf, middle), chain(root))
    assert leads_to(chain(leaf, middle, root), chain(root))
    assert leads_to(chain(leaf), chain(middle))
    assert not leads_to(chain(leaf), chain(root))
    assert not leads_to(chain(leaf, root), chain(root))
    assert not leads_to(chain(leaf, middle), chain(Party("root")))


def test_an_issuer_of_certificates_must_be_one() -> None:
    root = Party("root")
    for false in (
        Party("no CA", root, ca=False),
        Party("signs documents", root, use=SIGNS),
    ):
        leaf = Party("leaf", false, ca=False, use=SIGNS)
        assert not leads_to(chain(leaf, false), chain(root))
    old = Party("says nothing of its use", root, use=None)
    assert leads_to(chain(Party("leaf", old, ca=False, use=SIGNS), old), chain(root))


def test_no_more_authorities_than_were_allowed() -> None:
    root = Party("root", longest=0)
    middle = Party("middle", root)
    leaf = Party("leaf", middle, ca=False, use=SIGNS)
    assert not leads_to(chain(leaf, middle), chain(root))
    assert leads_to(chain(Party("leaf", root, ca=False, use=SIGNS)), chain(root))


@pytest.mark.parametrize(
    ("use", "purpose", "expected"),
    [(SIGNS, PURPOSE.EMAIL_PROTECTION, True),
     (SIGNS, x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"), True),
     (SIGNS, PURPOSE.SERVER_AUTH, False), (SIGNS, PURPOSE.CODE_SIGNING, False),
     (SIGNS, PURPOSE.ANY_EXTENDED_KEY_USAGE, False), (SIGNS, None, False),
     (CERTIFIES, PURPOSE.EMAIL_PROTECTION, False), (None, PURPOSE.EMAIL_PROTECTION, False)],
)  # fmt: skip
def test_what_may_sign_documents(
    use: str | None, purpose: x509.ObjectIdentifier | None, expected: bool
) -> None:
    leaf = Party("leaf", ca=False, use=use, purpose=purpose)
    assert may_sign(leaf.certificate) is expected


def test_an_authority_signs_certificates_and_no_documents() -> None:
    both = Party("a", use=SIGNS, purpose=PURPOSE.EMAIL_PROTECTION, ca=True)
    assert not may_sign(both.certificate)


@pytest.mark.parametrize(
    ("time", "expected"),
    [(NOW.isoformat(), True), ("2026-05-01T02:00:00+02:00", True), ("2026-05-01T00:00:00", False),
     ("2026-05-03T00:00:00+00:00", False), ("2026-04-29T00:00:00Z", False), ("", False),
     ("0001-01-01T00:00:00+14:00", False)],
)  # fmt: skip
def test_when_a_certificate_was_valid(time: str, expected: bool) -> None:
    assert was_valid_at(Party("a").certificate, time) is expected
