"""Checks on strangers' certificates: whether one may sign documents, and who vouches for it.

Source: RFC 5280, sections 4.2.1.3 (key usage), 4.2.1.9 (basic constraints), 4.2.1.12 (extended key
usage) and 6.1 (path validation: what is named there of policies, names and revocation is left
out); C2PA specification 2.x, section "X.509 Certificates".
"""

from __future__ import annotations

from datetime import UTC, datetime

from unmask.errors import MissingExtra

try:  # this module is imported only where something is signed or checked
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
except ImportError as error:
    raise MissingExtra.named("provenance", "Signing") from error

MALFORMED: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading certificates or keys of strangers may raise, at once or when a part is asked for."""
DOES_NOT_HOLD: tuple[type[Exception], ...] = (
    InvalidSignature,
    x509.ExtensionNotFound,
    *MALFORMED,
)
"""What checking them may raise besides."""
# What C2PA lets a certificate be for whose key signs: mail, documents, and its own purpose.
_PURPOSES = frozenset({"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1"})


def was_valid_at(certificate: x509.Certificate, time: str) -> bool:
    """Whether a time (ISO 8601 with its zone) lies in a certificate's."""
    try:
        then = datetime.fromisoformat(time)
        if then.tzinfo is None:
            return False
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return first <= then.astimezone(UTC) <= last
    except MALFORMED:
        return False


def may_sign(leaf: x509.Certificate) -> bool:
    """Whether a certificate is for signing documents: that of a web server is not."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if any(isinstance(one.value, x509.BasicConstraints) and one.value.ca
               for one in leaf.extensions):  # fmt: skip
            return False
        return usage.digital_signature and any(
            purpose.dotted_string in _PURPOSES for purpose in purposes
        )
    except DOES_NOT_HOLD:
        return False


def leads_to(chain: list[x509.Certificate], anchors: list[x509.Certificate]) -> bool:
    """Whether each certificate was issued by the next, and the last by an anchor (or is one)."""
    if not all(_issued(chain[i], chain[i + 1], below=i) for i in range(len(chain) - 1)):
        return False
    last = len(chain) - 1
    return any(one in anchors for one in chain) or any(
        _issued(chain[last], one, below=last) for one in anchors
    )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, *, below: int) -> bool:
    """Whether ``issuer`` issued a certificate and might, with ``below`` authorities under it."""
    try:
        certificate.verify_directly_issued_by(issuer)
        found = {type(one.value): one.value for one in issuer.extensions}
    except DOES_NOT_HOLD:
        return False
    usage, constraints = found.get(x509.KeyUsage), found.get(x509.BasicConstraints)
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return False
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        return False
    return constraints.path_length is None or below <= constraints.path_length
