"""Where a file says it comes from: content credentials (C2PA) and the IPTC source type.

>>> from unmask.provenance import iptc, read_credentials
>>> state = read_credentials("portrait.jpg")  # doctest: +SKIP
>>> state.status, state.digital_source_types  # doctest: +SKIP
(<CredentialStatus.VALID: 'valid'>, ('http://cv.iptc.org/newscodes/digitalsourcetype/...',))

What people are shown of our forgeries is written by :func:`write_labelled`, and by nothing else.
The C2PA library and the one for certificates come with the ``demo`` and ``forge`` extras; they
are imported when something is signed or read, not with this package. Nothing here touches the
network.
"""

from unmask.provenance.credentials import (
    CredentialState,
    CredentialStatus,
    Ingredient,
)
from unmask.provenance.credentials import read as read_credentials
from unmask.provenance.credentials import sign as sign_credentials
from unmask.provenance.labelled import ForgeryLabel, write_labelled

__all__ = [
    "CredentialState",
    "CredentialStatus",
    "ForgeryLabel",
    "Ingredient",
    "read_credentials",
    "sign_credentials",
    "write_labelled",
]
