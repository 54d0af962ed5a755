"""What is written is whole, or not there."""

from __future__ import annotations

import signal
from fractions import Fraction

import av
import numpy as np
import pytest
from tests.media.conftest import card

from unmask.errors import OutputRefused, UsageError
from unmask.media import Sampling, open_media, write_film, write_picture


def read(path, limits, sampling=None):
    with open_media(path, limits=limits, sampling=sampling or Sampling(None)) as media:
        return media.info, list(media.frames())


def test_picture_round_trip(tmp_path, limits):
    write_picture(tmp_path / "a.png", card())
    _, (frame,) = read(tmp_path / "a.png", limits)
    np.testing.assert_array_equal(frame.image, card())
    write_picture(tmp_path / "a.JPG", card())
    info, (frame,) = read(tmp_path / "a.JPG", limits)
    assert info.mime == "image/jpeg"
    assert np.abs(frame.image.astype(int) - card()).mean() < 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.JPG", "a.png"]


def test_film_round_trip(tmp_path, limits):
    write_film(tmp_path / "a.mp4", (card(n) for n in range(30)), 30)
    info, frames = read(tmp_path / "a.mp4", limits)
    assert (info.codec, info.width_px, info.height_px, info.frame_count) == ("h264", 96, 64, 30)
    assert info.duration_s == pytest.approx(1.0)
    assert [frame.pts_s for frame in frames] == pytest.approx([n / 30 for n in range(30)])
    error = [np.abs(f.image.astype(int) - card(n)).mean() for n, f in enumerate(frames)]
    assert max(error) < 8


def test_the_film_names_its_colours(tmp_path, limits):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48], image[:, 48:] = (200, 40, 60), (30, 160, 220)
    write_film(tmp_path / "a.mp4", [image] * 3, 25, crf=5)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert context.colorspace == 6  # BT.601
        assert context.color_range == 1  # limited
    _, frames = read(tmp_path / "a.mp4", limits)
    assert np.abs(frames[0].image.astype(int) - image)[:, [10, 80]].max() <= 3


def test_index_is_in_front_and_rates_may_be_fractions(tmp_path, limits):
    write_film(tmp_path / "a.mp4", [card(n) for n in range(12)], Fraction(30000, 1001))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    info, _ = read(tmp_path / "a.mp4", limits)
    assert info.frame_rate == pytest.approx(30000 / 1001)


def test_odd_sizes_lose_a_line(tmp_path, limits):
    write_film(tmp_path / "a.mp4", [card(n, 95, 63) for n in range(3)], 25, crf=10)
    _, frames = read(tmp_path / "a.mp4", limits)
    assert frames[0].image.shape == (62, 94, 3)
    assert np.abs(frames[0].image.astype(int) - card(0, 95, 63)[:62, :94]).mean() < 6


def test_lower_crf_is_nearer(tmp_path, limits):
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    sizes = []
    for crf in (1, 40):
        write_film(tmp_path / "a.mp4", [noise] * 3, 25, crf=crf)
        sizes.append((tmp_path / "a.mp4").stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_wrong_calls(tmp_path):
    with pytest.raises(UsageError, match="PNG or JPEG"):
        write_picture(tmp_path / "a.gif", card())
    with pytest.raises(UsageError, match="at least one"):
        write_film(tmp_path / "a.mp4", [], 25)
    with pytest.raises(UsageError, match="one size"):
        write_film(tmp_path / "a.mp4", [card(), card(0, 48, 32)], 25)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputRefused, match="could not be written"):
        write_picture(tmp_path / "none" / "a.png", card())
    with pytest.raises(OutputRefused):
        write_film(tmp_path / "none" / "a.mp4", [card()], 25)


def test_what_was_there_stays_when_writing_fails(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def frames():
        yield card()
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="source"):
        write_film(path, frames(), 25)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk(tmp_path):
    # The nearest to a full disk that needs no privilege: a limit on the size of files.
    resource = pytest.importorskip("resource", reason="this system cannot limit file sizes")
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old_limit[1]))
    try:
        noise = np.random.default_rng(0).integers(0, 255, (640, 960, 3), dtype=np.uint8)
        with pytest.raises(OutputRefused, match="could not be written"):
            write_picture(tmp_path / "a.png", noise)
        with pytest.raises(OutputRefused, match="could not be written"):
            write_film(tmp_path / "a.mp4", [noise] * 30, 25)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert list(tmp_path.iterdir()) == []
