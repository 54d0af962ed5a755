"""What speed is measured with: processes, films, and a program that plays ``unmask``."""

from __future__ import annotations

import sys

import av
import numpy as np
import pytest

from unmask.bench import film, speed
from unmask.bench.processes import decode_alone, run, unmask_program
from unmask.errors import EnvironmentProblem

PROGRAM = """
import json, sys, time
time.sleep(0.15)
words = sys.argv[1:]
files = [word for word in words[1:] if word.endswith((".jpg", ".mp4"))]
held = bytearray(sum(int(open(file).read()) for file in files if file.endswith(".mp4")))
for file in files:
    faces = 0 if "nobody" in file else 1
    print(json.dumps({"coverage": {"frames_seen": 1, "frames_with_faces": faces}, "more": 1}))
"""


@pytest.fixture
def program(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    return [sys.executable, "-S", str(script)]


def test_peak_memory_is_that_of_the_program_not_of_the_bench():
    held = np.ones(300_000_000, np.uint8)
    small = run([sys.executable, "-S", "-c", "pass"])
    large = run([sys.executable, "-S", "-c", "held = b'x' * 200_000_000"])
    assert held.sum() == held.size
    assert small.peak_bytes < 60e6
    assert 200e6 < large.peak_bytes < 260e6


def test_a_run_has_time_output_and_status():
    done = run([sys.executable, "-S", "-c", "import time; time.sleep(0.2); print('out')"])
    assert done.wall_s >= 0.2
    assert done.cpu_s < done.wall_s
    assert done.stdout == b"out\n"
    failing = [sys.executable, "-S", "-c", "import sys; sys.exit('why it failed')"]
    assert run(failing, may_fail=True).returncode == 1
    with pytest.raises(EnvironmentProblem, match="why it failed"):
        run(failing)


def test_a_program_that_is_not_there():
    with pytest.raises(EnvironmentProblem, match="could not be started"):
        run(["/nowhere/unmask", "--help"])


def test_the_executable_of_this_environment_answers():
    assert b"scan" in run([*unmask_program(), "--help"]).stdout


def test_a_call_that_saw_no_face_measures_nothing(program, tmp_path):
    assert speed.scan(program, [tmp_path / "a.jpg"]).wall_s > 0.1
    with pytest.raises(EnvironmentProblem, match="in 1 of 2 files"):
        speed.scan(program, [tmp_path / "a.jpg", tmp_path / "nobody.jpg"])
    with pytest.raises(EnvironmentProblem, match="something else than reports"):
        speed.scan([sys.executable, "-S", "-c", "print('hello')"], [tmp_path / "a.jpg"])


def test_many_pictures_in_one_call_against_many_calls(program, tmp_path):
    rows = {row.key: row for row in speed.picture_rows(
        program, [tmp_path / f"{i}.jpg" for i in range(40)])}  # fmt: skip
    assert rows["many_calls"].note.startswith("10 calls measured")
    # each call sleeps 0.15 s: one call once, forty calls forty times
    assert rows["many_calls"].value > 40 * 0.15
    assert rows["calls_ratio"].value == pytest.approx(
        rows["many_calls"].value / rows["one_call"].value
    )
    assert rows["calls_ratio"].value > 5


def test_growing_memory_is_seen(program, tmp_path):
    films = {}
    for length_s, held_bytes in ((10, 100_000_000), (60, 200_000_000), (240, 400_000_000)):
        films[length_s] = tmp_path / f"{length_s}.mp4"
        films[length_s].write_text(str(held_bytes))
    rows = {row.key: row for row in speed.memory_rows(program, films)}
    assert rows["peak"].value == pytest.approx(410, abs=15)
    assert rows["peak_all_60s"].value == pytest.approx(210, abs=15)
    assert 3.4 < rows["peak_growth"].value < 4


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    film.write_segment(folder / "one.mp4", duration_s=1)
    film.repeat_segment(folder / "one.mp4", folder / "three.mp4", times=3, duration_s=1)
    return folder


def test_the_film_is_what_the_page_says(films):
    with av.open(str(films / "one.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec.name, video.width, video.height) == ("h264", 1280, 720)
        assert video.average_rate == 30
        assert audio.codec.name == "aac"
        assert not any(frame.to_ndarray().any() for frame in container.decode(audio))


def test_a_repeated_segment_is_an_even_film(films):
    with av.open(str(films / "three.mp4")) as container:
        stream = container.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
    np.testing.assert_allclose(times, np.arange(90) / 30, atol=1e-4)
    with av.open(str(films / "three.mp4")) as container:
        sound = [frame.pts for frame in container.decode(audio=0)]
    assert (np.diff(sound) > 0).all()


def test_decoding_alone_sees_every_frame(films):
    found = decode_alone(films / "three.mp4")
    assert found.frames == 90
    assert found.wall_s > 0


def test_the_picture_moves_and_repeats_by_its_seed():
    first, second = film.moving_picture(2)
    again = next(film.moving_picture(1))
    assert first.shape == (720, 1280, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - second).mean() > 1


def test_pictures_differ(tmp_path):
    paths = film.write_pictures(tmp_path, 3)
    assert len({path.read_bytes() for path in paths}) == 3
