"""An append-only log of what was forged, signed and scanned: digests and times, no pictures.

Entries are the leaves of a Merkle tree in an SQLite file. A signed tree head states the whole log
up to a moment in 32 bytes; with one that was handed to somebody else, a proof shows later that an
entry was there by then and that nothing before it was changed since.

The file is readable by the user alone: it tells whoever has a file whether it was here.
Writers may be many at once: each takes the write lock, adds its entry with the hashes that it
completes, and commits to the disk. A crash leaves the entry wholly there or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from unmask import __version__, settings
from unmask.errors import LogUnusable, NotFound, UsageError
from unmask.media.origin import clean_tags
from unmask.provenance import merkle

Kind = Literal["forged", "signed", "scanned", "noted"]
KINDS: tuple[Kind, ...] = ("forged", "signed", "scanned", "noted")

_WAIT_S = 30.0
_WATERMARK = ", watermark "
_MAX_METHOD = 100
_APPLICATION_ID = 0x554E4D4B  # "UNMK": tells a log from any other database
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (
    position INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, entry BLOB NOT NULL);
CREATE INDEX entries_by_sha256 ON entries (sha256);
CREATE TABLE nodes (
    level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (level, position)) WITHOUT ROWID;
CREATE TABLE heads (size INTEGER PRIMARY KEY, head TEXT NOT NULL);
CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
    WHEN NEW.position IS NOT (SELECT coalesce(max(position) + 1, 0) FROM entries)
    BEGIN SELECT RAISE(ABORT, 'entries are appended in order'); END;
"""
_FOREVER = "".join(
    f"CREATE TRIGGER no_{verb}_of_{table} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;\n"
    for table in ("facts", "entries", "nodes", "heads")
    for verb in ("UPDATE", "DELETE")
)


class Entry(NamedTuple):
    """One line of the log.

    Attributes:
        kind: Why it is here.
        sha256: Of the file, lower-case hex.
        time: When, by this machine's clock; ISO 8601, UTC.
        tool: Name and version of the program.
        note: What else is known of it, at most 200 characters; may be empty.
    """

    kind: str
    sha256: str
    time: str
    tool: str
    note: str = ""

    def leaf(self) -> bytes:
        """The bytes that are hashed: JSON with sorted keys and no spaces."""
        return json.dumps(self._asdict(), sort_keys=True, separators=(",", ":")).encode()


class Placed(NamedTuple):
    """An entry and where it stands in the log, from 0."""

    position: int
    entry: Entry


class Log:
    """A log file, opened for each call anew. Processes and threads may share the file.

    Args:
        path: The file; made on the first entry. By default as the setting ``UNMASK_LOG`` says.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = settings.log_file() if path is None else path

    def append(self, kind: Kind, sha256: str, note: str = "") -> Placed:
        """Add one entry; once this returns it is on the disk.

        Raises:
            UsageError: ``sha256`` is none, or the kind is not one of :data:`KINDS`.
            LogUnusable: The log cannot be written.
        """
        if kind not in KINDS:
            raise UsageError(f"There is no kind {kind!r}.", hint=f"There is: {', '.join(KINDS)}.")
        entry = Entry(
            kind=kind,
            sha256=checked_sha256(sha256),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            tool=f"unmask {__version__}",
            note=next(iter(clean_tags([("note", note)]).values()), "")[:200],
        )
        with self._connected(make=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            position = _size(connection)
            nodes = merkle.completed_nodes(
                position, merkle.leaf_hash(entry.leaf()), _node_of(connection)
            )
            connection.execute(
                "INSERT INTO entries VALUES (?, ?, ?)", (position, entry.sha256, entry.leaf())
            )
            connection.executemany("INSERT INTO nodes VALUES (?, ?, ?)", nodes)
            connection.execute("COMMIT")
        return Placed(position, entry)

    def find(self, sha256: str) -> list[Placed]:
        """All entries on one file, oldest first.

        Raises:
            UsageError: ``sha256`` is none.
            NotFound: There is no log yet.
            LogUnusable: It cannot be read.
        """
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT position, entry FROM entries WHERE sha256 = ? ORDER BY position",
                (checked_sha256(sha256),),
            ).fetchall()
            return [Placed(position, _entry(leaf)) for position, leaf in rows]

    def find_watermark(self, payload: bytes) -> list[Placed]:
        """All forgeries that were written with this watermark, oldest first.

        Only what was recorded by writing it counts: any note can be put into the log by hand.
        """
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT position, entry FROM entries WHERE instr(entry, CAST(? AS BLOB)) "
                "ORDER BY position",
                (f"{_WATERMARK}{payload.hex()}",),
            ).fetchall()
            placed = [Placed(position, _entry(leaf)) for position, leaf in rows]
        return [
            one
            for one in placed
            if one.entry.kind == "forged"
            and one.entry.note.rpartition(_WATERMARK)[2] == payload.hex()
        ]

    def state(self) -> tuple[str, int, bytes]:
        """Id of this log, number of its entries, and the root over them."""
        with self._connected() as connection:
            size = _size(connection)
            return _id(connection), size, merkle.root(size, _node_of(connection))

    def root_over(self, size: int) -> bytes:
        """Root over the first ``size`` entries."""
        with self._connected() as connection:
            return merkle.root(size, _node_of(connection))

    def inclusion(self, position: int, size: int) -> list[bytes]:
        """The path of an entry in the tree over the first ``size`` entries."""
        with self._connected() as connection:
            return merkle.inclusion_path(position, size, _node_of(connection))

    def consistency(self, first: int, second: int) -> list[bytes]:
        """The path from the tree over ``first`` entries to that over ``second``."""
        with self._connected() as connection:
            return merkle.consistency_path(first, second, _node_of(connection))

    def keep_head(self, size: int, head: str) -> None:
        """Keep a signed head, so that the log itself remembers what it vouched for."""
        with self._connected() as connection:
            connection.execute("INSERT OR IGNORE INTO heads VALUES (?, ?)", (size, head))

    def check(self) -> tuple[int, list[str]]:
        """Compute everything anew from the entries.

        Returns:
            The number of entries, and what does not fit: empty if the log is whole.
        """
        problems: list[str] = []
        with self._connected() as connection:
            # What was written into it by force may not even be text.
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            # One transaction: what others append meanwhile is not seen.
            connection.execute("BEGIN")
            stored: dict[tuple[int, int], bytes] = {}
            size = 0
            for position, sha256, leaf in connection.execute(
                "SELECT position, sha256, entry FROM entries ORDER BY position"
            ):
                problem = _problem_of(leaf, sha256) if position == size else "is out of place"
                if problem is not None:
                    problems.append(f"entry {position} {problem}")
                    break
                for level, index, value in merkle.completed_nodes(
                    size, merkle.leaf_hash(leaf), lambda level, at: stored[level, at]
                ):
                    stored[level, index] = value
                size += 1
            kept = {
                (level, index): value
                for level, index, value in connection.execute("SELECT * FROM nodes")
            }
            if kept != stored:
                problems.append("the stored hashes are not those of the entries")
            problems += _false_heads(connection, size, stored)
        return size, problems

    @contextmanager
    def _connected(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        if not make and not self.path.exists():
            raise NotFound(
                f"There is no provenance log {self.path} yet.",
                hint="It is made with the first entry; UNMASK_LOG names another one.",
            )
        try:
            if make:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with suppress(FileExistsError):  # SQLite would let everybody read it
                    os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(
                sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            ) as connection:
                _prepare(connection, make=make)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise LogUnusable(
                f"The provenance log {self.path} cannot be used: {error}.",
                hint="Check that it may be written to and has room, or set UNMASK_LOG to another "
                "file.",
            ) from error


def note_of_forgery(method: str, payload: bytes) -> str:
    """The note by which :meth:`Log.find_watermark` finds a forgery."""
    return f"{method[:_MAX_METHOD]}{_WATERMARK}{payload.hex()}"


def checked_sha256(text: str) -> str:
    """Return a SHA-256 in lower-case hex.

    Raises:
        UsageError: It is none.
    """
    plain = text.strip().lower()
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise UsageError(
            f"{text[:80]!r} is no SHA-256: 64 hexadecimal digits were expected.",
            hint="Give a file, or the digest that 'sha256sum' prints.",
        )
    return plain


def _prepare(connection: sqlite3.Connection, *, make: bool) -> None:
    """Set the connection up; fill a new file. Two who meet a new file both get here.

    Nothing is set before it is known that the file is a log or empty: the journal's mode is kept
    in the file, and that of another program is not ours to change.
    """
    if not _is_log(connection):
        if not make:
            raise sqlite3.DatabaseError("it is empty, and no log")
        connection.execute("PRAGMA journal_mode=WAL")
        _fill(connection)
    connection.execute("PRAGMA synchronous=FULL")


def _is_log(connection: sqlite3.Connection) -> bool:
    """Whether the file is a log, not an empty file.

    Raises:
        DatabaseError: It is something else.
    """
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application == _APPLICATION_ID:
        return True
    if application or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise sqlite3.DatabaseError("it is a database of another program")
    return False


def _fill(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    if _is_log(connection):  # somebody else was faster
        connection.execute("ROLLBACK")
        return
    for command in _statements(_TABLES + _FOREVER):
        connection.execute(command)
    connection.execute("INSERT INTO facts VALUES ('id', ?)", (secrets.token_hex(16),))
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """The commands of a script one by one: ``executescript`` would commit in between."""
    command = ""
    for part in script.split(";"):
        command += part + ";"
        if sqlite3.complete_statement(command):
            if command.strip() != ";":
                yield command
            command = ""


def _size(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM entries").fetchone()
    return int(row[0])


def _id(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT value FROM facts WHERE name = 'id'").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("it lacks its id")
    return str(row[0])


def _node_of(connection: sqlite3.Connection) -> merkle.Node:
    def node(level: int, index: int) -> bytes:
        row = connection.execute(
            "SELECT hash FROM nodes WHERE level = ? AND position = ?", (level, index)
        ).fetchone()
        value = None if row is None else row[0]
        if not isinstance(value, bytes):
            raise sqlite3.DatabaseError(f"it lacks the hash of level {level}, place {index}")
        return value

    return node


def _entry(leaf: object) -> Entry:
    try:
        entry = Entry(**json.loads(leaf if isinstance(leaf, bytes) else b""))
    except (ValueError, TypeError, RecursionError) as error:
        raise sqlite3.DatabaseError(f"an entry was altered ({error})") from error
    if not all(isinstance(value, str) for value in entry):
        raise sqlite3.DatabaseError("an entry was altered (it holds more than texts)")
    return entry


def _problem_of(leaf: object, sha256: object) -> str | None:
    try:
        return None if _entry(leaf).sha256 == sha256 else "is altered"
    except sqlite3.DatabaseError:
        return "is malformed"


def _false_heads(
    connection: sqlite3.Connection, size: int, stored: dict[tuple[int, int], bytes]
) -> Iterator[str]:
    for at, text in connection.execute("SELECT size, head FROM heads ORDER BY size"):
        root = _root_in(text)
        if root is None:
            yield f"the head that was signed over {at} entries is malformed"
        elif not 0 <= at <= size or root != _root_over(at, stored):
            yield f"the head that was signed over {at} entries does not fit them"


def _root_over(size: int, stored: dict[tuple[int, int], bytes]) -> str:
    return merkle.root(size, lambda level, index: stored[level, index]).hex()


def _root_in(head: object) -> str | None:
    """The root that a kept head names, or None where it is malformed."""
    try:
        found = json.loads(head if isinstance(head, str) else "")
    except (ValueError, RecursionError):
        return None
    root = found.get("root") if isinstance(found, dict) else None
    return root if isinstance(root, str) else None
