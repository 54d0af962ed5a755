"""``unmask forge``: labelled face forgeries, from extraction to the converted film."""

from __future__ import annotations

from unmask.cli._lazy import LazyGroup

COMMANDS = {
    "extract": "Cut the faces out of films and pictures.",
    "train": "Train a generator; resumable, with a preview sheet.",
    "convert": "Forge a film or picture with a trained generator, labelled.",
    "preview": "One frame with all ways of blending, side by side.",
    "generate": "Make faces that belong to nobody, labelled.",
    "eval": "Measure a generator, or a forged film against its original.",
    "dataset": "Make a labelled data set of forged faces, in shards.",
}

command = LazyGroup(
    name="forge",
    package="unmask.cli.forge_commands",
    table=COMMANDS,
    help="Make labelled face forgeries: extract, train, preview, convert. Everything written for "
    "people's eyes is labelled, visibly and invisibly, or not written at all.",
    short_help="Make labelled face forgeries.",
    no_args_is_help=True,
)
