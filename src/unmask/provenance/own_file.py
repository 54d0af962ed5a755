"""Declare the origin of a file of one's own, real or synthetic, and sign it.

A file that is known to be synthetic (by credentials that hold, or by our watermark) is not signed
as anything else: that would be a false label with our own pen.
"""

from __future__ import annotations

from pathlib import Path

from unmask.errors import UsageError
from unmask.media import hash_file
from unmask.provenance import iptc
from unmask.provenance.credential_state import CredentialState, CredentialStatus
from unmask.provenance.credentials import Ingredient, read, sign
from unmask.provenance.log import Log
from unmask.provenance.marked_file import watermark_in

_BEFORE = "The file before it was signed anew"


def declare_own_file(source: Path, destination: Path, source_type: str, title: str) -> None:
    """Write a copy of a file with signed credentials; its own become part of the history.

    Args:
        source: In a format that can carry credentials.
        destination: Where the signed copy goes; may be ``source``.
        source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        title: What people are shown.

    Raises:
        UsageError: The file is known to be synthetic, and something else was to be declared.
        UnsupportedMedia: The format cannot carry credentials.
        InputError: The file cannot be read.
        LabelFailed: It could not be signed; nothing was written.
        OutputRefused: The destination cannot be written.
        LogUnusable: It was signed, but could not be recorded; nothing was written.
        MissingExtra: The packages for signing are not installed.
    """
    state = read(source)
    _refuse_whitewash(source, state, source_type)
    again = state.status is not CredentialStatus.ABSENT
    sign(
        source,
        destination,
        title=title,
        action="c2pa.published" if again else "c2pa.created",
        digital_source_type=source_type,
        ingredients=[Ingredient(source, "parentOf", _BEFORE)] if again else [],
        record=lambda signed: Log().append("signed", hash_file(signed), iptc.term(source_type)),
    )


def _refuse_whitewash(source: Path, state: CredentialState, source_type: str) -> None:
    """Refuse to sign as real, or as edited by hand, what is known to be synthetic.

    One type besides those of synthesis is true of some forgeries: that of captures composed by
    fixed arithmetic, where the forgery's own statement, which stays in the history, says so.
    """
    if source_type in iptc.SYNTHETIC:
        return
    stated = (state.forgery or {}).get("digital_source_type")
    if state.holds and source_type == stated == iptc.COMPOSITE_CAPTURE:
        return
    if state.declares_synthesis or watermark_in(source).found:
        known = (
            "its content credentials declare it"
            if state.declares_synthesis
            else "its watermark says so"
        )
        raise UsageError(
            f"{source.name} is synthetic ({known}); it is not signed as anything else.",
            hint="Give the --source-type that is true, such as trainedAlgorithmicMedia. A forgery "
            "that was composed of captures only is signed as compositeCapture from a copy that "
            "still has its credentials.",
        )
