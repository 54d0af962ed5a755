"""What a folder of shards was begun for, so that nothing else is mixed into it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.datasets.faces_of import Loss
from unmask.datasets.shards import SCOPE, SHARDS
from unmask.errors import CorruptMedia, OutputRefused, UsageError
from unmask.media.encode import replacing

if TYPE_CHECKING:
    from unmask.datasets.preprocessing import Preprocessing

_DIGEST, _DIGEST_SHOWN, _MOST_SHOWN = 64, 12, 60
_NAMES = {"data_set": "data set", "options": "options of the set", "splits": "splits"}


def hold_scope(
    folder: Path,
    data_set: str,
    options: Mapping[str, str],
    splits: Sequence[str],
    how: Preprocessing,
) -> dict[str, Any]:
    """Write down what the folder is for, or hold the call against what is written there.

    Returns:
        The scope, as it goes into the manifest.

    Raises:
        UsageError: The folder was begun for something else; the message says what differs.
        CorruptMedia: What is written there cannot be read.
        OutputRefused: The folder cannot be made or written.
    """
    scope = {
        "data_set": data_set,
        "options": dict(sorted(options.items())),
        "splits": sorted(splits),
        "preprocessing": how.facts(),
        "preprocessing_hash": how.hash(),
    }
    path = folder / SCOPE
    try:
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
        if path.exists():
            _hold_against(path, scope)
            return scope
        others = [one.name for one in folder.iterdir() if one.name != SHARDS]
        if others or any((folder / SHARDS).iterdir()):
            raise UsageError(
                f"{folder} holds other files ({', '.join([*others, SHARDS][:3])}) and no {SCOPE}.",
                hint="Choose an empty or new folder with -o.",
            )
    except OSError as error:
        raise OutputRefused(
            f"The folder {folder} cannot be used: {error.strerror or error}.",
            hint="Choose another one with -o.",
        ) from error
    with replacing(path) as beside:
        beside.write_text(json.dumps(scope, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return scope


def _hold_against(path: Path, scope: Mapping[str, Any]) -> None:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        differences = list(_differences(there, scope))
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise CorruptMedia(
            f"{path} cannot be read: {error}.",
            hint="Choose another folder with -o, or delete this one.",
        ) from error
    if differences:
        raise UsageError(
            f"{path.parent} was begun with other settings: {'; '.join(differences)}.",
            hint="Choose another folder with -o, or give the settings that it was begun with.",
        )


def _differences(there: Mapping[str, Any], scope: Mapping[str, Any]) -> list[str]:
    told = [
        f"{name} {_shown(there[key])}, now {_shown(scope[key])}"
        for key, name in _NAMES.items()
        if there[key] != scope[key]
    ]
    old, new = there["preprocessing"], scope["preprocessing"]
    told += [
        f"{key} {_shown(old.get(key))}, now {_shown(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    return told


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_short(one)}" for key, one in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "all"
    return str(value)


def _short(value: Any) -> str:
    """Digests by their beginning; sentences far enough to be told apart."""
    text = str(value)
    most = _DIGEST_SHOWN if len(text) == _DIGEST else _MOST_SHOWN
    return text if len(text) <= most else text[:most]


def write_left_out(path: Path, losses: Sequence[Loss]) -> None:
    """Write what is missing and why, one row each, as CSV."""
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(field.name for field in fields(Loss))
        rows.writerows(astuple(loss) for loss in losses)
