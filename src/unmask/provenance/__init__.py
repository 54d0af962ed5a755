"""Where a file says it comes from: content credentials (C2PA) and the IPTC source type.

>>> from unmask.provenance import iptc, read_credentials
>>> state = read_credentials("portrait.jpg")  # doctest: +SKIP
>>> state.status, state.digital_source_types  # doctest: +SKIP
(<CredentialStatus.VALID: 'valid'>, ('http://cv.iptc.org/newscodes/digitalsourcetype/...',))

What people are shown of our forgeries is written by :func:`write_labelled_picture` and
:func:`write_labelled_film`, and by nothing else.
The C2PA library and the one for certificates come with the extra ``provenance`` (and so with
``forge`` and ``demo``); they are imported when something is signed or read, not with this
package. Nothing here touches the network.
"""

from unmask.provenance.credential_state import CredentialState, CredentialStatus
from unmask.provenance.credentials import Ingredient
from unmask.provenance.credentials import read as read_credentials
from unmask.provenance.credentials import sign as sign_credentials
from unmask.provenance.declaration import NEEDS_NO_CONSENT, ForgeryLabel
from unmask.provenance.labelled import (
    check_label,
    write_labelled_film,
    write_labelled_picture,
)

__all__ = [
    "NEEDS_NO_CONSENT",
    "CredentialState",
    "CredentialStatus",
    "ForgeryLabel",
    "Ingredient",
    "check_label",
    "read_credentials",
    "sign_credentials",
    "write_labelled_film",
    "write_labelled_picture",
]
