"""What the content credentials of a file claim, taken out of the C2PA library's own reading.

Every text was written by strangers: it is cleaned of control characters and bounded in length and
number before it goes any further.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from unmask.media.origin import clean_tags
from unmask.provenance import iptc

FORGERY = "org.unmask.forgery"
"""Label of our own assertion in the credentials of a forgery."""
_MAX_TEXTS = 16
_MAX_GENERATIONS = 16
# Labels as C2PA numbers them: a version where there is one, and an instance from the second on.
_ACTIONS = re.compile(r"c2pa\.actions(\.v\d+)?(__\d+)?")
_OWN = re.compile(re.escape(FORGERY) + r"(__\d+)?")
# What may be said of an original's credentials without its statement losing its worth.
_HARMLESS = frozenset({"signingCredential.untrusted"})


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
        signer: Name and organisation in the signing certificate, or None.
        signed_at: When, by a timestamp authority; None: nobody vouches for a time.
        history_source_types: NewsCodes URIs in the manifests of the original, of its original and
            so on, as far as they were sound when they were taken up.
        forgery: Our own assertion, where the file or its original is a forgery of this software.
        unread: Why nothing could be read of credentials that are there, or None.
    """

    status: CredentialStatus
    digital_source_types: tuple[str, ...] = ()
    generator: str | None = None
    actions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    signer: str | None = None
    signed_at: str | None = None
    history_source_types: tuple[str, ...] = ()
    forgery: Mapping[str, Any] | None = None
    unread: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing was changed since it was signed, by whomever."""
        return self.status in {CredentialStatus.VALID, CredentialStatus.TRUSTED}

    @property
    def declares_synthesis(self) -> bool:
        """Whether a claim that holds says that the picture, or its original, is synthetic.

        A claim of the opposite is worth nothing here: whoever can sign can lie.
        """
        return self.holds and (self.forgery is not None or bool(self.synthetic_types))

    @property
    def synthetic_types(self) -> tuple[str, ...]:
        """The NewsCodes URIs of synthesis among those stated, each once, the newest first."""
        stated = (*self.digital_source_types[::-1], *self.history_source_types)
        return tuple(dict.fromkeys(one for one in stated if one in iptc.SYNTHETIC))


def state_of(reader: Any) -> CredentialState:
    """Take the state out of an open ``c2pa.Reader``."""
    store = msgspec.json.decode(reader.json())
    manifests = _mapping(_mapping(store).get("manifests"))
    manifest = _mapping(manifests.get(str(_mapping(store).get("active_manifest"))))
    results = _mapping(_mapping(reader.get_validation_results()).get("activeManifest"))
    failed = (_mapping(failure).get("code") for failure in _list(results.get("failure")))
    signature = _mapping(manifest.get("signature_info"))
    actions = list(_actions(manifest))
    history = list(_history(manifest, manifests))
    return CredentialState(
        status=CredentialStatus(str(reader.get_validation_state()).lower()),
        digital_source_types=_types(actions),
        generator=_generator(manifest),
        actions=clean_texts(action.get("action") for action in actions),
        problems=clean_texts(failed),
        signer=_signer(signature),
        signed_at=next(iter(clean_texts([signature.get("time")])), None),
        history_source_types=tuple(
            dict.fromkeys(one for older in history for one in _types(_actions(older)))
        )[:_MAX_TEXTS],
        forgery=next(
            (said for one in (manifest, *history) for said in _assertions(one, _OWN)), None
        ),
    )


def clean_texts(texts: Iterable[Any]) -> tuple[str, ...]:
    """Strangers' texts without control characters, bounded in length and number."""
    cleaned = clean_tags((str(i), text) for i, text in enumerate(texts) if text)
    return tuple(cleaned.values())[:_MAX_TEXTS]


def _history(
    manifest: Mapping[str, Any], manifests: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Manifests of the original, of its original, and so on."""
    for _ in range(_MAX_GENERATIONS):
        ingredients = (_mapping(one) for one in _list(manifest.get("ingredients")))
        parent = next((one for one in ingredients if one.get("relationship") == "parentOf"), None)
        if parent is None or not _was_sound(parent):
            return
        label = str(parent.get("active_manifest"))
        if label not in manifests:
            return
        manifest = _mapping(manifests[label])
        yield manifest


def _was_sound(ingredient: Mapping[str, Any]) -> bool:
    """Whether an original's own credentials held when it was taken up."""
    results = _mapping(_mapping(ingredient.get("validation_results")).get("activeManifest"))
    noted = [*_list(results.get("failure")), *_list(ingredient.get("validation_status"))]
    return all(_mapping(one).get("code") in _HARMLESS for one in noted)


def _actions(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for data in _assertions(manifest, _ACTIONS):
        yield from (_mapping(action) for action in _list(data.get("actions")))


def _assertions(manifest: Mapping[str, Any], label: re.Pattern[str]) -> Iterator[Mapping[str, Any]]:
    for assertion in _list(manifest.get("assertions")):
        if label.fullmatch(str(_mapping(assertion).get("label"))):
            yield _mapping(_mapping(assertion).get("data"))


def _types(actions: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    stated = clean_texts(action.get("digitalSourceType") for action in actions)
    return tuple(map(iptc.canonical, stated))


def _generator(manifest: Mapping[str, Any]) -> str | None:
    infos = _list(manifest.get("claim_generator_info"))
    info = _mapping(infos[0]) if infos else {"name": manifest.get("claim_generator")}
    named = " ".join(str(info[key]) for key in ("name", "version") if info.get(key))
    return next(iter(clean_texts([named])), None)


def _signer(signature: Mapping[str, Any]) -> str | None:
    parts = (signature.get("common_name"), signature.get("issuer"))
    return ", ".join(clean_texts(parts)) or None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
