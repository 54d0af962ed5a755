from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unmask.errors import LogUnusable, NotFound, UsageError
from unmask.provenance import merkle
from unmask.provenance.log import Log, note_of_forgery

ONE, OTHER = "a1" * 32, "b2" * 32


@pytest.fixture
def log(log_file: Path) -> Log:
    return Log()


def append_some(path: Path, writer: int, count: int) -> None:
    log = Log(path)
    for number in range(count):
        log.append("noted", f"{writer:02x}{number:02x}" * 16, f"writer {writer}")


def test_the_setting_names_the_file_and_the_first_entry_makes_it(log: Log, log_file: Path) -> None:
    assert log.path == log_file
    with pytest.raises(NotFound, match="no provenance log"):
        log.find(ONE)
    assert not log_file.exists()
    placed = log.append("forged", ONE.upper(), "by\x1b[31m hand")
    assert log_file.exists()
    assert (placed.position, placed.entry.sha256) == (0, ONE)
    assert "\x1b" not in placed.entry.note
    assert log.find(ONE) == [placed]
    assert log.find(OTHER) == []
    assert log.check() == (1, [])


def test_the_root_is_that_of_the_entries(log: Log) -> None:
    leaves = [log.append("noted", f"{n:02x}" * 32).entry.leaf() for n in range(11)]
    nodes: dict[tuple[int, int], bytes] = {}
    for size, leaf in enumerate(leaves):
        for level, index, value in merkle.completed_nodes(
            size, merkle.leaf_hash(leaf), lambda level, index: nodes[level, index]
        ):
            nodes[level, index] = value
    _, size, root = log.state()
    assert (size, root) == (11, merkle.root(11, lambda level, index: nodes[level, index]))


def test_a_forgery_is_found_by_its_watermark_and_by_nothing_like_it(log: Log) -> None:
    payload = bytes.fromhex("0badcafe")
    log.append("forged", ONE, note_of_forgery("style_gan" * 40, payload))
    log.append("forged", OTHER, note_of_forgery("style_gan", bytes.fromhex("0badcaff")))
    log.append("forged", OTHER, "x, watermark 0badcafe and more")
    log.append("noted", OTHER, note_of_forgery("by hand", payload))
    assert [one.entry.sha256 for one in log.find_watermark(payload)] == [ONE]


@pytest.mark.parametrize("bad", ["", "12", "g" * 64, ONE + "0", "../" * 21 + "x"])
def test_what_is_no_digest_is_refused(log: Log, bad: str) -> None:
    with pytest.raises(UsageError, match="SHA-256"):
        log.append("noted", bad)


def test_many_writers_lose_nothing(log: Log) -> None:
    count, writers = 12, 3
    started = multiprocessing.get_context("spawn")
    work = [started.Process(target=append_some, args=(log.path, n, count)) for n in range(writers)]
    for one in work:
        one.start()
    for one in work:
        one.join()
    assert [one.exitcode for one in work] == [0] * writers
    assert log.check() == (count * writers, [])


def test_a_killed_writer_leaves_a_whole_log(log: Log) -> None:
    program = (
        "import sys; from pathlib import Path; from unmask.provenance.log import Log\n"
        "log = Log(Path(sys.argv[1]))\n"
        "for n in range(100000): log.append('noted', f'{n:064x}'); print(n, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(log.path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        seen = [int(writer.stdout.readline()) for _ in range(20)]
        time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
        seen += [int(line) for line in writer.stdout if line.endswith("\n")]
    size, problems = log.check()
    assert problems == []
    assert size >= len(seen)  # whatever was confirmed is there
    log.append("noted", ONE)
    assert log.check() == (size + 1, [])


@pytest.mark.parametrize(
    "command",
    [
        "DELETE FROM entries WHERE position = 1",
        "UPDATE entries SET sha256 = 'x'",
        "DELETE FROM nodes",
        "UPDATE facts SET value = 'another log'",
        "INSERT INTO entries VALUES (7, 'x', x'00')",
        "INSERT INTO entries VALUES (-1, 'x', x'00')",
    ],
)
def test_the_database_itself_refuses_to_forget(log: Log, command: str) -> None:
    append_some(log.path, 1, 3)
    connection = sqlite3.connect(log.path)
    with pytest.raises(sqlite3.Error, match=r"append-only|in order"):
        connection.execute(command)
    connection.close()
    assert log.check() == (3, [])


@pytest.mark.parametrize("table", ["entries", "nodes"])
def test_a_change_by_force_is_found(log: Log, table: str) -> None:
    append_some(log.path, 1, 5)
    connection = sqlite3.connect(log.path)
    connection.execute(f"DROP TRIGGER no_UPDATE_of_{table}")
    if table == "entries":
        leaf = connection.execute("SELECT entry FROM entries WHERE position = 2").fetchone()[0]
        altered = json.dumps(json.loads(leaf) | {"note": "nothing happened"}).encode()
        connection.execute("UPDATE entries SET entry = ? WHERE position = 2", (altered,))
    else:
        connection.execute("UPDATE nodes SET hash = x'00' WHERE level = 1")
    connection.commit()
    connection.close()
    _, problems = log.check()
    assert problems


def test_another_programs_file_is_left_alone(log_file: Path) -> None:
    log_file.parent.mkdir()
    log_file.write_text("Dear diary, " * 100)
    with pytest.raises(LogUnusable, match="cannot be used") as caught:
        Log().append("noted", ONE)
    assert "UNMASK_LOG" in caught.value.hint
    assert log_file.read_text().startswith("Dear diary")
    log_file.unlink()
    other = sqlite3.connect(log_file)
    other.execute("CREATE TABLE friends (name TEXT)")
    other.commit()
    other.close()
    before = log_file.read_bytes()
    with pytest.raises(LogUnusable, match="another program"):
        Log().append("noted", ONE)
    # Not even its journal's mode, which is kept in the file.
    assert log_file.read_bytes() == before
    assert [path.name for path in log_file.parent.iterdir()] == [log_file.name]


def test_a_place_that_cannot_hold_a_log_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNMASK_LOG", str(tmp_path / "file" / "log.db"))
    with pytest.raises(LogUnusable):
        Log().append("noted", ONE)


def test_nobody_else_may_read_it(log: Log, log_file: Path) -> None:
    before = os.umask(0)
    try:
        log.append("noted", ONE)
    finally:
        os.umask(before)
    assert stat.S_IMODE(log_file.stat().st_mode) == 0o600


def test_looking_into_an_empty_file_makes_no_log_of_it(log: Log, log_file: Path) -> None:
    log_file.parent.mkdir()
    log_file.write_bytes(b"")
    with pytest.raises(LogUnusable, match="empty"):
        log.find(ONE)
    assert log_file.read_bytes() == b""
    log.append("noted", ONE)
    assert log.check() == (1, [])


def by_force(path: Path, *commands: str) -> None:
    connection = sqlite3.connect(path)
    for table in ("entries", "nodes", "facts", "heads"):
        for verb in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER no_{verb}_of_{table}")
    for command in commands:
        connection.execute(command)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "entry",
    ["x'ff'", "'text'", "7", "x'5b5d'", "x'7b7d'", "CAST('{\"kind\": 3}' AS BLOB)",
     f"CAST(json_object('kind', 1, 'sha256', '{ONE}', 'time', 't', 'tool', 't') AS BLOB)",
     f"CAST('{'[' * 50_000}' AS BLOB)"],
)  # fmt: skip
def test_a_malformed_entry_is_a_problem_and_no_fault(log: Log, entry: str) -> None:
    append_some(log.path, 1, 4)
    log.append("noted", ONE)
    by_force(log.path, f"UPDATE entries SET entry = {entry} WHERE position = 4")  # noqa: S608
    size, problems = log.check()
    assert size == 4
    assert problems[0] == "entry 4 is malformed"
    with pytest.raises(LogUnusable, match="altered"):
        log.find(ONE)


@pytest.mark.parametrize("head", ["'no json'", "'[]'", "'{\"root\": 7}'", "x'ff'",
                                  f"'{'[' * 50_000}'", "CAST(x'fffe' AS TEXT)"])  # fmt: skip
def test_a_malformed_head_is_a_problem_and_no_fault(log: Log, head: str) -> None:
    append_some(log.path, 1, 3)
    by_force(log.path, f"INSERT INTO heads VALUES (2, {head})")  # noqa: S608
    assert log.check() == (3, ["the head that was signed over 2 entries is malformed"])


def test_a_head_over_more_than_there_is_does_not_fit(log: Log) -> None:
    append_some(log.path, 1, 3)
    for size in (-1, 4):
        log.keep_head(size, json.dumps({"root": "00" * 32}))
    assert len(log.check()[1]) == 2


def test_a_log_that_lacks_its_id_is_unusable(log: Log) -> None:
    append_some(log.path, 1, 2)
    by_force(log.path, "DELETE FROM facts", "UPDATE nodes SET hash = 5")
    with pytest.raises(LogUnusable, match="lacks"):
        log.state()
    assert log.check()[1] == ["the stored hashes are not those of the entries"]
