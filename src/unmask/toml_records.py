"""TOML tables as frozen dataclasses: every key known, every value of its field's type."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from unmask.errors import NotFound, UsageError


def read_toml(path: Path, examples: str) -> dict[str, Any]:
    """A TOML file as a table.

    Args:
        path: The file.
        examples: Folder of such files, for the hint.

    Raises:
        NotFound: There is no such file.
        UsageError: It is not TOML.
    """
    if not path.is_file():
        raise NotFound(f"There is no recipe at {path}.", hint=f"See the folder {examples}.")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", hint="Correct it.") from error


def record_of(cls: Any, table: Mapping[str, Any], where: str) -> Any:
    """Build the dataclass ``cls``, and those inside it, from a table.

    Args:
        cls: A dataclass of numbers, strings, flags, tuples, dictionaries and other dataclasses.
        table: Values by field; lists become tuples, whole numbers fit where floats do.
        where: How messages call it.

    Raises:
        UsageError: A key is unknown (the near match is named) or missing, or a value has the
            wrong type.
    """
    return _value(cls, dict(table), where)


def _value(cls: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(cls):
        return _record(cls, value, where)
    origin, arguments = get_origin(cls), get_args(cls)
    if origin is tuple and isinstance(value, list | tuple):
        inner = arguments[0]
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise UsageError(f"{where} has {len(value)} entries, expected {len(arguments)}.")
        return tuple(_value(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if cls is Any:
        return value
    if origin is dict and isinstance(value, dict):
        return {str(k): _value(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if cls is float and type(value) is int:
        return float(value)
    if isinstance(cls, type) and type(value) is cls:
        return value
    raise UsageError(f"{where} is {value!r}, expected {getattr(cls, '__name__', cls)}.")


def _record(cls: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{where} is {value!r}, expected a table.")
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in value:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(fields)}."
            raise UsageError(f"{where} has the unknown key {key!r}.", hint=hint)
    required = [
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    for name in required:
        if name not in value:
            raise UsageError(f"{where} lacks the key {name!r}.")
    return cls(**{key: _value(hints[key], v, f"{where}.{key}") for key, v in value.items()})
