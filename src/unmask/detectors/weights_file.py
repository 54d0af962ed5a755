"""The facts that a weights file carries about itself, read without running it.

An ONNX file is one protobuf message; its metadata are text entries of that message. They are
found here by walking over the outermost fields, so that nothing of the graph is loaded, no engine
is asked, and the package ``onnx`` is not needed.

Source: onnx.proto (ModelProto: ``graph`` = 7, ``metadata_props`` = 14; StringStringEntryProto:
``key`` = 1, ``value`` = 2) and the protobuf encoding guide.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Literal

import msgspec

from unmask.errors import ModelUnavailable

METADATA_KEY = "unmask.network"
FACTS_VERSION = 1
_GRAPH, _METADATA = 7, 14
_MAX_FACTS_BYTES = 256 * 1024
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5

MapKind = Literal["manipulated_pixels", "class_activation", "none"]


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an exported file says about itself; all that a scan needs to cut its crops.

    Attributes:
        version: Version of this structure.
        id: Network, as in ``unmask models list``.
        title: Name for people.
        paper: Authors, title in short, venue and year.
        input_px: Side of the square crop.
        views: How each face is cut out: side of the crop over the longer side of the face hull,
            and whether it is mirrored. The score is the mean over views; the first is shown.
        mean: Per-channel mean, RGB, on the 0..255 scale.
        std: Per-channel deviation, RGB, on the 0..255 scale.
        map_kind: What ``maps`` shows: a share of manipulated pixels that the network was trained
            to tell, a class activation map, or there is none.
        training_sets: What the weights have seen.
        code_licence: SPDX id of the network's code.
        weights_licence: Terms of the weights, in a few words.
        recipe_sha256: Digest of the recipe they were trained by; empty: not known.
        steps: Training steps behind them; None: not known.
        tool: Software that wrote the file.
    """

    version: int
    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+([-_.][a-z0-9]+)*$", max_length=80)]
    title: Annotated[str, msgspec.Meta(max_length=200)]
    paper: Annotated[str, msgspec.Meta(max_length=400)]
    input_px: Annotated[int, msgspec.Meta(ge=16, le=2048)]
    views: Annotated[
        tuple[tuple[Annotated[float, msgspec.Meta(ge=0.5, le=4.0)], bool], ...],
        msgspec.Meta(min_length=1, max_length=8),
    ]
    mean: tuple[float, float, float]
    std: tuple[
        Annotated[float, msgspec.Meta(gt=0)],
        Annotated[float, msgspec.Meta(gt=0)],
        Annotated[float, msgspec.Meta(gt=0)],
    ]
    map_kind: MapKind = "none"
    training_sets: tuple[str, ...] = ()
    code_licence: str = ""
    weights_licence: str = "not stated"
    recipe_sha256: str = ""
    steps: int | None = None
    tool: str = ""

    def __post_init__(self) -> None:
        """Refuse views whose picture and map could not be shown."""
        if self.views[0][1]:
            raise ValueError("the first view is mirrored")


class _Versioned(msgspec.Struct):
    version: int


def read_facts(path: Path) -> NetworkFacts | None:
    """Read the facts of a weights file.

    Returns:
        The facts, or None where the file is an ONNX model that carries none.

    Raises:
        ModelUnavailable: The file cannot be read, is no ONNX model, or its facts are of another
            version or damaged.
    """
    text = _metadata(path).get(METADATA_KEY)
    if text is None:
        return None
    try:
        version = msgspec.json.decode(text, type=_Versioned).version
        if version != FACTS_VERSION:
            raise ModelUnavailable(
                f"{path.name} states its facts in version {version}; this Unmask reads version "
                f"{FACTS_VERSION}.",
                hint="Export it again, or use the version of Unmask that wrote it.",
            )
        return msgspec.json.decode(text, type=NetworkFacts)
    except msgspec.DecodeError as error:
        raise ModelUnavailable(
            f"What {path.name} says about its network is damaged: {error}.",
            hint="Export it again with 'unmask export'.",
        ) from error


def facts_json(facts: NetworkFacts) -> str:
    """The facts as they are written into a file: the same text for the same facts."""
    return msgspec.json.encode(facts, order="sorted").decode()


def _metadata(path: Path) -> dict[str, bytes]:
    """Text entries of an ONNX file by key."""
    try:
        with path.open("rb") as stream:
            size_bytes = path.stat().st_size
            return _walk(stream, size_bytes)
    except OSError as error:
        raise ModelUnavailable(
            f"The weights {path.name} cannot be read: {error.strerror}.",
            hint="Check the path.",
        ) from error
    except ValueError as error:
        raise ModelUnavailable(
            f"{path.name} is not an ONNX file, or is not whole: {error}.",
            hint="Give an ONNX file made by 'unmask export'.",
        ) from error


def _walk(stream: IO[bytes], size_bytes: int) -> dict[str, bytes]:
    """Go over the outermost fields of the file.

    Raises:
        ValueError: It is no such message, or ends in the middle.
    """
    entries: dict[str, bytes] = {}
    has_graph = False
    while stream.tell() < size_bytes:
        number, kind = _tag(stream)
        length = _length(stream, kind)
        if stream.tell() + length > size_bytes:
            raise ValueError(f"a field of {length:,} bytes ends behind the end of the file")
        if number == _METADATA and kind == _BYTES and length <= _MAX_FACTS_BYTES:
            key, value = _entry(stream.read(length))
            entries[key] = value
            continue
        has_graph |= number == _GRAPH and kind == _BYTES
        stream.seek(length, 1)
    if not has_graph:
        raise ValueError("it holds no graph")
    return entries


def _tag(stream: IO[bytes]) -> tuple[int, int]:
    tag = _varint(stream)
    number, kind = tag >> 3, tag & 7
    if number == 0 or number > 100:  # onnx.proto has no such fields
        raise ValueError(f"field {number} belongs to no ONNX model")
    return number, kind


def _length(stream: IO[bytes], kind: int) -> int:
    """Bytes that follow for a field of this kind; a number is read right away."""
    if kind == _VARINT:
        _varint(stream)
        return 0
    if kind == _BYTES:
        return _varint(stream)
    if kind in (_FIXED_32, _FIXED_64):
        return 4 if kind == _FIXED_32 else 8
    raise ValueError(f"a field of kind {kind}")


def _varint(stream: IO[bytes]) -> int:
    value = 0
    for shift in range(0, 64, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("it ends in the middle of a field")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number with too many digits")


def _entry(data: bytes) -> tuple[str, bytes]:
    """Key and value of one text entry."""
    fields = dict(_fields(data))
    return fields.get(1, b"").decode("utf-8", "replace"), fields.get(2, b"")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        number, kind = _tag(stream)
        length = _length(stream, kind)
        yield number, stream.read(length)
