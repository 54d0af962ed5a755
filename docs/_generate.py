"""The parts of the documentation that are read from the code when the site is built.

MkDocs runs this file as a hook: a line ``<!-- generated: NAME -->`` in a page gives way to what
the function ``NAME`` below returns, so that these pages cannot fall behind the code.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from unmask import cli as command_line
from unmask import types
from unmask.cli.bench import MODES
from unmask.datasets import DATASETS
from unmask.detectors import DETECTORS
from unmask.errors import MissingExtra, UnmaskError
from unmask.types import Report

MARKER = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
HELP_COLUMNS = 90


def cli() -> str:
    """The help text of every command, as the program prints it."""
    return "\n".join(_command(command_line.app, "unmask", None))


def errors() -> str:
    """The tree of errors as a table: code, exit code, meaning."""
    rows = ["| code | exit code | meaning |", "|---|---|---|"]
    rows += [
        f"| `{cls.code}` | {cls.exit_code} | {_first_paragraph(cls)} |"
        for cls in _tree(UnmaskError)
    ]
    return "\n".join(rows)


def report() -> str:
    """Every object of a report with its fields."""
    schema = msgspec.json.schema(Report)["$defs"]
    order = ["Report", *(name for name in schema if name != "Report")]
    return "\n\n".join(_object(name, schema[name]) for name in order)


def detectors() -> str:
    """The registered detectors with the facts of their specs."""
    facts = ("paper", "modality", "input_px", "weights", "weights_sha256",
             "code_licence", "weights_licence", "training_sets", "calibration_id")  # fmt: skip
    parts = []
    for detector in DETECTORS:
        rows = [f"| {name} | {_cell(getattr(detector.spec, name))} |" for name in facts]
        title = f"## `{detector.spec.id}`: {detector.spec.title}"
        parts.append("\n".join([title, "", "| | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def datasets() -> str:
    """The registered data sets: one table, then each with its layout, options and counts."""
    rows = ["| id | data set | media | official splits | terms |", "|---|---|---|---|---|"]
    parts = []
    told: dict[object, str] = {}  # versions of a set share a module and its words
    for reader in DATASETS:
        spec = reader.spec
        facts = (spec.title, spec.media, spec.splits or "none", spec.licence)
        rows.append(f"| [`{spec.id}`](#{spec.id}) | {' | '.join(map(_cell, facts))} |")
        first = told.setdefault(inspect.getmodule(reader), spec.id)
        parts.append(_data_set(reader, None if first == spec.id else first))
    return "\n\n".join(["\n".join(rows), *parts])


def networks() -> str:
    """The registered networks by family: what each is, and where it comes from."""
    registry = _networks()
    parts = []
    for family in dict.fromkeys(network.spec.family for network in registry):
        rows = [f"## {family.capitalize()}", ""]
        rows += ["| network | paper | sees | differs from the paper |", "|---|---|---|---|"]
        rows += [_network_row(network) for network in registry if network.spec.family == family]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def generators() -> str:
    """The registered generators by family: what each is trained on, and by what it is judged."""
    registry = _generators()
    parts = []
    for family in dict.fromkeys(one.spec.family for one in registry):
        rows = [f"## {family.replace('_', '-').capitalize()}", ""]
        rows += ["| generator | paper | trained on | kept by | differs from the paper |",
                 "|---|---|---|---|---|"]  # fmt: skip
        rows += [_generator_row(one.spec) for one in registry if one.spec.family == family]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


PAGE_PARTS: dict[str, Callable[[], str]] = {
    "cli": cli,
    "errors": errors,
    "report": report,
    "detectors": detectors,
    "networks": networks,
    "generators": generators,
    "datasets": datasets,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs hook: fill the markers of one page.

    Raises:
        KeyError: A marker names something that is not generated.
    """
    return MARKER.sub(lambda found: PAGE_PARTS[found[1]](), markdown)


def on_post_build(config: Any, **_: Any) -> None:
    """MkDocs hook: publish the JSON Schema of the report beside the pages."""
    folder = Path(config["site_dir"]) / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    schema = json.dumps(msgspec.json.schema(Report), indent=2)
    (folder / f"report-{types.SCHEMA_VERSION}.json").write_text(schema + "\n")


def _command(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    ctx = click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=HELP_COLUMNS,
        max_content_width=HELP_COLUMNS,
    )
    yield from (f"## `{ctx.command_path}`", "", "```text", command.get_help(ctx), "```", "")
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            child = command.get_command(ctx, below)
            if child is not None:
                yield from _command(child, below, ctx)
    mode_of = getattr(command, "mode", None)  # the bench: its first word may name a mode
    if mode_of is not None:
        for mode in MODES:
            yield from _command(mode_of(mode), f"{name} {mode}", parent)


def _tree(cls: type[UnmaskError]) -> Iterator[type[UnmaskError]]:
    yield cls
    for below in cls.__subclasses__():
        yield from _tree(below)


def _first_paragraph(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _object(name: str, definition: dict[str, Any]) -> str:
    head = f"## {name}\n\n{definition.get('description', '')}"
    if "enum" in definition:
        return head + "\n\n" + "\n".join(f"- `{value}`" for value in definition["enum"])
    rows = ["| field | type | meaning |", "|---|---|---|"]
    rows += [
        f"| `{field}` | {_type(facts)} | {_meaning(facts)} |"
        for field, facts in definition["properties"].items()
    ]
    return head + "\n\n" + "\n".join(rows)


def _type(facts: dict[str, Any]) -> str:
    if "$ref" in facts:
        name = facts["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in facts:
        return " or ".join(_type(option) for option in facts["anyOf"])
    if "enum" in facts:
        return ", ".join(f"`{value}`" for value in facts["enum"])
    if facts.get("type") == "array":
        inside = facts.get("items") or next(iter(facts.get("prefixItems", [])), {})
        return f"list of {_type(inside)}" if inside else "list"
    return str(facts.get("type", "any"))


def _meaning(facts: dict[str, Any]) -> str:
    options = [facts, *facts.get("anyOf", [])]
    return next((option["description"] for option in options if "description" in option), "")


def _data_set(reader: Any, told_at: str | None) -> str:
    """One data set: facts, what its module says of layout and source, options, counts."""
    spec, module = reader.spec, inspect.getmodule(reader)
    counts = ", ".join(f"`{key}` {number:,}" for key, number in spec.counts.items())
    options = ", ".join(
        f"`{name}` ({', '.join(allowed) if allowed else 'text'})"
        for name, allowed in getattr(reader, "choices", {}).items()
    )
    facts = {
        "paper": spec.paper, "home": spec.home, "terms": spec.licence, "options": options,
        "groups": spec.groups, "published counts": counts,
    }  # fmt: skip
    rows = [f"| {name} | {_cell(value)} |" for name, value in facts.items() if value]
    title = f"## `{spec.id}`: {spec.title} {{#{spec.id}}}"
    words = f"Read as [`{told_at}`](#{told_at})." if told_at else _as_markdown(module)
    return "\n".join([title, "", "| | |", "|---|---|", *rows, "", words])


def _as_markdown(module: object) -> str:
    """A module's docstring: literal blocks fenced, double back-quotes and roles made single."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(module) or "").splitlines():
        if inside and line and not line.startswith(" "):
            lines += ["```", ""]
            inside = False
        if line.endswith("::") and not inside:
            lines += [_plain(line[:-1]), "", "```text"]
            inside = True
        elif inside:
            lines += [line[4:]] if line else []
        else:
            lines.append(_plain(line))
    return "\n".join([*lines, "```"] if inside else lines)


def _plain(line: str) -> str:
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", line).replace("``", "`")


def _networks() -> list[Any]:
    try:
        from unmask.networks import NETWORKS
    except ModuleNotFoundError as error:
        raise MissingExtra.named("train", "The page of the networks") from error
    return list(NETWORKS)


def _generators() -> list[Any]:
    try:
        from unmask.generators.base import GENERATORS
    except ModuleNotFoundError as error:
        raise MissingExtra.named("forge", "The page of the generators") from error
    return list(GENERATORS)


def _generator_row(spec: Any) -> str:
    way = "higher" if spec.higher_is_better else "lower"
    cells = (
        f"`{spec.id}`<br>{spec.title}",
        spec.paper,
        spec.material.replace("_", " "),
        f"held-out {spec.selected_by}, {way} is better",
        spec.differs or "nothing that is known",
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _network_row(network: Any) -> str:
    spec = network.spec
    frames = f"{spec.clip_frames} frames of " if spec.modality == "clip" else ""
    notes = spec.differs or "nothing that is known"
    if spec.trained_by == "fit":
        notes += "; fitted at once"
    if network.has_pretrained:
        notes += "; pretrained weights"
    cells = (
        f"`{spec.id}`<br>{spec.title}",
        spec.paper,
        f"{frames}{spec.input_px} px, {spec.crop_margin} x face",
        notes,
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text.replace("|", "\\|")
