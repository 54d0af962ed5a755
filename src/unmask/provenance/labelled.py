"""The one way in which a forged picture or film is written for people's eyes.

Order: the visible mark is in the pixels already, the caller encodes, the IPTC digital source type
goes into the file, and content credentials sign the whole last. The file takes its name only
when all of this is done and was read back; there is no switch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from unmask.errors import LabelFailed, OutputRefused, UnmaskError
from unmask.media import hash_file
from unmask.provenance import iptc
from unmask.provenance.credentials import Ingredient, sign

FORGERY = "org.unmask.forgery"
"""Label of our own assertion: method, and name and SHA-256 of each input."""


class ForgeryLabel(NamedTuple):
    """What a forgery made of others' pictures says of itself.

    Attributes:
        title: What people are shown.
        method: Id of the forgery (``landmark_swap``).
        digital_source_type: A NewsCodes URI, as in :mod:`unmask.provenance.iptc`.
        ingredients: The original (``parentOf``) and what else went in.
    """

    title: str
    method: str
    digital_source_type: str
    ingredients: Sequence[Ingredient]


def write_labelled(path: Path, encode: Callable[[Path], object], label: ForgeryLabel) -> None:
    """Encode a forgery, label it, and give it its name.

    Args:
        path: Ends in ``.jpg``, ``.png`` or ``.mp4``.
        encode: Writes the marked picture or film to the path that it is given.
        label: What is declared.

    Raises:
        LabelFailed: A label could not be made; no file was written.
        OutputRefused: The file cannot be written.
        MissingExtra: The packages for signing are not installed.
    """
    facts = {
        "method": label.method,
        "inputs": [_input(ingredient) for ingredient in label.ingredients],
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".unmask-", dir=path.parent) as folder:
            unsigned = Path(folder) / path.name
            encode(unsigned)
            iptc.declare(unsigned, label.digital_source_type)
            sign(
                unsigned,
                path,
                title=label.title,
                action="c2pa.edited",
                digital_source_type=label.digital_source_type,
                ingredients=label.ingredients,
                assertions={FORGERY: facts},
            )
    except UnmaskError as error:
        error.add_note(f"while labelling {path.name}")
        raise
    except OSError as error:
        raise OutputRefused(
            f"{path} could not be written ({error.strerror or error}).",
            hint="Check that the folder exists, may be written to, and has room.",
        ) from error
    except Exception as error:
        raise LabelFailed(
            f"{path.name} could not be labelled ({type(error).__name__}: {error}), "
            "so it was not written."
        ) from error


def _input(ingredient: Ingredient) -> dict[str, Any]:
    return {
        "title": ingredient.title,
        "relationship": ingredient.relationship,
        "sha256": hash_file(ingredient.path),
    }
