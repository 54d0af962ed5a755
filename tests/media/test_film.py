"""Films: exact times, seeks that equal decoding everything, upright frames, honest endings."""

from __future__ import annotations

import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from tests.media.conftest import FILMS, HEIGHT, WIDTH, X264, card, write_beep, write_sample_film

from unmask.errors import CorruptMedia, LimitExceeded, NoFrames
from unmask.media import Sampling, open_media, probe
from unmask.media.film_decode import FilmDecoder
from unmask.media.film_open import open_film
from unmask.types import Limits


def read(path, frames=None, **limits):
    """Info, frames (all by default) and the reason for stopping early."""
    with open_media(path, limits=Limits(**limits), sampling=Sampling(frames)) as media:
        decoded = list(media.frames())
        return media.info, decoded, media.stopped_early


def times(frames):
    return [frame.pts_s for frame in frames]


@pytest.mark.parametrize("name", FILMS)
def test_every_format_gives_every_frame_at_its_time(name, film):
    info, frames, stopped = read(film(name))
    assert stopped is None
    assert (info.kind, info.width_px, info.height_px) == ("video", WIDTH, HEIGHT)
    assert info.frame_count == len(frames) == 50
    assert info.frame_rate == pytest.approx(25)
    assert times(frames) == pytest.approx([n / 25 for n in range(50)], abs=2e-3)
    assert [frame.index for frame in frames] == list(range(50))
    for number, frame in enumerate(frames):
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
        # The number is written into the picture's corner.
        assert abs(frame.image[4:12, 4:20].mean() - (255 - number)) < 6


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("wanted", [1, 7, 32])
def test_seeks_equal_decoding_everything(name, wanted, film):
    _, everything, _ = read(film(name))
    _, some, stopped = read(film(name), wanted)
    assert stopped is None
    # The frame on screen in the middle of each of the equal parts.
    middles = [(part + 0.5) * 50 / wanted for part in range(wanted)]
    assert [round(time * 25) for time in times(some)] == [int(middle) for middle in middles]
    by_time = {frame.pts_s: frame.image for frame in everything}
    for frame in some:
        np.testing.assert_array_equal(frame.image, by_time[frame.pts_s])


def test_short_films_are_given_whole(film):
    _, frames, _ = read(film("h264.mp4"), 50)
    assert len(frames) == 50
    _, frames, _ = read(film("h264.mp4"), 500)
    assert len(frames) == 50


def test_variable_frame_rate(tmp_path):
    pts = [0, 17, 40, 41, 300, 310, 900, 901, 2500, 2501]
    path = write_sample_film(
        tmp_path / "vfr.mp4", options=X264, pts=pts, time_base=Fraction(1, 1000)
    )
    _, frames, _ = read(path)
    assert times(frames) == pytest.approx([t / 1000 for t in pts], abs=1e-9)
    # The last frame is taken to stay for the mean of the others: 2501 / 9 = 278 ms. The middles
    # of four parts are at 347, 1042, 1737 and 2432 ms; one frame stays for three of them.
    info, frames, _ = read(path, 4)
    assert info.duration_s == pytest.approx(2.779, abs=1e-3)
    assert times(frames) == pytest.approx([0.310, 0.901], abs=1e-9)


def test_times_are_counted_from_the_start_of_the_stream(tmp_path):
    path = write_sample_film(tmp_path / "late.mkv", options=X264, pts=range(500, 550))
    info, frames, stopped = read(path)
    assert times(frames)[:3] == pytest.approx([0.0, 0.04, 0.08], abs=2e-3)
    assert (info.frame_count, stopped) == (50, None)


@pytest.mark.parametrize("name", ["raw.h264", "live.mkv", "raw.m2v"])
def test_films_that_state_no_length(name, film):
    with av.open(str(film(name))) as container:
        assert container.streams.video[0].frames == 0
        assert container.duration is None
    info, frames, _ = read(film(name), 5)
    assert info.frame_count == 50
    assert len(frames) == 5
    assert info.duration_s == (None if name == "raw.h264" else pytest.approx(2.0, abs=0.05))


def test_no_stretch_is_decoded_twice_and_most_not_at_all(tmp_path, monkeypatch):
    path = write_sample_film(tmp_path / "long.mp4", options=X264, pts=range(600))
    decoded = []
    decode = FilmDecoder._decode

    def spy(self, packet):
        decoded.append(packet.pts)
        return decode(self, packet)

    monkeypatch.setattr(FilmDecoder, "_decode", spy)
    _, frames, _ = read(path, 5)
    assert len(frames) == 5
    assert len(decoded) == len(set(decoded))
    assert len(decoded) < 5 * (12 + 12)
    decoded.clear()
    _, frames, _ = read(path, 300)
    assert len(frames) == 300
    assert len(decoded) == len(set(decoded))


def test_seeks_that_miss_are_replaced_by_reading_through(film, monkeypatch):
    _, everything, _ = read(film("h264.mp4"))
    start = FilmDecoder._from_key
    monkeypatch.setattr(
        FilmDecoder,
        "_from_key",
        lambda self, key, *, may_pass: start(self, key, may_pass=True) if may_pass else None,
    )
    _, some, stopped = read(film("h264.mp4"), 6)
    assert stopped is None
    by_time = {frame.pts_s: frame.image for frame in everything}
    assert len(some) == 6
    for frame in some:
        np.testing.assert_array_equal(frame.image, by_time[frame.pts_s])


def test_frames_come_one_at_a_time(film):
    with open_media(film("h264.mp4"), limits=Limits(), sampling=Sampling(None)) as media:
        first = next(media.frames())
        assert first.index == 0
        assert media._reader._decoder._fed < 25
        again = list(media.frames())
    assert len(again) == 50


def test_unchanged_after_reading(film):
    with open_media(film("h264.mkv"), limits=Limits()) as media:
        list(media.frames())
        assert media.verify_unchanged()


# -------------------------------------------------------------------- turning

MATRICES = {
    # Clockwise rotation, mirrored: (a, b, c, d) of the display matrix.
    (0, False): (1, 0, 0, 1),
    (90, False): (0, 1, -1, 0),
    (180, False): (-1, 0, 0, -1),
    (270, False): (0, -1, 1, 0),
    (0, True): (-1, 0, 0, 1),
    (180, True): (1, 0, 0, -1),
    (90, True): (0, 1, 1, 0),
    (270, True): (0, -1, -1, 0),
}


@pytest.mark.parametrize(("turn", "matrix"), MATRICES.items())
def test_frames_are_upright(turn, matrix, film, tmp_path):
    degrees, mirrored = turn
    data = bytearray(film("h264.mp4").read_bytes())
    at = data.index(b"tkhd") + 44
    assert struct.unpack_from(">9i", data, at)[8] == 1 << 30
    a, b, c, d = (part << 16 for part in matrix)
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    _, (plain, *_), _ = read(film("h264.mp4"), 3)
    info, (frame, *_), _ = read(path, 3)
    # Reference, point by point: where x' = a x + c y and y' = b x + d y puts each pixel.
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    to_x = matrix[0] * x + matrix[2] * y
    to_y = matrix[1] * x + matrix[3] * y
    expected = np.zeros_like(frame.image)
    expected[to_y - to_y.min(), to_x - to_x.min()] = plain.image
    np.testing.assert_array_equal(frame.image, expected)
    assert frame.image.flags.c_contiguous
    assert (info.height_px, info.width_px) == frame.image.shape[:2]
    assert info.rotation_deg == degrees
    assert mirrored or degrees == 0 or not np.array_equal(frame.image, plain.image)


# ------------------------------------------------------------- colour and alpha


def test_alpha_lies_on_mid_grey(tmp_path):
    path = tmp_path / "alpha.mkv"
    rgba = np.dstack([card(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    rgba[:, WIDTH // 2 :, 3] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgra"
        frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _, (frame,), _ = read(path)
    assert (frame.image[:, : WIDTH // 2] == 128).all()
    np.testing.assert_array_equal(frame.image[:, WIDTH // 2 :], card()[:, WIDTH // 2 :])


def test_colours_are_those_of_swscale(film):
    with av.open(str(film("mjpeg.avi"))) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    _, frames, _ = read(film("mjpeg.avi"))
    for frame, reference in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame.image, reference)


# --------------------------------------------------------------------- streams


def test_sound_is_noted(tmp_path):
    info, frames, _ = read(write_sample_film(tmp_path / "a.mp4", options=X264, sound=True))
    assert info.has_audio
    assert len(frames) == 50
    assert not probe(write_sample_film(tmp_path / "b.mp4", options=X264), Limits()).has_audio


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sound_alone_has_no_frames(tmp_path, suffix):
    path = tmp_path / f"sound.{suffix}"
    with av.open(str(path), "w") as container:
        write_beep(container, container.add_stream("aac", rate=8000))
    with pytest.raises(NoFrames, match="audio"):
        probe(path, Limits())


def test_a_cover_is_no_film(tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        beep = container.add_stream("aac", rate=8000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        container.mux(cover.encode(av.VideoFrame.from_ndarray(card(), format="rgb24")))
        container.mux(cover.encode(None))
        write_beep(container, beep)
    with pytest.raises(NoFrames):
        probe(path, Limits())


def test_a_header_without_frames(tmp_path):
    path = tmp_path / "none.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        container.start_encoding()
    with pytest.raises((NoFrames, CorruptMedia)):
        probe(path, Limits())


@pytest.mark.parametrize("extension", ["jpg", "txt", "avi", "m3u8"])
def test_the_extension_means_nothing(film, tmp_path, extension):
    path = tmp_path / f"film.{extension}"
    shutil.copy(film("h264.mkv"), path)
    info, frames, _ = read(path)
    assert info.mime == "video/x-matroska"
    assert len(frames) == 50


# ---------------------------------------------------------------------- limits


def test_limits_name_value_limit_and_flag(film):
    path = film("h264.mp4")
    read(path, max_pixels=WIDTH * HEIGHT, max_duration_s=2.0, max_frames=50)
    with pytest.raises(LimitExceeded, match=f"96 x 64 = 6144.*6143.*--max-pixels {WIDTH * HEIGHT}"):
        read(path, max_pixels=WIDTH * HEIGHT - 1)
    with pytest.raises(LimitExceeded, match=r"2\.0 s; the limit is 1\.9 s.*--max-duration 3"):
        read(path, max_duration_s=1.9)
    with pytest.raises(LimitExceeded, match=r"50 frames .* 49.*--max-frames 50"):
        read(path, max_frames=49)


def test_the_packets_own_times_are_held_against_the_limit_too(film):
    with pytest.raises(LimitExceeded, match="--max-duration"):
        read(film("live.mkv"), 5, max_duration_s=1.5)


def test_frames_that_grow_are_held_against_the_limit(film, tmp_path):
    options = FILMS["raw.h264"][1]
    large = write_sample_film(tmp_path / "large.h264", "libx264", **options, size=(192, 128))
    path = tmp_path / "grows.h264"
    path.write_bytes(film("raw.h264").read_bytes() + large.read_bytes())
    _, frames, _ = read(path)
    assert [frame.image.shape for frame in frames] == [(64, 96, 3)] * 50 + [(128, 192, 3)] * 50
    with pytest.raises(LimitExceeded, match="192 x 128"):
        read(path, max_pixels=192 * 128 - 1)


def test_decoding_stops_at_the_limit_of_frames(tmp_path):
    # One key frame: a few frames at the end cost all that lie before them.
    options = {"g": "600", "sc_threshold": "0", **{k: X264[k] for k in ("bf", "x264-params")}}
    path = write_sample_film(tmp_path / "one.mp4", options=options, pts=range(100))
    with pytest.raises(LimitExceeded, match="--max-frames"):
        read(path, 3, max_frames=40)


# ------------------------------------------------------------------ bad endings


def cut(path, tmp_path, share):
    data = path.read_bytes()
    short = tmp_path / f"cut{path.suffix}"
    short.write_bytes(data[: int(len(data) * share)])
    return short


@pytest.mark.parametrize("name", ["h264.mp4", "h264.flv", "h264.mkv", "vp9.webm"])
@pytest.mark.parametrize("wanted", [8, None])
def test_a_film_that_is_cut_says_so_and_keeps_its_frames(name, wanted, film, tmp_path):
    info, frames, stopped = read(cut(film(name), tmp_path, 0.6), wanted)
    assert 5 <= len(frames) < 50
    assert frames[-1].pts_s < 1.6
    assert info.duration_s == pytest.approx(2.0, abs=0.1)
    assert stopped is not None
    assert "the header states 2.0" in stopped
    # What was kept is what the whole film shows.
    whole = {frame.pts_s: frame.image for frame in read(film(name))[1]}
    for frame in frames:
        np.testing.assert_array_equal(frame.image, whole[frame.pts_s])


def test_an_mp4_without_its_index_is_corrupt(film, tmp_path):
    with pytest.raises(CorruptMedia):
        read(cut(film("tail.mp4"), tmp_path, 0.5))


def test_rubbish_in_the_middle_costs_only_itself(film, tmp_path):
    data = bytearray(film("h264.mp4").read_bytes())
    start = data.index(b"mdat")
    middle = (start + len(data)) // 2
    data[middle : middle + 400] = bytes(400)
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    _, frames, _ = read(path)
    assert frames[0].pts_s == 0.0
    assert frames[-1].pts_s == pytest.approx(1.96)
    assert len(frames) >= 30


# --------------------------------------------------------------------- safety


@pytest.mark.parametrize("demuxer", ["hls", "concat"])
def test_no_other_file_can_be_reached(demuxer, film, tmp_path):
    target = film("h264.ts")
    text = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
    }[demuxer]
    script = tmp_path / "script"
    script.write_text(text)
    # FFmpeg by itself follows the script ...
    loose = {"allowed_extensions": "ALL", "extension_picky": "0"} if demuxer == "hls" else {}
    loose |= {"safe": "0"} if demuxer == "concat" else {}
    with av.open(str(script), format=demuxer, options=loose) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
    # ... and as we open it, it cannot, even if such a file were not refused by its first bytes.
    with script.open("rb") as file, pytest.raises((CorruptMedia, NoFrames)):
        open_film(file, demuxer, Limits())
