"""``unmask provenance``: where files say they come from, and a log of what was there when."""

from __future__ import annotations

from unmask.cli._lazy import LazyGroup

COMMANDS = {
    "init": "Make the identity that signs, or bring your own key.",
    "show": "Show what a file says of its origin.",
    "verify": "Check a file's content credentials; the exit code is the answer.",
    "sign": "Declare the origin of a file of your own, and sign it.",
    "watermark": "Look for the invisible watermark, or label a synthetic file.",
    "log": "Keep and prove what was forged, signed and scanned.",
}

command = LazyGroup(
    name="provenance",
    package="unmask.cli.provenance_commands",
    table=COMMANDS,
    help="Where files say they come from: content credentials (C2PA), source type, watermark, "
    "and an append-only log. That a file says nothing is evidence of nothing.",
    short_help="Where files say they come from.",
    no_args_is_help=True,
)
