"""Which networks there are, read from their sources without running them.

The networks of the laboratory are PyTorch; listing them must not load it, and need not: each
states its facts as ``NetworkSpec(id="...", ...)`` with constants. What is written there is read
here as text. A test holds this list and the registry of networks equal.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

_SPEC = "NetworkSpec"
_GROUP = "unmask.networks"


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """A network as lists show it.

    Attributes:
        id: Short name.
        title: Name for people; empty for one that another package brings.
        paper: Authors, title in short, venue and year.
        family: ``spatial``, ``frequency``, ``temporal`` or ``generalising``.
        modality: ``image`` or ``clip``.
        input_px: Side of the crop that its paper uses; None: not known without loading it.
        differs: What differs from the paper.
        code_licence: SPDX id.
    """

    id: str
    title: str = ""
    paper: str = ""
    family: str = ""
    modality: str = "image"
    input_px: int | None = 224
    differs: str = ""
    code_licence: str = "Apache-2.0"


@cache
def network_cards() -> tuple[NetworkCard, ...]:
    """All networks: those of this package, and by name those that others bring; sorted by id."""
    cards = {}
    folder = files("unmask").joinpath("networks")
    for source in sorted(folder.iterdir(), key=lambda one: one.name):
        if source.name.endswith(".py"):
            cards.update({card.id: card for card in _cards_in(source.read_text("utf-8"))})
    for point in entry_points(group=_GROUP):
        cards.setdefault(point.name, NetworkCard(point.name, input_px=None))
    return tuple(cards[one] for one in sorted(cards))


def _cards_in(source: str) -> Iterator[NetworkCard]:
    wanted = {field.name for field in fields(NetworkCard)}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not _calls_spec(node):
            continue
        facts: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg in wanted:
                facts[keyword.arg] = _constant(keyword.value)
        known = {name: value for name, value in facts.items() if value is not None}
        if "id" in known:
            yield NetworkCard(**known)


def _calls_spec(node: ast.Call) -> bool:
    called = node.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == _SPEC


def _constant(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
