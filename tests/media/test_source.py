"""Opening: what is no file is told apart, and the input is never touched."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.media.conftest import picture_bytes

from unmask.errors import (
    CorruptMedia,
    EmptyInput,
    LimitExceeded,
    NotAFile,
    NotFound,
    PermissionRefused,
)
from unmask.media import hash_file, open_media, probe
from unmask.types import Limits


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "face.png"
    path.write_bytes(picture_bytes("PNG"))
    return path


def test_hash(tmp_path):
    data = os.urandom(3_000_001)
    path = tmp_path / "data"
    path.write_bytes(data)
    assert hash_file(path) == hashlib.sha256(data).hexdigest()


def test_info_states_the_bytes(picture, limits):
    info = probe(str(picture), limits)
    assert info.name == "face.png"
    assert info.size_bytes == picture.stat().st_size
    assert info.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()


def test_unchanged_or_not(picture, limits):
    with open_media(picture, limits=limits) as media:
        list(media.frames())
        assert media.verify_unchanged()
        with picture.open("ab") as file:
            file.write(b"!")
        assert not media.verify_unchanged()
        picture.unlink()
        assert not media.verify_unchanged()


def test_a_read_only_input_is_never_written(picture, limits):
    picture.chmod(0o444)
    before = (picture.read_bytes(), picture.stat().st_mtime_ns, sorted(picture.parent.iterdir()))
    with open_media(picture, limits=limits) as media:
        list(media.frames())
    after = (picture.read_bytes(), picture.stat().st_mtime_ns, sorted(picture.parent.iterdir()))
    assert after == before


def test_frames_can_be_asked_for_again(picture, limits):
    with open_media(picture, limits=limits) as media:
        first, second = list(media.frames()), list(media.frames())
    assert len(first) == len(second) == 1
    assert (first[0].image == second[0].image).all()


def test_file_is_closed_whatever_happens(tmp_path, picture, limits):
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:30])
    # pytest turns the ResourceWarning of a file left open into an error.
    with pytest.raises(CorruptMedia):
        open_media(broken, limits=limits)
    media = open_media(picture, limits=limits)
    media.close()
    media.close()


def test_missing(tmp_path, limits):
    with pytest.raises(NotFound, match=r"none\.png"):
        open_media(tmp_path / "none.png", limits=limits)
    with pytest.raises(NotFound):
        hash_file(tmp_path / "no" / "folder.png")


def test_empty(tmp_path, limits):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(EmptyInput, match="0 bytes"):
        open_media(tmp_path / "empty.mp4", limits=limits)


def test_folder(tmp_path, limits):
    with pytest.raises(NotAFile, match="directory"):
        open_media(tmp_path, limits=limits)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.timeout(10)
def test_fifo_does_not_block(tmp_path, limits):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(NotAFile, match="pipe"):
        open_media(tmp_path / "pipe.mp4", limits=limits)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no Unix sockets")
def test_socket(tmp_path, limits, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.mp4")
        with pytest.raises(NotAFile, match="socket"):
            open_media("s.mp4", limits=limits)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_device(limits):
    with pytest.raises(NotAFile, match="device"):
        open_media("/dev/zero", limits=limits)


@pytest.mark.parametrize("name", ["nul\0byte.png", "x" * 5000])
def test_impossible_names(name, limits):
    with pytest.raises(NotAFile):
        open_media(name, limits=limits)


def test_link_to_itself(tmp_path, limits):
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    with pytest.raises(NotAFile):
        open_media(tmp_path / "loop.png", limits=limits)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="this system has no user ids")
def test_no_permission(picture, limits):
    picture.chmod(0)
    me = os.geteuid()
    if me == 0:  # root may read everything, so be somebody else for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionRefused):
            open_media(picture, limits=limits)
    finally:
        os.seteuid(me)


def test_permission_refused_by_the_system(picture, limits, monkeypatch):
    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("unmask.media.source.os.open", refuse)
    with pytest.raises(PermissionRefused, match=r"face\.png"):
        open_media(picture, limits=limits)


def test_too_many_bytes_are_refused_before_they_are_read(picture, monkeypatch):
    def never(*_args):
        pytest.fail("the file was read")

    monkeypatch.setattr("unmask.media.source._digest", never)
    size = picture.stat().st_size
    with pytest.raises(LimitExceeded) as caught:
        open_media(picture, limits=Limits(max_bytes=size - 1))
    assert f"{size} bytes; the limit is {size - 1}" in caught.value.message
    assert f"--max-bytes {size}" in caught.value.hint


def test_importing_the_room_loads_no_decoder():
    code = (
        "import sys, unmask.media; heavy = {'av', 'cv2', 'PIL', 'pillow_heif', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
