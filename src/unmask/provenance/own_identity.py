"""Take a key and certificates of one's own, so that signatures are trusted where they are known.

Everything is checked before anything is kept, last by a trial: a small picture is signed and must
read back as trusted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unmask.errors import IdentityUnusable, LabelFailed, MissingExtra
from unmask.media import write_picture
from unmask.provenance import authority, credentials, iptc
from unmask.provenance.certificates import MALFORMED

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError as error:
    raise MissingExtra.named("provenance", "Signing") from error

_NOTHING_KEPT = "Nothing was kept."


def keep_own_identity(
    folder: Path, key_pem: bytes, chain_pem: bytes, anchor_pem: bytes | None = None
) -> authority.Identity:
    """Check a key and its certificates and keep them as this installation's identity.

    Args:
        folder: Must not hold an identity yet.
        key_pem: Private key on the curve P-256, PEM, without password.
        chain_pem: Signing certificate, then those that issued it, PEM.
        anchor_pem: Root certificate; None: the last of the chain, if that is one.

    Raises:
        IdentityUnusable: Something is malformed, does not fit together, or cannot sign; or there
            is an identity already.
        IdentityExpired: A certificate is not valid today.
    """
    files = {
        authority.KEY: _checked(key_pem),
        authority.CHAIN: chain_pem,
        authority.ANCHOR: anchor_pem or _root_of(chain_pem),
    }
    try:
        if folder.exists() and any(folder.iterdir()):
            raise IdentityUnusable(
                f"There is an identity in {folder} already.",
                hint="Move it away, or set UNMASK_IDENTITY to another folder.",
            )
        with authority.kept_beside(folder, files) as place:
            found = authority.load(place)
            _try(found, place.parent)
    except OSError as error:
        raise IdentityUnusable(
            f"The signing identity cannot be kept in {folder}: {error.strerror or error}.",
            hint="Set UNMASK_IDENTITY to a folder that you may write to.",
        ) from error
    return found


def _checked(pem: bytes) -> bytes:
    key = authority.signing_key(
        pem,
        "The private key",
        f"{_NOTHING_KEPT} Give the file that begins with -----BEGIN PRIVATE KEY-----.",
    )
    return authority.private_pem(key)


def _root_of(chain_pem: bytes) -> bytes:
    try:
        last = x509.load_pem_x509_certificates(chain_pem)[-1]
    except MALFORMED as error:
        raise IdentityUnusable(
            f"The certificates are malformed: PEM was expected. {_NOTHING_KEPT}",
            hint="Give the file that begins with -----BEGIN CERTIFICATE-----.",
        ) from error
    if last.subject != last.issuer:
        raise IdentityUnusable(
            f"The chain does not end in a root certificate. {_NOTHING_KEPT}",
            hint="Give the root with --anchor.",
        )
    return last.public_bytes(serialization.Encoding.PEM)


def _try(identity: authority.Identity, folder: Path) -> None:
    picture = folder / "trial.png"
    write_picture(picture, np.zeros((8, 8, 3), np.uint8))
    try:
        credentials.sign(
            picture,
            picture,
            title="trial",
            action="c2pa.created",
            digital_source_type=iptc.TRAINED,
            identity=identity,
        )
    except LabelFailed as error:
        raise IdentityUnusable(
            f"These certificates do not sign as C2PA wants it: {error.message} {_NOTHING_KEPT}",
            hint="The first certificate must be no CA, be for digitalSignature and for "
            "emailProtection or documentSigning, and lead to the root.",
        ) from error
