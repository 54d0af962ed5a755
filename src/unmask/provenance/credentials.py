"""Content credentials (C2PA): sign a file with its history, and read what a file claims.

What is read was written by strangers. A signature that holds proves that nothing was changed
since it was made; who made it is known only where its root is among the trust anchors.

The library is told to use no network: a manifest that lies elsewhere is not fetched, no
revocation server or timestamp authority is asked, and no host may be called.

Source: C2PA specification 2.x, sections "Actions", "Ingredient" and "Validation".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from unmask import __version__
from unmask.errors import (
    CorruptMedia,
    InputError,
    LabelFailed,
    MissingExtra,
    NotFound,
    PermissionRefused,
    UnsupportedMedia,
)
from unmask.media.encode import replacing
from unmask.media.origin import clean_tags
from unmask.media.sniff import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from types import ModuleType

    from unmask.provenance.authority import Identity

Action = Literal["c2pa.created", "c2pa.edited"]
Relationship = Literal["parentOf", "componentOf", "inputTo"]

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
    "image/heic": "HEIC",
    "image/avif": "AVIF",
    "video/mp4": "MP4",
    "video/quicktime": "MOV",
    "video/x-msvideo": "AVI",
}
"""Media types that can carry credentials, each tried in the tests."""

_SETTINGS: dict[str, Any] = {
    "core": {"allowed_network_hosts": []},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {
        "auto_timestamp_assertion": {"enabled": False},
        # A thumbnail would be a small forgery without a visible mark of its own.
        "thumbnail": {"enabled": False},
    },
}
# What C2PA wants said of an ingredient before anything is said of the work itself.
_FIRST_ACTION: dict[Relationship, str] = {"parentOf": "c2pa.opened", "componentOf": "c2pa.placed"}
_MAX_PROBLEMS = 16
# How the library's messages begin where the container, not the manifest, is at fault, and where
# the file only names a place on the network, at which we do not look.
_BROKEN_FILE = ("Other: asset could not be parsed", "Io:")
_REMOTE = "Remote:"


class CredentialStatus(StrEnum):
    """What the check of a file's credentials came to."""

    ABSENT = "absent"
    """The file carries none. That is no evidence of anything."""
    INVALID = "invalid"
    """It carries some, but the file or they were changed, or their certificate has run out."""
    VALID = "valid"
    """Unchanged since it was signed, by somebody unknown."""
    TRUSTED = "trusted"
    """Unchanged since it was signed by somebody whom a trust anchor vouches for."""


class CredentialState(NamedTuple):
    """What a file's active manifest claims, and whether the claim holds.

    Attributes:
        status: The claims below mean something only if this is valid or trusted.
        digital_source_types: NewsCodes URIs of all actions, in order.
        generator: Name and version of the program that wrote the manifest, or None.
        actions: Names of all actions, in order (``c2pa.opened``, ``c2pa.edited``).
        problems: Codes of the checks that failed, or why nothing could be read.
    """

    status: CredentialStatus
    digital_source_types: tuple[str, ...] = ()
    generator: str | None = None
    actions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Ingredient(NamedTuple):
    """A file that went into the one to be signed.

    Attributes:
        path: In a format that can carry credentials; its own become part of the history.
        relationship: ``parentOf`` (at most one: what was edited), ``componentOf`` or ``inputTo``.
        title: What people are shown.
    """

    path: Path
    relationship: Relationship
    title: str


def sign(
    source: Path,
    destination: Path,
    *,
    title: str,
    action: Action,
    digital_source_type: str,
    ingredients: Sequence[Ingredient] = (),
    assertions: Mapping[str, Mapping[str, Any]] | None = None,
    identity: Identity | None = None,
) -> None:
    """Write ``source`` with signed credentials to ``destination``, whole or not at all.

    The result is read back, and must be found trusted and to say what was asked, before it takes
    its name.

    Args:
        source: A file in one of :data:`FORMATS`; told by its bytes, not by its name.
        destination: May be ``source``.
        title: What people are shown.
        action: ``c2pa.edited`` needs a ``parentOf`` ingredient, ``c2pa.created`` allows none.
        digital_source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        ingredients: What went into it.
        assertions: More to be signed: label (``org.unmask.forgery``) to JSON object.
        identity: Who signs; by default this installation's, made on first use.

    Raises:
        UnsupportedMedia: The format cannot carry credentials.
        InputError: A file cannot be read.
        LabelFailed: It could not be signed, or what was signed does not hold.
        IdentityUnusable: The signing identity is malformed or cannot be read.
        IdentityExpired: The certificate is not valid today.
        OutputRefused: The destination cannot be written.
        MissingExtra: The packages for signing are not installed.
    """
    mime = _mime(source)
    _check_parents(action, ingredients)
    identity = identity or _own_identity()
    manifest = _manifest(title, action, digital_source_type, ingredients, assertions or {})
    with replacing(destination) as beside:
        _sign(source, beside, mime, manifest, ingredients, identity)
        state = read(beside, identity.anchor_pem)
        declared = state.digital_source_types[-1:] == (digital_source_type,)
        if state.status is not CredentialStatus.TRUSTED or not declared:
            found = ", ".join(state.problems) or "with another source type"
            raise LabelFailed(
                f"{destination.name} was signed, but its credentials read as {state.status} "
                f"({found}); no file was written.",
                hint="Check the certificates in the folder that UNMASK_IDENTITY names.",
            )


def read(path: str | Path, trust_anchors: bytes | None = None) -> CredentialState:
    """Read and check the content credentials of a file.

    Args:
        path: A file in one of :data:`FORMATS`; told by its bytes, not by its name.
        trust_anchors: Root certificates in PEM; without them nothing is more than valid.

    Raises:
        UnsupportedMedia: The format cannot carry credentials.
        CorruptMedia: The file is so broken that it cannot be searched.
        InputError: The file cannot be read.
        UsageError: The trust anchors are not certificates in PEM.
        MissingExtra: The package for content credentials is not installed.
    """
    path = Path(path)
    mime = _mime(path)
    c2pa = _c2pa()
    with _context(c2pa, trust_anchors) as context, path.open("rb") as stream:
        try:
            reader = c2pa.Reader.try_create(mime, stream, context=context)
            if reader is None:
                return CredentialState(CredentialStatus.ABSENT)
            with reader:
                return _state(reader)
        except c2pa.C2paError as error:
            return _unread(path, str(error))


def _unread(path: Path, problem: str) -> CredentialState:
    """What is known where the library gave up."""
    if problem.startswith(_BROKEN_FILE):
        raise CorruptMedia(
            f"{path.name} is broken or cut short, so it cannot be searched for credentials.",
            hint="Get the file again from where it came from.",
        )
    elsewhere = problem.startswith(_REMOTE)
    status = CredentialStatus.ABSENT if elsewhere else CredentialStatus.INVALID
    return CredentialState(status, problems=_clean([problem]))


def _mime(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            mime = sniff(stream.read(HEAD_BYTES)).mime
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from error
    except PermissionError as error:
        raise PermissionRefused(f"{path} may not be read.", hint="Check its rights.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if mime not in FORMATS:
        raise UnsupportedMedia(
            f"{path.name} is {mime}, which cannot carry content credentials.",
            hint=f"These can: {', '.join(FORMATS.values())}.",
        )
    return mime


def _check_parents(action: Action, ingredients: Sequence[Ingredient]) -> None:
    parents = sum(ingredient.relationship == "parentOf" for ingredient in ingredients)
    expected = 1 if action == "c2pa.edited" else 0
    if parents != expected:
        raise LabelFailed(
            f"{action} goes with {expected} parentOf ingredients; {parents} were given.",
            hint="Name the one original that was edited, and all others as componentOf.",
        )


def _own_identity() -> Identity:
    from unmask.provenance import authority

    return authority.identity()


def _manifest(
    title: str,
    action: Action,
    digital_source_type: str,
    ingredients: Sequence[Ingredient],
    assertions: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    agent = {"name": "Unmask", "version": __version__}
    actions: list[dict[str, Any]] = [
        {"action": _FIRST_ACTION[kind], "parameters": {"ingredientIds": ids}}
        for kind in _FIRST_ACTION
        if (ids := [_id(i) for i, one in enumerate(ingredients) if one.relationship == kind])
    ]
    actions.append(
        {"action": action, "digitalSourceType": digital_source_type, "softwareAgent": agent}
    )
    return {
        "title": title,
        "claim_generator_info": [agent],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            *({"label": label, "data": dict(data)} for label, data in assertions.items()),
        ],
    }


def _id(index: int) -> str:
    return f"ingredient-{index}"


def _sign(
    source: Path,
    destination: Path,
    mime: str,
    manifest: dict[str, Any],
    ingredients: Sequence[Ingredient],
    identity: Identity,
) -> None:
    c2pa = _c2pa()
    # No timestamp authority: the last argument.
    who = c2pa.C2paSignerInfo(b"es256", identity.chain_pem, identity.key_pem, None)
    try:
        with (
            _context(c2pa, None) as context,
            c2pa.Signer.from_info(who) as signer,
            c2pa.Builder(manifest, context) as builder,
        ):
            for i, one in enumerate(ingredients):
                facts = {
                    "title": one.title,
                    "relationship": one.relationship,
                    "instance_id": _id(i),
                    "label": _id(i),
                }
                kind = _mime(one.path)
                with one.path.open("rb") as stream:
                    builder.add_ingredient(facts, kind, stream)
            with source.open("rb") as unsigned, destination.open("w+b") as signed:
                builder.sign(signer, mime, unsigned, signed)
    except c2pa.C2paError as error:
        raise LabelFailed(
            f"{source.name} could not be signed ({error}); no file was written.",
            hint="Check the file, and the certificates in the folder that UNMASK_IDENTITY names.",
        ) from error


def _state(reader: Any) -> CredentialState:
    manifest = reader.get_active_manifest() or {}
    results = (reader.get_validation_results() or {}).get("activeManifest") or {}
    actions = [
        action
        for assertion in manifest.get("assertions") or ()
        if str(assertion.get("label")).startswith("c2pa.actions")
        for action in (assertion.get("data") or {}).get("actions") or ()
    ]
    failed = (failure.get("code") for failure in results.get("failure") or ())
    return CredentialState(
        status=CredentialStatus(str(reader.get_validation_state()).lower()),
        digital_source_types=_clean(action.get("digitalSourceType") for action in actions),
        generator=_generator(manifest),
        actions=_clean(action.get("action") for action in actions),
        problems=_clean(failed)[:_MAX_PROBLEMS],
    )


def _generator(manifest: Mapping[str, Any]) -> str | None:
    infos = manifest.get("claim_generator_info") or [{"name": manifest.get("claim_generator")}]
    named = " ".join(str(infos[0][key]) for key in ("name", "version") if infos[0].get(key))
    return next(iter(_clean([named])), None)


def _clean(texts: Any) -> tuple[str, ...]:
    """Strangers' texts without control characters, bounded in length and number."""
    return tuple(clean_tags((str(i), text) for i, text in enumerate(texts) if text).values())


def _context(c2pa: ModuleType, trust_anchors: bytes | None) -> Any:
    chosen = dict(_SETTINGS)
    if trust_anchors is not None:
        from unmask.provenance import authority

        # The library would take a malformed anchor for a fault of the file.
        authority.check_anchors(trust_anchors)
        chosen["trust"] = {"trust_anchors": trust_anchors.decode("ascii")}
    return c2pa.Context(c2pa.Settings.from_dict(chosen))


def _c2pa() -> ModuleType:
    try:
        import c2pa
    except ImportError as error:
        raise MissingExtra.named("demo", "Content credentials") from error
    module: ModuleType = c2pa
    return module
