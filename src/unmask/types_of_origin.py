"""The report's section on origin: what a file says of itself.

Part of :mod:`unmask.types` in a file of its own, and of the published schema: a description here
is one there. Like it, this module knows nothing of the rest of the package.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec import field as struct_field


class _Doc(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of everything that is written into a report."""


class Reason(_Doc, frozen=True):
    """Why something is out of scope or not applicable, or what a file declares of itself."""

    code: str
    message: str


class Credentials(_Doc, frozen=True):
    """What the content credentials (C2PA) in the file claim, and whether the claim holds."""

    status: Annotated[
        Literal["absent", "invalid", "valid", "trusted", "not_checked"],
        Meta(
            description="invalid: the file or its credentials were changed, their certificate has "
            "run out, or they cannot be read; valid: unchanged since somebody unknown signed it; "
            "trusted: since somebody signed it whom a trust anchor vouches for; not_checked: the "
            "package is not installed, or they cannot be read from files of this kind"
        ),
    ] = "not_checked"
    reason: Annotated[str | None, Meta(description="why they were not checked")] = None
    signer: str | None = None
    signed_at: Annotated[str | None, Meta(description="by a timestamp authority, else null")] = None
    generator: str | None = None
    actions: list[str] = []
    digital_source_types: Annotated[
        list[str], Meta(description="IPTC NewsCodes of the newest manifest's actions")
    ] = []
    history_source_types: Annotated[
        list[str], Meta(description="the same of the originals that it names, newest first")
    ] = []
    forgery_method: Annotated[
        str | None, Meta(description="the method that a forgery made by Unmask declares")
    ] = None
    problems: Annotated[list[str], Meta(description="codes of the checks that failed")] = []
    trust_anchors: Annotated[
        str | None, Meta(description="SHA-256 of the anchors that were trusted; null: none")
    ] = None


class WatermarkFinding(_Doc, frozen=True):
    """Whether the invisible watermark is in the pixels that this software puts on forgeries."""

    status: Literal["found", "not_found", "not_checked"] = "not_checked"
    reason: Annotated[str | None, Meta(description="why it was not looked for")] = None
    payload: Annotated[str | None, Meta(description="lower-case hex")] = None
    log10_false_alarm: Annotated[
        float | None,
        Meta(
            description="log10 of an upper bound of the probability of such a reading in an "
            "unmarked picture"
        ),
    ] = None
    frames: Annotated[int, Meta(description="frames that were read; of a film, spread over it")] = 0


class Provenance(_Doc, frozen=True):
    """What the file says of its own origin. That it says nothing is evidence of nothing."""

    declared_synthetic: Annotated[
        list[Reason],
        Meta(
            description="declarations of synthesis that decide the label: signed and unchanged, "
            "or our watermark"
        ),
    ] = []
    credentials: Credentials = struct_field(default_factory=Credentials)
    iptc_source_types: Annotated[
        list[str], Meta(description="in the file's XMP; nobody vouches for them")
    ] = []
    watermark: WatermarkFinding = struct_field(default_factory=WatermarkFinding)
    traces: Annotated[
        dict[str, str], Meta(description="what camera, program and encoder left; no verdict")
    ] = {}
    notes: list[str] = []
