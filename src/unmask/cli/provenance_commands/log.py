"""``unmask provenance log``: an append-only record, and proofs of what is in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from unmask.cli._inputs import read_pem
from unmask.cli.provenance_commands._options import (
    FILE,
    anchors_option,
    echo_json,
    echo_rows,
    json_option,
)
from unmask.errors import NotFound, UsageError

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_head_option = click.option(
    "--head", "known", type=FILE, metavar="JSON",
    help="A tree head (or proof) that was handed over earlier.",
)  # fmt: skip


@click.group(short_help="Keep and prove what was forged, signed and scanned.",
             no_args_is_help=True)  # fmt: skip
def command() -> None:
    """Keep an append-only record of digests, and prove later what was in it when.

    What is forged or signed here is recorded by itself; scans where 'unmask scan --log' asks for
    it. No pictures are kept, only SHA-256, time, version and a note. UNMASK_LOG names the file.
    """


@command.command(short_help="Record files or digests.")
@click.argument("files", nargs=-1, required=True, metavar="FILE|SHA256...")
@click.option("--kind", type=click.Choice(["noted", "signed", "scanned"]), default="noted",
              show_default=True, help="Why it is recorded.")  # fmt: skip
@click.option("--note", default="", help="What else is known, up to 200 characters.")
def append(files: tuple[str, ...], kind: Any, note: str) -> None:
    """Record the SHA-256 of each file, with the time."""
    from unmask.provenance.log import Log

    log = Log()
    digests = [_digest(one) for one in files]  # all are read before any is recorded
    for one, sha256 in zip(files, digests, strict=True):
        placed = log.append(kind, sha256, note)
        echo_rows([(str(placed.position), f"{sha256} {placed.entry.time} {one}")])


@command.command(short_help="Prove that a file is in the log.")
@click.argument("file", metavar="FILE|SHA256")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Where the proof goes.")
@_head_option
def prove(file: str, output: Path | None, known: Path | None) -> None:
    """Write a proof that FILE is in the log; anybody can check it without the log.

    With --head the proof is against that head, or shows that the newest one continues it.
    """
    from unmask.provenance import authority, log_proof
    from unmask.provenance.log import Log

    log, sha256 = Log(), _digest(file)
    entries = log.find(sha256)
    if not entries:
        raise NotFound(
            f"{file} is not in the log {log.path} (SHA-256 {sha256}).",
            hint="Record it with 'unmask provenance log append'; one changed byte is another file.",
        )
    held = log_proof.read_head(known) if known is not None else None
    proof = log_proof.prove(log, entries[0], authority.identity(), held)
    _write(output, log_proof.as_json(proof))


@command.command(short_help="Sign the log as it stands, to hand over.")
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Where the head goes.")
def head(output: Path | None) -> None:
    """Sign the log as it stands: a few bytes that pin every entry.

    Hand it to somebody who will keep it, or print it: a proof against it shows that an entry was
    there by then.
    """
    from unmask.provenance import authority, log_proof
    from unmask.provenance.log import Log

    _write(output, log_proof.as_json(log_proof.sign_head(Log(), authority.identity())))


@command.command(short_help="Check a proof, or the log itself.")
@click.argument("proof", type=FILE, required=False)
@click.option("--file", "file", metavar="FILE|SHA256", help="The file that it is to be about.")
@_head_option
@anchors_option
@json_option
def verify(proof: Path | None, file: str | None, known: Path | None, anchors: Path | None, *,
           as_json: bool) -> int:  # fmt: skip
    """Check PROOF with nothing but itself; without PROOF, compute the whole log anew.

    Exit code 0: all holds. 1: something does not.
    """
    if proof is None:
        if file or known or anchors:
            raise UsageError(
                "--file, --head and --anchors go with a proof.", hint="Name the proof first."
            )
        return _verify_log(as_json=as_json)
    from unmask.provenance import log_proof

    found = log_proof.read_proof(proof)
    outcome = log_proof.check_proof(
        found,
        sha256=None if file is None else _digest(file),
        known=None if known is None else log_proof.read_head(known),
        anchors_pem=read_pem(anchors),
    )
    facts = log_proof.facts_of(found)
    if as_json:
        echo_json({"holds": outcome.holds, "problems": outcome.problems,
                   "trusted": outcome.trusted, **facts})  # fmt: skip
        return 0 if outcome.holds else 1
    signer = {None: "not asked (no --anchors)", True: "trusted", False: "not trusted"}
    echo_rows([
        ("Proof", "holds" if outcome.holds else "does NOT hold"),
        *(("Because", problem) for problem in outcome.problems),
        ("Signer", signer[outcome.trusted]),
        *((key, str(value)) for key, value in facts.items() if value != ""),
    ])  # fmt: skip
    return 0 if outcome.holds else 1


def _verify_log(*, as_json: bool) -> int:
    from unmask.provenance.log import Log

    log = Log()
    size, problems = log.check()
    if as_json:
        echo_json({"holds": not problems, "entries": size, "problems": problems})
    else:
        echo_rows([
            ("Log", "holds" if not problems else "does NOT hold"),
            ("Entries", str(size)),
            *(("Because", problem) for problem in problems),
        ])  # fmt: skip
    return 1 if problems else 0


def _digest(file: str) -> str:
    """The SHA-256 of a file, or the one that was given in its place."""
    from unmask.media import hash_file

    if _SHA256.fullmatch(file) and not Path(file).exists():
        return file.lower()
    return hash_file(file)


def _write(output: Path | None, document: bytes) -> None:
    from unmask.report import write_atomically

    if output is None:
        click.echo(document.decode(), nl=False)
    else:
        write_atomically(output, document)
        click.echo(f"wrote {output}", err=True)
