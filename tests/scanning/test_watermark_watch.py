"""Which frames of a film the watermark is looked for in, and what is said where it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tests.provenance.conftest import drawn

from unmask.errors import ModelUnavailable
from unmask.provenance import watermark
from unmask.scanning.scanner import _prepare_watermark_reader
from unmask.scanning.watermark_watch import WatermarkWatch
from unmask.types import Frame, MediaInfo
from unmask.types_of_origin import WatermarkFinding

PLAIN = drawn()
MARKED = watermark.embed(drawn(), b"\1\2\3\4")


def info_of(kind: str) -> MediaInfo:
    return MediaInfo("a", kind, "image/png", 1, "0" * 64, 160, 160)  # type: ignore[arg-type]


def watched(frames: list[Frame] | Iterator[Frame], kind: str = "video") -> WatermarkFinding:
    watch = WatermarkWatch(info_of(kind))
    for _ in watch.watching(frames):
        pass
    return watch.finding()


@pytest.fixture
def times_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], list[float]]:
    """Which of a film's times are read: frames say theirs, and nothing is computed."""

    class Reader:
        def __init__(self) -> None:
            self.times: list[float] = []
            made.append(self)

        def add(self, number: float) -> None:
            self.times.append(number)

        def reading(self) -> watermark.WatermarkReading:
            return watermark.WatermarkReading(False, None, 0.0, 0.0)

    made: list[Reader] = []
    monkeypatch.setattr(watermark, "FilmWatermarkReader", Reader)
    monkeypatch.setattr(watermark, "readable_copy", lambda image: float(image[0, 0, 0]))

    def read(times: list[float]) -> list[float]:
        blank = np.zeros((64, 64, 3))
        frames = (Frame(blank + n, n, at) for n, at in enumerate(times))  # type: ignore[arg-type]
        finding = watched(frames)
        (reader,) = made
        assert finding.frames == len(reader.times)
        made.clear()
        return [times[int(n)] for n in reader.times]

    return read


def test_a_marked_picture_is_found_and_a_plain_one_is_not() -> None:
    for image, status in ((MARKED, "found"), (PLAIN, "not_found")):
        watch = WatermarkWatch(info_of("image"))
        frames = [Frame(image, 0, 0.0)]
        assert list(watch.watching(frames)) == frames
        assert watch.finding().status == status
    assert watch.finding().payload is None


def test_a_few_frames_of_a_film_are_enough() -> None:
    images = [watermark.embed(np.roll(drawn(), n, 1), b"\1\2\3\4") for n in range(9)]
    finding = watched(Frame(images[n % 9], n, n / 2) for n in range(30))
    assert (finding.status, finding.payload) == ("found", "01020304")
    assert 2 <= finding.frames <= 8


def test_a_mark_that_comes_late_in_a_film_is_found() -> None:
    frames = (Frame(PLAIN if n < 150 else MARKED, n, n / 5) for n in range(300))
    assert watched(frames).status == "found"


CLOCKS: dict[str, list[float]] = {
    "every frame of two minutes": [n / 25 for n in range(3000)],
    "a sample of 64": [n * 3.7 for n in range(64)],
    "slow, then fast": [n * 2.0 for n in range(60)] + [120 + n / 60 for n in range(7200)],
    "fast, then slow": [n / 60 for n in range(7200)] + [120 + n * 2.0 for n in range(60)],
    "a leap": [0.0, *(1000 + n / 25 for n in range(500))],
    "an hour with one frame a minute": [60.0 * n for n in range(61)],
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_readings_are_spread_over_the_whole_film(
    clock: str, times_read: Callable[[list[float]], list[float]]
) -> None:
    times = CLOCKS[clock]
    read = times_read(times)
    assert 3 <= len(read) <= 8
    assert read == sorted(set(read))
    if clock == "a leap":
        return
    length = times[-1] - times[0]
    edges = [times[0], *read, times[-1]]
    assert max(np.diff(edges)) <= 0.45 * length
    assert any(at > times[0] + 0.7 * length for at in read)
    assert any(at < times[0] + 0.3 * length for at in read)


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_torn_film_is_read_as_far_as_it_goes(
    clock: str, times_read: Callable[[list[float]], list[float]]
) -> None:
    torn = CLOCKS[clock][: len(CLOCKS[clock]) // 5]
    read = times_read(torn)
    assert len(read) == min(8, -(-len(torn) // 8)) or 3 <= len(read) <= 8
    if clock != "a leap":
        assert read[-1] >= 0.55 * torn[-1]


@pytest.mark.parametrize("still", [0.0, float("nan")])
def test_where_time_stands_still_frames_are_counted(
    still: float, times_read: Callable[[list[float]], list[float]]
) -> None:
    assert 4 <= len(times_read([0.0, *[still] * 999])) <= 8


def test_what_is_kept_does_not_grow_with_the_film() -> None:
    watch = WatermarkWatch(info_of("video"))
    for frame in watch.watching(Frame(PLAIN, n, n / 25) for n in range(400)):
        assert len(watch._kept) <= 8, frame.index


@pytest.mark.parametrize("shape", [(2160, 3840), (700, 9000), (9000, 700), (600, 600)])
def test_a_copy_of_a_frame_is_small_and_keeps_its_mark(shape: tuple[int, int]) -> None:
    marked = watermark.embed(drawn(*shape), b"\1\2\3\4")
    copy = watermark.readable_copy(marked)
    assert copy.nbytes <= 512 * 8 * 512 * 3
    assert watermark.read(copy).payload == b"\1\2\3\4"
    small = drawn(200, 300)
    assert np.array_equal(watermark.readable_copy(small), small)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_is_too_small_was_not_searched(kind: str) -> None:
    small = [Frame(PLAIN[:31], n, float(n)) for n in range(3)]
    finding = watched(small, kind)
    assert (finding.status, finding.frames) == ("not_checked", 0)
    assert "32 px" in (finding.reason or "")
    assert watched([Frame(PLAIN[:32, :32], 0, 0.0)], kind).status == "not_found"


def test_no_frame_means_not_checked() -> None:
    assert watched([]) == WatermarkFinding(reason="No frame was decoded.")


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_network_that_is_gone_is_a_reason_and_no_failure(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: object) -> None:
        raise ModelUnavailable("The bundled network is absent.")

    monkeypatch.setattr(watermark, "_session", gone)
    assert watched([Frame(PLAIN, 0, 0.0)], kind) == WatermarkFinding(
        reason="The bundled network is absent."
    )
    _prepare_watermark_reader()  # nor does it keep a scanner from starting


def test_the_reader_is_compiled_before_the_first_picture() -> None:
    watermark._session.cache_clear()
    _prepare_watermark_reader()
    assert watermark._session.cache_info().currsize == 1
    watermark.read(PLAIN)
    assert watermark._session.cache_info().misses == 1


def test_a_bound_is_never_rounded_to_less(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = watermark.WatermarkReading(True, b"\1\2\3\4", 1.0, -31.5067)
    monkeypatch.setattr(watermark, "read", lambda _: reading)
    assert watched([Frame(PLAIN, 0, 0.0)], "image").log10_false_alarm == -31.5
