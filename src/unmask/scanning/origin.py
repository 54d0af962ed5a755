"""What a file says of its own origin, and when that decides the verdict.

A declaration of synthesis decides, whatever the detector found, if it is part of signed content
credentials that still fit the file, or is our own watermark. Whoever signed it: a file that says
this of itself is taken at its word. A declaration of being real, and an unsigned tag, never
decide anything, since anybody can write them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unmask.errors import CorruptMedia, MissingExtra, UnmaskError
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
    from collections.abc import Iterable

    from unmask.provenance.watermark import FilmWatermarkReader, WatermarkReading
    from unmask.types import Frame, MediaInfo

_STATEMENT = (
    "The file itself declares that it is synthetic or was manipulated. That decides the label, "
    "whatever was found in the pixels."
)
_NO_EVIDENCE = (
    "Most files carry no declaration of their origin, and one is lost whenever a file is saved "
    "anew or shared through a platform: that there is none is evidence of nothing."
)
# A frame costs about as much as scoring its faces, and the readings of frames add up: few do.
_EVERY_SAMPLES = 8
_EVERY_S = 5.0
_MAX_FRAMES = 8


class WatermarkWatch:
    """Looks for our watermark in some of the frames that pass by.

    Args:
        info: Of the input.
        dense: Whether every frame comes, not a sample of them.
    """

    def __init__(self, info: MediaInfo, *, dense: bool) -> None:
        self._still = info.kind == "image"
        self._dense = dense
        self._seen = 0
        self._next_s = float("-inf")
        self._frames = 0
        self._reader: FilmWatermarkReader | None = None
        self._finding: WatermarkFinding | None = None

    def watching(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Pass the frames on as they are, looking at those that are due."""
        for frame in frames:
            if self._finding is None and self._is_due(frame):
                self._look(frame)
            yield frame

    def finding(self) -> WatermarkFinding:
        """What was found, once the frames have passed."""
        if self._finding is not None:
            return self._finding
        if self._reader is None:
            return WatermarkFinding(reason="No frame was decoded.")
        return _finding(self._reader.reading(), self._frames)

    def _is_due(self, frame: Frame) -> bool:
        self._seen += 1
        if self._frames >= _MAX_FRAMES or frame.pts_s < self._next_s:
            return False
        if self._dense:
            self._next_s = frame.pts_s + _EVERY_S
            return True
        return self._seen % _EVERY_SAMPLES == 1

    def _look(self, frame: Frame) -> None:
        try:
            from unmask.provenance import watermark

            self._frames += 1
            if self._still:
                self._finding = _finding(watermark.read(frame.image), 1)
                return
            if self._reader is None:
                self._reader = watermark.FilmWatermarkReader()
            self._reader.add(frame.image)
        except UnmaskError as error:
            self._finding = WatermarkFinding(reason=error.message)


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
    embedded = find_embedded(path)
    state, credentials = _credentials(path, info, trust_anchors, present=embedded.has_credentials)
    stated = iptc.source_types(embedded.xmp)
    return Provenance(
        declared_synthetic=[*_declared_by(state), *_declared_in(watermark)],
        credentials=credentials,
        iptc_source_types=list(stated),
        watermark=watermark,
        traces=traces_of(path, info),
        notes=[*_notes(state, stated, watermark), _NO_EVIDENCE],
    )


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


def _finding(reading: WatermarkReading, frames: int) -> WatermarkFinding:
    return WatermarkFinding(
        status="found" if reading.found else "not_found",
        payload=reading.payload.hex() if reading.payload else None,
        log10_false_alarm=round(reading.log10_false_alarm, 2),
        frames=frames,
    )


def _credentials(
    path: Path, info: MediaInfo, trust_anchors: bytes | None, *, present: bool
) -> tuple[CredentialState, Credentials]:
    """Check the credentials; the library is not even imported where there can be none."""
    anchors = None if trust_anchors is None else hashlib.sha256(trust_anchors).hexdigest()
    state = CredentialState(CredentialStatus.ABSENT)
    if not present or info.mime not in FORMATS:
        return state, Credentials(status="absent", trust_anchors=anchors)
    try:
        state = read_credentials(path, trust_anchors)
    except (MissingExtra, CorruptMedia) as error:
        why = f"The file carries content credentials. {error.message} {error.hint}".strip()
        return state, Credentials(status="not_checked", reason=why, trust_anchors=anchors)
    method = None if state.forgery is None else str(state.forgery.get("method", "not named"))
    return state, Credentials(
        status=state.status.value,
        signer=state.signer,
        signed_at=state.signed_at,
        generator=state.generator,
        actions=list(state.actions),
        digital_source_types=list(state.digital_source_types),
        history_source_types=list(state.history_source_types),
        forgery_method=method and method[:100],
        problems=list(state.problems),
        trust_anchors=anchors,
    )


def _declared_by(state: CredentialState) -> Iterator[Reason]:
    if not state.declares_synthesis:
        return
    stated = [*state.digital_source_types, *state.history_source_types]
    terms = list(dict.fromkeys(map(iptc.term, stated)))
    if state.forgery is not None:
        terms.insert(0, f"a forgery ({str(state.forgery.get('method', 'no method named'))[:80]})")
    vouched = (
        "A trust anchor vouches for the signer."
        if state.status is CredentialStatus.TRUSTED
        else "Nobody vouches for the signer; that a file says this of itself is enough."
    )
    yield Reason(
        code="declared_by_credentials",
        message=f"Its content credentials, signed by {state.signer or 'somebody unnamed'} and "
        f"unchanged since, declare it as {', '.join(terms)}. {vouched}",
    )


def _declared_in(watermark: WatermarkFinding) -> Iterator[Reason]:
    if watermark.status == "found":
        yield Reason(
            code="declared_by_watermark",
            message="Its pixels carry the watermark that Unmask puts on everything it forges "
            f"(payload {watermark.payload}). Its key is public, so somebody could put it into a "
            "real picture, too; the provenance log of whoever forged knows the payload.",
        )


def _notes(
    state: CredentialState, stated: tuple[str, ...], watermark: WatermarkFinding
) -> Iterator[str]:
    unsigned = [iptc.term(one) for one in stated if one in iptc.SYNTHETIC]
    if unsigned and not state.declares_synthesis:
        yield (
            f"A tag in the file says {', '.join(unsigned)}: synthetic. No signature covers it, and "
            "anybody can write it into any picture, so it does not decide the verdict. Ask where "
            "the file comes from."
        )
    if state.status is CredentialStatus.INVALID:
        yield (
            "Its content credentials do not fit it: it was changed after it was signed, or they "
            "were. Programs that know nothing of them do that too. What they claim was not counted."
        )
    if state.holds and not state.declares_synthesis:
        yield (
            "Its content credentials hold and declare no synthesis. Whoever can sign can leave "
            "things out, so this clears nothing."
        )
    if state.holds and state.forgery is not None and not vouches_for(state.forgery):
        yield "The payload that the credentials name is not that of their own statement."
    marked = (state.forgery or {}).get("watermark")
    if isinstance(marked, dict) and watermark.status == "found":
        same = marked.get("payload") == watermark.payload
        yield (
            "Watermark and content credentials name each other."
            if same
            else "The watermark is not the one that the content credentials name: the pixels come "
            "from another forgery."
        )
