"""What a file says of its own origin, and when that decides the verdict.

A declaration of synthesis decides, whatever the detector found, if it is part of signed content
credentials that still fit the file, or is our own watermark. Whoever signed it: a file that says
this of itself is taken at its word. A declaration of being real, and an unsigned tag, never
decide anything, since anybody can write them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unmask.errors import UnmaskError, UsageError
from unmask.provenance import iptc
from unmask.provenance.credential_state import CredentialState, CredentialStatus
from unmask.provenance.credentials import FORMATS
from unmask.provenance.credentials import read as read_credentials
from unmask.provenance.declaration import vouches_for
from unmask.provenance.embedded import find_embedded
from unmask.provenance.traces import traces_of
from unmask.types import Label, Reason, Verdict
from unmask.types_of_origin import Credentials, Provenance, WatermarkFinding

if TYPE_CHECKING:
    from unmask.provenance.embedded import Embedded
    from unmask.types import MediaInfo

_STATEMENT = (
    "The file itself declares that it is synthetic or was manipulated. That decides the label, "
    "whatever was found in the pixels."
)
_NO_EVIDENCE = (
    "Most files carry no declaration of their origin, and one is lost whenever a file is saved "
    "anew or shared through a platform: that there is none is evidence of nothing."
)
_MAX_TERMS = 3
_MAX_NAME = 80


def origin_of(
    path: Path, info: MediaInfo, watermark: WatermarkFinding, trust_anchors: bytes | None = None
) -> Provenance:
    """Gather what a file says of itself.

    Args:
        path: The file.
        info: Of it.
        watermark: What was found in its frames.
        trust_anchors: Root certificates in PEM, or None.

    Raises:
        InputError: The file can no longer be read.
        UsageError: The trust anchors are malformed.
    """
    return origin_and_state(path, info, watermark, trust_anchors)[0]


def origin_and_state(
    path: Path, info: MediaInfo, watermark: WatermarkFinding, trust_anchors: bytes | None = None
) -> tuple[Provenance, CredentialState]:
    """As :func:`origin_of`, and the credentials as they were read, with their statement."""
    embedded = find_embedded(path)
    state, credentials = _credentials(path, info, trust_anchors, embedded)
    stated = iptc.source_types(embedded.xmp)
    found = Provenance(
        declared_synthetic=[*_declared_by(state), *_declared_in(watermark)],
        credentials=credentials,
        iptc_source_types=list(stated),
        watermark=watermark,
        traces=traces_of(path, info),
        notes=[*_not_searched(embedded, info), *_notes(state, stated, watermark), _NO_EVIDENCE],
    )
    return found, state


def decide(verdict: Verdict, provenance: Provenance) -> Verdict:
    """The verdict, with the file's own declaration put first where it decides."""
    if not provenance.declared_synthetic:
        return verdict
    return msgspec.structs.replace(
        verdict,
        label=Label.MANIPULATION_SUPPORTED,
        statement=_STATEMENT,
        reasons=[*provenance.declared_synthetic, *verdict.reasons],
        basis="declaration",
        findings_label=verdict.label,
    )


def _credentials(
    path: Path, info: MediaInfo, trust_anchors: bytes | None, embedded: Embedded
) -> tuple[CredentialState, Credentials]:
    """Check the credentials; the library is not even imported where there can be none."""
    anchors = None if trust_anchors is None else hashlib.sha256(trust_anchors).hexdigest()
    state = CredentialState(CredentialStatus.ABSENT)
    if info.mime not in FORMATS:
        why = f"They cannot be read from {info.mime}"
        return state, Credentials(status="not_checked", reason=why, trust_anchors=anchors)
    if not embedded.has_credentials:
        return state, Credentials(status="absent", trust_anchors=anchors)
    try:
        state = read_credentials(path, trust_anchors, max_bytes=None)  # the scan has its own limit
    except UsageError:
        raise
    except UnmaskError as error:
        why = f"The file carries content credentials. {error.message} {error.hint}".strip()
        return state, Credentials(status="not_checked", reason=why, trust_anchors=anchors)
    method = None if state.forgery is None else _method(state)
    return state, Credentials(
        status=state.status.value,
        signer=state.signer,
        signed_at=state.signed_at,
        generator=state.generator,
        actions=list(state.actions),
        digital_source_types=list(state.digital_source_types),
        history_source_types=list(state.history_source_types),
        forgery_method=method,
        problems=list(state.problems),
        trust_anchors=anchors,
    )


def _declared_by(state: CredentialState) -> Iterator[Reason]:
    if not state.declares_synthesis:
        return
    terms = list(map(iptc.term, state.synthetic_types))
    if state.forgery is not None:
        terms.insert(0, f"a forgery ({_method(state)})")
    more = f" and {len(terms) - _MAX_TERMS} more" if len(terms) > _MAX_TERMS else ""
    vouched = (
        "A trust anchor vouches for the signer."
        if state.status is CredentialStatus.TRUSTED
        else "Nobody vouches for the signer; that a file says this of itself is enough."
    )
    signer = (state.signer or "somebody unnamed")[:_MAX_NAME]
    # What the reader must know comes before texts of strangers, which may be long.
    yield Reason(
        code="declared_by_credentials",
        message=f"{vouched} Signed content credentials, unchanged since, declare it as "
        f"{', '.join(terms[:_MAX_TERMS])}{more}; signed by {signer}.",
    )


def _method(state: CredentialState) -> str:
    return str((state.forgery or {}).get("method", "no method named"))[:_MAX_NAME]


def _declared_in(watermark: WatermarkFinding) -> Iterator[Reason]:
    if watermark.status == "found":
        yield Reason(
            code="declared_by_watermark",
            message="Its pixels carry the watermark that Unmask puts on everything it forges "
            f"(payload {watermark.payload}). Its key is public, so somebody could put it into a "
            "real picture, too; the provenance log of whoever forged knows the payload.",
        )


def _not_searched(embedded: Embedded, info: MediaInfo) -> Iterator[str]:
    if not embedded.searched:
        yield f"Source types in tags are not looked for in {info.mime}."


def _notes(
    state: CredentialState, stated: tuple[str, ...], watermark: WatermarkFinding
) -> Iterator[str]:
    unsigned = [iptc.term(one) for one in stated if one in iptc.SYNTHETIC]
    if unsigned and not state.declares_synthesis:
        yield (
            "A tag that no signature covers says that the file is synthetic; anybody can write it "
            "into any picture, so it does not decide the verdict. Ask where the file comes from. "
            f"The tag: {', '.join(unsigned)}."
        )
    if state.unread is not None:
        yield (
            "It carries content credentials that could not be read: they are malformed, or of a "
            f"kind that is not known here ({state.unread[:200]}). Nothing was counted."
        )
    elif state.status is CredentialStatus.INVALID:
        yield (
            "Its content credentials do not fit it: it was changed after it was signed, or they "
            "were. Programs that know nothing of them do that too. What they claim was not counted."
        )
    if state.holds and not state.declares_synthesis:
        yield (
            "Its content credentials hold and declare no synthesis. Whoever can sign can leave "
            "things out, so this clears nothing."
        )
    if not state.holds or state.forgery is None:
        return
    if not vouches_for(state.forgery):
        yield "The payload that the credentials name is not that of their own statement."
    marked = state.forgery.get("watermark")
    if isinstance(marked, Mapping) and watermark.status == "found":
        same = marked.get("payload") == watermark.payload
        yield (
            "Watermark and content credentials name each other."
            if same
            else "The watermark is not the one that the content credentials name: the pixels come "
            "from another forgery."
        )
