"""What a forgery says of itself: the statement that the labels carry, and the checks on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unmask.errors import ConsentMissing, UsageError
from unmask.media import hash_file
from unmask.media.origin import clean_tags
from unmask.provenance import iptc
from unmask.provenance.credentials import Action, Ingredient

PAYLOAD_BYTES = 4
MIN_CONSENT_CHARACTERS = 8
_MAX_CONSENT_CHARACTERS = 500  # as much as any text that is read out of a file
NEEDS_NO_CONSENT = frozenset({"synthesis", "restoration"})
"""Families whose methods show nobody doing or being what they did not or are not.

A list of those that may, not of those that may not: a family that nobody thought of needs one.
"""


class ForgeryLabel(NamedTuple):
    """What a forgery says of itself.

    Attributes:
        title: What people are shown.
        method: Id of the forgery (``landmark_swap``).
        digital_source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        ingredients: The original (``parentOf``) and what else went in. With an original the
            result is declared as edited, without one as created.
        seed: Of everything random in it, or None.
        consent: Statement by whom, and to what, the people shown agreed. Required of every
            family but those in :data:`NEEDS_NO_CONSENT`.
        facts: More to be declared (run, settings): anything that JSON can hold.
        family: Of the method (``swap``, ``synthesis``, ``restoration`` ...). None: consent is
            required unless everything in the picture is declared as generated.
    """

    title: str
    method: str
    digital_source_type: str
    ingredients: Sequence[Ingredient] = ()
    seed: int | None = None
    consent: str | None = None
    facts: Mapping[str, Any] | None = None
    family: str | None = None

    @property
    def action(self) -> Action:
        """``c2pa.edited`` where there is an original, else ``c2pa.created``."""
        edited = any(one.relationship == "parentOf" for one in self.ingredients)
        return "c2pa.edited" if edited else "c2pa.created"

    @property
    def needs_consent(self) -> bool:
        """Whether people may be shown doing or being what they did not or are not."""
        if self.family is None:
            return self.digital_source_type != iptc.TRAINED
        return self.family not in NEEDS_NO_CONSENT


def check_consent(label: ForgeryLabel) -> None:
    """Refuse a forgery of a person without a statement that the person agreed.

    Raises:
        ConsentMissing: There is none where one is required, or it says nothing.
    """
    stated = (label.consent or "").strip()
    if label.consent is None and not label.needs_consent:
        return
    if len(stated) < MIN_CONSENT_CHARACTERS:
        came = f"only {stated!r}" if stated else "none"
        why = (
            f"{label.method} changes what a person is seen to be or to do; that needs a statement "
            "of consent"
            if label.needs_consent
            else f"{label.method} needs no statement of consent; one that is given must be one,"
        )
        raise ConsentMissing(
            f"{why} of at least {MIN_CONSENT_CHARACTERS} characters, and there is {came}.",
            hint='Say who agreed to what, e.g. --consent "A. Miller, in writing, 2026-05-01, for '
            'this film". It is recorded in the file.',
        )
    if len(stated) > _MAX_CONSENT_CHARACTERS:
        raise ConsentMissing(
            f"The statement of consent has {len(stated)} characters; at most "
            f"{_MAX_CONSENT_CHARACTERS} fit.",
            hint="Shorten it, and name the document that holds the rest.",
        )


def statement(label: ForgeryLabel) -> dict[str, Any]:
    """The statement that is signed, without its watermark: method, inputs by SHA-256, consent.

    Raises:
        InputError: An ingredient cannot be read.
        UsageError: The facts are not such as JSON can hold.
    """
    consent = next(iter(clean_tags([("consent", label.consent or "")]).values()), None)
    said: dict[str, Any] = {
        "title": label.title,
        "method": label.method,
        "family": label.family,
        "digital_source_type": label.digital_source_type,
        "seed": label.seed,
        "consent": consent,
        "inputs": [_input(ingredient) for ingredient in label.ingredients],
    }
    try:
        said["facts"] = {key: _plain(value) for key, value in (label.facts or {}).items()}
        whole = json.loads(_canonical(said))
        return {key: value for key, value in whole.items() if value not in (None, [], {})}
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The facts of a label must be such as JSON can hold ({error}).",
            hint="Give strings, finite numbers, lists and tables of them.",
        ) from error


def payload_of(said: Mapping[str, Any], attempt: int = 0) -> bytes:
    """The watermark's payload: the first bytes of the SHA-256 of the statement.

    So the watermark found in a copy that lost its credentials leads back to the statement, and a
    statement vouches for the watermark.

    Args:
        said: As :func:`statement` returned it.
        attempt: Another number gives another payload for the same statement.
    """
    text = _canonical({"statement": said, "attempt": attempt})
    return hashlib.sha256(text).digest()[:PAYLOAD_BYTES]


def vouches_for(assertion: Mapping[str, Any]) -> bool:
    """Whether the payload in an :data:`FORGERY` assertion is that of its own statement."""
    said = {key: value for key, value in assertion.items() if key != "watermark"}
    mark = assertion.get("watermark") or {}
    try:
        return bool(payload_of(said, int(mark.get("attempt", 0))).hex() == mark.get("payload"))
    except (TypeError, ValueError, AttributeError):
        return False


def _plain(value: Any) -> Any:
    """Scalars, and all else as JSON text: C2PA would give a list of small numbers back as bytes."""
    return value if isinstance(value, str | int | float | None) else _canonical(value).decode()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _input(ingredient: Ingredient) -> dict[str, Any]:
    return {
        "title": ingredient.title,
        "relationship": ingredient.relationship,
        "sha256": hash_file(Path(ingredient.path)),
    }
