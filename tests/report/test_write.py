from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from unmask.errors import OutputRefused
from unmask.report import write_atomically

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_writes_and_replaces(tmp_path):
    target = tmp_path / "report.html"
    write_atomically(target, b"one")
    write_atomically(str(target), b"two")
    assert target.read_bytes() == b"two"
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]


def test_keeps_the_mode_of_a_file_and_follows_a_link(tmp_path):
    target, link = tmp_path / "private.json", tmp_path / "link.json"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_is_named_with_what_to_do(tmp_path):
    with pytest.raises(OutputRefused, match="gone") as caught:
        write_atomically(tmp_path / "gone" / "a.json", b"x")
    assert "Create the folder" in caught.value.hint


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(OutputRefused) as caught:
        write_atomically(tmp_path, b"x")
    assert "file inside this folder" in caught.value.hint


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no /dev/null on this system")
def test_a_device_is_never_replaced():
    with pytest.raises(OutputRefused, match="device or pipe"):
        write_atomically("/dev/null", b"x")
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputRefused) as caught:
        write_atomically(tmp_path / "a.json", b"x")
    assert "may write to" in caught.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    target = tmp_path / "report.json"
    target.write_bytes(b"old and whole")
    real_fdopen = os.fdopen

    def onto_full_disk(descriptor, mode):
        # The kernel's own ENOSPC, on the real write path.
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, descriptor)
        os.close(full)
        return real_fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", onto_full_disk)
    with pytest.raises(OutputRefused, match=os.strerror(errno.ENOSPC)) as caught:
        write_atomically(target, b"x" * 100_000)
    assert "Free some space" in caught.value.hint
    assert target.read_bytes() == b"old and whole"
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]


def test_an_interrupt_leaves_no_half_file(tmp_path, monkeypatch):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.json", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a\x00b", "x" * 300])
def test_names_that_no_disk_takes(tmp_path, name):
    with pytest.raises(OutputRefused) as caught:
        write_atomically(tmp_path / name, b"x")
    assert "\x00" not in str(caught.value)
    assert caught.value.hint


def test_hostile_names_are_shown_harmlessly(tmp_path):
    with pytest.raises(OutputRefused) as caught:
        write_atomically(tmp_path / "no\x1b[31m" / "a", b"x")
    assert "\x1b" not in caught.value.message
    assert "\\x1b" in caught.value.message
