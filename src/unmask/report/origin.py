"""The section on a file's origin, put into words: rows of (term, text) for pages and terminals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from unmask.report.text import number

if TYPE_CHECKING:
    from unmask.types_of_origin import Credentials, Provenance, WatermarkFinding

_STATUS = {
    "absent": "none in the file",
    "invalid": "invalid: the file or its credentials were changed after signing, the certificate "
    "has run out, or they cannot be read",
    "valid": "valid: unchanged since it was signed, by somebody for whom nobody vouches",
    "trusted": "trusted: unchanged since it was signed by somebody whom a trust anchor vouches for",
    "not_checked": "not checked",
}
_TYPES = {
    "trainedAlgorithmicMedia": "made wholly by a trained generator",
    "compositeWithTrainedAlgorithmicMedia": "a capture into which a trained generator painted",
    "compositeSynthetic": "composed of parts, some of them synthetic",
    "algorithmicMedia": "made by an algorithm without training",
    "compositeCapture": "composed of captures of real life",
    "digitalCapture": "captured by a digital camera",
    "computationalCapture": "captured by a camera that combines pictures",
}
_MAX_TERMS = 4
_MAX_TEXT = 80


def origin_rows(provenance: Provenance) -> list[tuple[str, str]]:
    """What the file says of its origin, signed claims first. Texts may be hostile."""
    return [
        *_credential_rows(provenance.credentials),
        *_types_row("Source type in its tags", provenance.iptc_source_types),
        ("Watermark of Unmask", _watermark_words(provenance.watermark)),
    ]


def trace_rows(provenance: Provenance) -> list[tuple[str, str]]:
    """What camera, program and encoder left. Texts may be hostile."""
    return [
        (name.replace("_", " ").capitalize().replace("Jpeg", "JPEG"), text)
        for name, text in sorted(provenance.traces.items())
    ]


def _credential_rows(credentials: Credentials) -> Iterator[tuple[str, str]]:
    status = _STATUS[credentials.status]
    yield "Content credentials (C2PA)", f"{status}. {credentials.reason or ''}".strip(" .")
    if credentials.signer:
        when = f", {credentials.signed_at}" if credentials.signed_at else ""
        yield "Signed by", f"{credentials.signer[:_MAX_TEXT]}{when}"
    if credentials.generator:
        yield "Written by", credentials.generator
    # Of credentials that do not hold, nothing may read like a fact.
    doubt = " (not counted)" if credentials.status == "invalid" else ""
    yield from _types_row(f"They declare{doubt}", credentials.digital_source_types)
    yield from _types_row(f"Their history declares{doubt}", credentials.history_source_types)
    if credentials.forgery_method:
        yield f"Forged with{doubt}", credentials.forgery_method
    if credentials.actions:
        yield "Actions", ", ".join(credentials.actions)
    if credentials.problems:
        yield "Checks not passed", ", ".join(credentials.problems)


def _types_row(name: str, stated: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The terms that are known in words; of all others the last part, and not more than a few."""
    if stated:
        terms = [one.rstrip("/").rsplit("/", 1)[-1][:_MAX_TEXT] for one in stated]
        said = [f"{term}: {_TYPES[term]}" if term in _TYPES else term for term in terms]
        if len(said) > _MAX_TERMS:
            said[_MAX_TERMS:] = [f"and {number(len(stated) - _MAX_TERMS)} more"]
        yield name, "; ".join(said)


def _watermark_words(watermark: WatermarkFinding) -> str:
    frames = "1 frame" if watermark.frames == 1 else f"{number(watermark.frames)} frames"
    if watermark.status == "not_checked":
        return f"not looked for. {watermark.reason or ''}".strip(" .")
    if watermark.status == "not_found":
        return f"not found in {frames}"
    chance = watermark.log10_false_alarm
    # A bound is rounded to the side on which it still is one.
    odds = f"; in an unmarked picture at most once in 10^{math.floor(-chance)}" if chance else ""
    return f"found in {frames}, payload {watermark.payload}{odds}"
