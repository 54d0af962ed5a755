"""Content credentials (C2PA): sign a file with its history, and read what a file claims.

What is read was written by strangers. A signature that holds proves that nothing was changed
since it was made; who made it is known only where its root is among the trust anchors.

The library is told to use no network: a manifest that lies elsewhere is not fetched, no
revocation server or timestamp authority is asked, and no host may be called.

Source: C2PA specification 2.x, sections "Actions", "Ingredient" and "Validation".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

from unmask import __version__
from unmask.errors import CorruptMedia, LabelFailed, MissingExtra, UnmaskError, UnsupportedMedia
from unmask.media.encode import replacing
from unmask.media.sniff import HEAD_BYTES, sniff
from unmask.provenance.credential_state import (
    FORGERY,
    CredentialState,
    CredentialStatus,
    clean_texts,
    state_of,
)
from unmask.provenance.strangers_file import opened
from unmask.types import Limits

if TYPE_CHECKING:
    from types import ModuleType

    from unmask.provenance.authority import Identity

Action = Literal["c2pa.created", "c2pa.edited", "c2pa.published"]
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
# How the library's messages begin where the container, not the manifest, is at fault, and where
# the file only names a place on the network, at which we do not look.
_BROKEN_FILE = ("Other: asset could not be parsed", "Io:")
_REMOTE = "Remote:"


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


def sign(  # noqa: PLR0913 - keywords only, one for each thing that is declared
    source: Path,
    destination: Path,
    *,
    title: str,
    action: Action,
    digital_source_type: str,
    ingredients: Sequence[Ingredient] = (),
    assertions: Mapping[str, Mapping[str, Any]] | None = None,
    identity: Identity | None = None,
    record: Callable[[Path], object] | None = None,
) -> None:
    """Write ``source`` with signed credentials to ``destination``, whole or not at all.

    The result is read back, and must be found trusted and to say what was asked (the source type,
    and our own assertion word by word), before it takes its name.

    Args:
        source: A file in one of :data:`FORMATS`; told by its bytes, not by its name.
        destination: May be ``source``.
        title: What people are shown.
        action: ``c2pa.edited`` and ``c2pa.published`` (handed on as it was) need a ``parentOf``
            ingredient, ``c2pa.created`` allows none.
        digital_source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        ingredients: What went into it.
        assertions: More to be signed: label (``org.unmask.forgery``) to JSON object.
        identity: Who signs; by default this installation's, made on first use.
        record: Called with the signed file before it has its name; if it raises, there is none.

    Raises:
        UnsupportedMedia: The format cannot carry credentials.
        InputError: A file cannot be read.
        LabelFailed: It could not be signed, or what was signed does not hold.
        IdentityUnusable: The signing identity is malformed or cannot be read.
        IdentityExpired: The certificate is not valid today.
        OutputRefused: The destination cannot be written.
        MissingExtra: The packages for signing are not installed.
    """
    check_ingredient(source)
    _check_parents(action, ingredients)
    identity = identity or _own_identity()
    manifest = _manifest(title, action, digital_source_type, ingredients, assertions or {})
    with replacing(destination) as beside:
        _sign(source, beside, manifest, ingredients, identity)
        state = read(beside, identity.anchor_pem, max_bytes=None)
        found = _difference(state, digital_source_type, (assertions or {}).get(FORGERY))
        if found is not None:
            raise LabelFailed(
                f"{destination.name} was signed, but its credentials read as {state.status} "
                f"({found}); no file was written.",
                hint="Check the certificates in the folder that UNMASK_IDENTITY names.",
            )
        if record is not None:
            record(beside)


def read(
    path: str | Path,
    trust_anchors: bytes | None = None,
    *,
    max_bytes: int | None = Limits().max_bytes,
) -> CredentialState:
    """Read and check the content credentials of a file.

    Args:
        path: A file in one of :data:`FORMATS`; told by its bytes, not by its name.
        trust_anchors: Root certificates in PEM; without them nothing is more than valid.
        max_bytes: The largest file that is read; None: any size.

    Returns:
        What is claimed. Credentials on which the reading fails in whatever way are invalid, with
        the reason in ``unread``: a stranger's file must not stop whoever looks at it.

    Raises:
        UnsupportedMedia: The format cannot carry credentials.
        LimitExceeded: The file is larger than ``max_bytes``.
        CorruptMedia: The file is so broken that it cannot be searched.
        InputError: The file cannot be read.
        UsageError: The trust anchors are not certificates in PEM.
        MissingExtra: The package for content credentials is not installed.
    """
    path = Path(path)
    with _carrier(path, max_bytes) as (mime, stream):
        c2pa = _c2pa()
        with _context(c2pa, trust_anchors) as context:
            try:
                reader = c2pa.Reader.try_create(mime, stream, context=context)
                if reader is None:
                    return CredentialState(CredentialStatus.ABSENT)
                with reader:
                    return state_of(reader)
            except c2pa.C2paError as error:
                return _unread(path, str(error))
            except UnmaskError:
                raise
            except Exception as error:  # whatever strangers can make the library do
                return _unread(path, f"{type(error).__name__}: {error}")


def check_ingredient(path: Path) -> None:
    """Find out whether a file can become part of another's history.

    Raises:
        UnsupportedMedia: The format cannot carry credentials.
        InputError: It cannot be read.
    """
    with _carrier(Path(path), None):
        _c2pa()


def _unread(path: Path, problem: str) -> CredentialState:
    """What is known where the library gave up."""
    if problem.startswith(_BROKEN_FILE):
        raise CorruptMedia(
            f"{path.name} is broken or cut short, so it cannot be searched for credentials.",
            hint="Get the file again from where it came from.",
        )
    said = clean_texts([problem])
    if problem.startswith(_REMOTE):
        return CredentialState(CredentialStatus.ABSENT, problems=said)
    unread = next(iter(said), "nothing can be read")
    return CredentialState(CredentialStatus.INVALID, problems=said, unread=unread)


@contextmanager
def _carrier(path: Path, max_bytes: int | None) -> Iterator[tuple[str, BinaryIO]]:
    """The media type of a file that can carry credentials, and the file, opened at its start."""
    with opened(path, max_bytes=max_bytes) as stream:
        mime = sniff(stream.read(HEAD_BYTES)).mime
        if mime not in FORMATS:
            raise UnsupportedMedia(
                f"{path.name} is {mime}, which cannot carry content credentials.",
                hint=f"These can: {', '.join(FORMATS.values())}. Save it as one of them first.",
            )
        stream.seek(0)
        yield mime, stream


def _difference(
    state: CredentialState, source_type: str, said: Mapping[str, Any] | None
) -> str | None:
    """What of a file just signed does not read as it was to be, or None."""
    if state.status is not CredentialStatus.TRUSTED:
        return ", ".join(state.problems) or "not trusted"
    if state.digital_source_types[-1:] != (source_type,):
        return "with another source type"
    if said is not None and state.forgery != said:
        return "with another statement of the forgery"
    return None


def _check_parents(action: Action, ingredients: Sequence[Ingredient]) -> None:
    parents = sum(ingredient.relationship == "parentOf" for ingredient in ingredients)
    expected = 0 if action == "c2pa.created" else 1
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
    main = {"action": action, "digitalSourceType": digital_source_type, "softwareAgent": agent}
    # The first action says where the picture begins: opened, or created here.
    actions.insert(0 if action == "c2pa.created" else len(actions), main)
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
                with _carrier(Path(one.path), None) as (kind, stream):
                    builder.add_ingredient(facts, kind, stream)
            with destination.open("w+b") as signed, _carrier(source, None) as (mime, unsigned):
                builder.sign(signer, mime, unsigned, signed)
    except c2pa.C2paError as error:
        raise LabelFailed(
            f"{source.name} could not be signed ({error}); no file was written.",
            hint="Check the file, and the certificates in the folder that UNMASK_IDENTITY names.",
        ) from error


def _context(c2pa: ModuleType, trust_anchors: bytes | None) -> Any:
    chosen = dict(_SETTINGS)
    if trust_anchors is not None:
        from unmask.provenance import authority

        # The library would take a malformed anchor for a fault of the file.
        anchors = authority.check_anchors(trust_anchors)
        chosen["trust"] = {"trust_anchors": anchors.decode("ascii")}
    return c2pa.Context(c2pa.Settings.from_dict(chosen))


def _c2pa() -> ModuleType:
    try:
        import c2pa
    except ImportError as error:
        raise MissingExtra.named("provenance", "Content credentials") from error
    module: ModuleType = c2pa
    return module
