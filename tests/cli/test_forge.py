"""``unmask forge`` as its users call it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.forge.stores import untrained_run

from unmask import cli
from unmask.media import write_film, write_picture

CONSENT = "Both portraits are in the public domain; for a test"


@pytest.fixture(autouse=True)
def own_identity(tmp_path, monkeypatch):
    monkeypatch.setenv("UNMASK_IDENTITY", str(tmp_path / ".identity"))
    monkeypatch.setenv("UNMASK_LOG", str(tmp_path / ".log"))


@pytest.fixture
def call(capfd):
    def run(*words):
        code = cli.main(["forge", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def files(portraits, face_models, tmp_path):
    """A film of ten frames and a portrait of somebody else."""
    write_picture(tmp_path / "hopper.png", portraits["hopper"])
    frames = (portraits["astronaut"][:384, 2 * n : 2 * n + 384] for n in range(10))
    write_film(tmp_path / "in.mp4", frames, 10)
    return tmp_path


def swap(files, *words):
    return ("convert", files / "in.mp4", "--method", "landmark_swap", "--identity",
            files / "hopper.png", "-o", files / "out.mp4", *words)  # fmt: skip


def test_help_lists_the_commands_and_loads_no_torch():
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys; from unmask import cli; code = cli.main(['forge', 'convert', '--help']); "
         "sys.exit(code or 'torch' in sys.modules)"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--consent" in done.stdout


def test_extract(call, files):
    code, out, err = call("extract", files / "in.mp4", "-o", files / "faces", "--size", "64")
    assert (code, out.strip()) == (0, str(files / "faces"))
    assert "10 faces from 10 frames" in err
    code, _, err = call("extract", files / "in.mp4", "-o", files / "faces", "--size", "64")
    assert code == 0
    assert "10 faces were there already" in err
    code, _, err = call("extract", files / "in.mp4", "-o", files / "faces")
    assert code == 2
    assert "--fresh" in err


@pytest.mark.slow
def test_convert(call, files):
    code, out, err = call(*swap(files, "--consent", CONSENT, "--trim", "0.2:0.6"))
    assert code == 0, err
    assert out.strip() == str(files / "out.mp4")
    assert "4 of 4 frames forged and labelled" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "consent"),
        (("--trim", "5:1"), 2, "START:END"),
        (("--face", "nobody"), 2, "largest"),
        (("--feather", "7", "--consent", CONSENT), 2, "feather 7 is out of range"),
        (("--consent", CONSENT, "--face", "4"), 2, "shows 1 person"),
        (("--consent", CONSENT, "--driving", "x.mp4"), 2, "motion model"),
        (("--consent", CONSENT, "--trim", "50:"), 3, "no frame between"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(call, files, words, code, said):
    found, _, err = call(*swap(files, *words))
    assert found == code, err
    assert said in err
    assert "Traceback" not in err
    assert not (files / "out.mp4").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--absolute",), "no --driving film"),
        (("--audio", "speech.wav"), "no use for --audio"),
        (("--to", "a"), "no use for --to a"),
    ],
)
def test_options_without_a_use_are_refused(call, files, words, said):
    code, _, err = call(*swap(files, "--consent", CONSENT, *words))
    assert code == 2, err
    assert said in " ".join(err.split())
    assert not (files / "out.mp4").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--audio", "speech.wav"), "--audio"),
        (("--identity", "hopper.png", "--to", "a"), "--identity, --to a"),
        (("--restore", "run"), "--restore"),
        (("--mask", "oval", "--keep-masks", "kept"), "--mask, --keep-masks"),
    ],
)
def test_driving_refuses_what_it_would_drop(call, files, tmp_path, words, said):
    pytest.importorskip("torch", reason="the extra 'forge' is not installed")
    run = untrained_run(tmp_path / "run", "first_order_motion")
    code, _, err = call("convert", run, files / "hopper.png", "--driving", files / "in.mp4",
                        "-o", files / "out.mp4", "--consent", CONSENT, *words)  # fmt: skip
    assert code == 2, err
    assert f"no use for {said}:" in " ".join(err.split())
    assert not (files / "out.mp4").exists()


def test_consent_is_asked_for_before_a_download(call, files, monkeypatch):
    def fetched(**_):
        raise AssertionError("the face models were asked for first")

    monkeypatch.setattr("unmask.faces.assets.ensure", fetched)
    for name in ("convert", "preview"):
        words = [*swap(files)[1:-1], files / ("out.mp4" if name == "convert" else "out.png")]
        code, _, err = call(name, *words)
        assert code == 2
        assert "consent" in err


def test_options_left_out_merge_as_the_library_does():
    from unmask.cli.forge_commands._painting import merge_of
    from unmask.cli.forge_commands.convert import command
    from unmask.forge.merging import MergeSettings

    context = command.make_context("convert", ["run", "in.mp4", "-o", "out.mp4"])
    assert merge_of(context.params) == MergeSettings()


def test_paths_that_do_not_fit(call, files):
    code, _, err = call("convert", files / "in.mp4", "-o", files / "out.mp4", "--consent", CONSENT)
    assert code == 2
    assert "RUN and INPUT was expected" in err
    code, _, err = call("convert", files, files / "in.mp4", "-o", files / "out.mp4",
                        "--consent", CONSENT)  # fmt: skip
    assert code == 3
    assert "no run of a generator" in err


@pytest.mark.slow
def test_a_killed_conversion_goes_on(files, portraits):
    frames = [portraits["astronaut"][:384, n : n + 384] for n in range(60)]
    write_film(files / "in.mp4", frames, 10)
    words = [sys.executable, "-m", "unmask", "forge", *map(str, swap(files, "--consent", CONSENT))]
    running = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    work = files / ".out.mp4.unmask-work"
    end = time.monotonic() + 200
    while not list(work.glob("*.patch")) and time.monotonic() < end and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert work.is_dir()
    assert not (files / "out.mp4").exists()
    kept = {path: path.stat().st_mtime_ns for path in work.glob("*.patch")}
    assert kept
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "60 of 60 frames" in done.stderr
    assert (files / "out.mp4").is_file()
    assert not work.exists()


@pytest.mark.slow
def test_a_full_disk(files):
    """Files may not grow beyond 60 kB: the journal or a patch meets the limit."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
        "from unmask import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", script, "forge", *map(str, swap(files, "--consent", CONSENT))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "goes on from where it was" in done.stderr
    assert not (files / "out.mp4").exists()


def test_preview_of_a_wall(call, files):
    write_picture(files / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    code, _, err = call("preview", files / "wall.png", "--method", "landmark_swap", "--identity",
                        files / "hopper.png", "-o", files / "sheet.jpg",
                        "--consent", CONSENT)  # fmt: skip
    assert code == 3
    assert "No such face was found in frame 0" in err
    assert not (files / "sheet.jpg").exists()
