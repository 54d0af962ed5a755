"""A click group that imports a command only when it is run or its help is asked for.

The listing in ``unmask --help`` comes from a static table, so that it answers without
importing numpy, PyAV, OpenCV or any other weight.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Group whose commands live in modules of one package.

    The module ``package.name`` holds the command ``name`` as its attribute ``command``.

    Args:
        package: Package that holds one module a command.
        table: Name of each command with the line shown for it in the listing, in the order
            of the listing.
        settings: Whatever :class:`click.Group` takes.
    """

    def __init__(self, *, package: str, table: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.package = package
        self.table = dict(table)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of the commands, in the order of the table."""
        return list(self.table)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        """Import and return the command, or None where the table has no such name."""
        if cmd_name not in self.table:
            return None
        module = importlib.import_module(f"{self.package}.{cmd_name}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` names.

        Raises:
            click.UsageError: There is none; the message names the nearest ones.
        """
        name = args[0]
        looks_like_option = name.startswith("-")
        if name in self.table or looks_like_option or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = difflib.get_close_matches(name, self.table, n=2, cutoff=0.5)
        names = " or ".join(f"{other!r}" for other in near)
        advice = f"Did you mean {names}?" if near else f"There is: {', '.join(self.table)}."
        raise click.UsageError(f"No such command {name!r}. {advice}", ctx)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the listing from the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))
