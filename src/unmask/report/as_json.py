"""Report to JSON and back, and the published JSON Schema."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from unmask.errors import InvalidReport
from unmask.types import SCHEMA_VERSION, Report

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DECODER = msgspec.json.Decoder(Report)
_VERSION_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_json(report: Report, *, crops: bool = True) -> bytes:
    """Return the report as indented UTF-8 JSON with a stable order of keys.

    Args:
        report: What to write.
        crops: Whether the PNG pictures of the faces are kept (base64).

    Raises:
        InvalidReport: A number is NaN or infinite; JSON has no word for it.
    """
    return msgspec.json.format(_encode(report, crops=crops), indent=2) + b"\n"


def to_ndjson_line(report: Report) -> bytes:
    """Return the report as one line of JSON without pictures, line feed included.

    Raises:
        InvalidReport: A number is NaN or infinite; JSON has no word for it.
    """
    return _encode(report, crops=False) + b"\n"


def from_json(data: bytes) -> Report:
    """Read a report that :func:`to_json` or :func:`to_ndjson_line` wrote.

    Keys that this version does not know are ignored: the schema grows within a major version.

    Raises:
        InvalidReport: Not JSON, not a report, or of another major schema version.
    """
    major = SCHEMA_VERSION.partition(".")[0]
    try:
        written = msgspec.json.decode(
            _VERSION_DECODER.decode(data).get("schema_version", msgspec.Raw(b'"none"'))
        )
        if str(written).partition(".")[0] != major:
            raise InvalidReport(
                f"The report has schema version {str(written)[:40]!r}; {major}.x was expected.",
                hint="Read it with the version of Unmask that wrote it.",
            )
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        # msgspec names the place ("- at `$.faces[0].verdict.label`"), never the content.
        raise InvalidReport(
            f"These bytes are not an Unmask report: {problem}.",
            hint="Pass the JSON that `unmask scan --format json` wrote.",
        ) from problem


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the report, generated from its types."""
    generated = msgspec.json.schema(Report)
    return {
        "$schema": _DIALECT,
        "$id": f"urn:unmask:schema:report:{SCHEMA_VERSION}",
        "title": "Unmask report",
        "description": (
            "What Unmask says about one picture or film. Within a major version keys are only "
            "added; readers ignore those they do not know."
        ),
        **generated,
    }


def schema_file_bytes() -> bytes:
    """Return the bytes of the published schema file."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n"


def _encode(report: Report, *, crops: bool) -> bytes:
    document = report if crops else without_crops(report)
    _refuse_non_finite(document, "report")
    try:
        return msgspec.json.encode(document, order="deterministic")
    except UnicodeEncodeError:
        # A file name that is not valid UTF-8 reaches Python as lone surrogates.
        plain = msgspec.to_builtins(document, order="deterministic")
        return msgspec.json.encode(_without_surrogates(plain))


def without_crops(report: Report) -> Report:
    """Return the report without the PNG pictures of its faces."""
    faces = [
        msgspec.structs.replace(
            face,
            best_crop=msgspec.structs.replace(face.best_crop, image_png=None, map_png=None),
        )
        for face in report.faces
    ]
    return msgspec.structs.replace(report, faces=faces)


def _refuse_non_finite(value: object, place: str) -> None:
    """Raise where msgspec would quietly write ``null`` for NaN or infinity."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidReport(
                f"{place} is {value}; a finite number was expected.",
                hint="This is a defect of the program; please report it with the file's type.",
            )
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_non_finite(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            if not isinstance(item, str):
                _refuse_non_finite(item, f"{place}[{position}]")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
